"""Named campaigns. Each docstring-like comment gives the command, the time on named hardware and the result."""

from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.studies.config import CampaignConfig
from miajax.training.recipe import Recipe

PRESETS: dict[str, CampaignConfig] = {
    # python -m experiments.lira --preset digits; times and results: README.md
    "digits": CampaignConfig(
        dataset="digits",
        model="mlp",
        model_options=ModelOptions(widths=(128,)),
        num_shadows=256,
        recipe=Recipe(epochs=30, batch_size=64, optimizer="sgd", learning_rate=0.1, momentum=0.9, schedule="cosine"),
    ),
}


def preset(name: str) -> CampaignConfig:
    """The campaign of that name.

    Raises:
      UserError: an unknown name; the known ones are listed.
    """
    if name not in PRESETS:
        raise UserError(f"--preset {name} is unknown", expected="one of " + ", ".join(sorted(PRESETS)))
    return PRESETS[name]
