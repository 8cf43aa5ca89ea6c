"""Made-up pools for the outlier tests: three clusters, with planted outliers, and an ensemble that saw half of each."""

import numpy as np

from miajax.outliers.registry import Evidence

NUM_CLASSES, MODELS, EPOCHS = 3, 12, 5


def clusters(num_examples=61, features=7, seed=0):
    """Vectors around three centres; a zero vector, a copy and a far example among them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_examples) % NUM_CLASSES
    centres = 4.0 * rng.normal(size=(NUM_CLASSES, features))
    vectors = centres[labels] + rng.normal(size=(num_examples, features))
    vectors[5] = 0.0
    vectors[9] = vectors[6]
    return vectors.astype(np.float32), labels.astype(np.int32)


def evidence(num_examples=61, seed=0):
    """Every field, of random models."""
    rng = np.random.default_rng(seed + 1)
    vectors, labels = clusters(num_examples, seed=seed)
    cells = (MODELS, num_examples)
    return Evidence(
        labels=labels,
        vectors=vectors,
        member=rng.random(cells) < 0.5,
        valid=np.arange(MODELS) != 3,
        correct=rng.random(cells) < 0.8,
        probability=rng.random(cells, dtype=np.float32),
        early_logits=rng.normal(size=(*cells, NUM_CLASSES)).astype(np.float32) * 3,
        gradient_norm=rng.random(cells, dtype=np.float32),
        margins=rng.normal(loc=-0.5, size=(MODELS, EPOCHS, num_examples)).astype(np.float32),
        losses=rng.exponential(size=(MODELS, EPOCHS, num_examples)).astype(np.float32),
    )
