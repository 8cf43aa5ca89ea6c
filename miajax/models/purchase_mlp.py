"""The network that the paper trains on Purchase-100."""

from miajax.models.mlp import MLP


def purchase_mlp(num_classes: int = 100, dropout: float = 0.0) -> MLP:
    """Widths 1024-512-256-128 and tanh: 1,317,348 parameters for 600 features and 100 classes."""
    return MLP(num_classes, (1024, 512, 256, 128), "tanh", dropout)
