"""Synthetic shopping baskets in the shape of Purchase-100, for when the real ones are not at hand."""

import numpy as np

from miajax.data.dataset import Dataset

_STREAM = 0x70757263  # keeps these draws apart from any other use of the same seed
_CLASSES, _PRODUCTS = 100, 600
_TASTES = 30  # latent dimensions in which customers differ
_CLUSTER_SPREAD = 0.65  # of the cluster centres, where customers of one cluster spread by 1
_LOADING = 1.5  # how much tastes move the log odds of a product
_LOG_ODDS = (-2.5, 1.5)  # mean and spread over the products' popularity
_SIZE_SPREAD = 0.5  # of the logarithm of the clusters' sizes
_BLOCK = 1000  # examples drawn from one stream, so that a longer data set starts with a shorter one


def load_purchase_like(num_examples: int = 20_000, seed: int = 0) -> Dataset:
    """Synthetic customers: 600 products bought or not, 100 classes. No figure on it is one of Purchase-100.

    A customer's tastes are Gaussian around one of 100 centres, a product is bought with the logistic of tastes times
    loadings plus popularity, and the class is the nearest of the 100 expected baskets in squared distance. So the
    class is, as in Purchase-100 (k-means clusters of baskets, Shokri et al. 2017), a function of the basket: accuracy
    grows with the data, and examples near a border are the hard ones.

    Args:
      num_examples: N. The first N of any longer data set of the same seed; the first 100 hold one of each class.
      seed: 0 or more; draws products, clusters and customers.

    Returns:
      float32 rows ``[N, 600]`` of 0 and 1, marked ``synthetic``.

    Raises:
      UserError: fewer examples than classes.
    """
    world = np.random.default_rng([_STREAM, seed])
    loadings = world.normal(0.0, _LOADING / _TASTES**0.5, (_TASTES, _PRODUCTS))
    popularity = world.normal(*_LOG_ODDS, _PRODUCTS)
    centres = world.normal(0.0, _CLUSTER_SPREAD, (_CLASSES, _TASTES))
    shares = world.lognormal(0.0, _SIZE_SPREAD, _CLASSES)
    expected_baskets = _logistic(centres @ loadings + popularity)

    def draw(rng: np.random.Generator, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tastes = centres[clusters] + rng.normal(size=(len(clusters), _TASTES))
        bought = rng.random((len(clusters), _PRODUCTS)) < _logistic(tastes @ loadings + popularity)
        nearness = bought @ expected_baskets.T - (expected_baskets**2).sum(1) / 2
        return bought.astype(np.float32), nearness.argmax(1)

    features, labels = [], []
    for block in range(-(-num_examples // _BLOCK)):
        rng = np.random.default_rng([_STREAM, seed, block + 1])
        baskets, classes = draw(rng, rng.choice(_CLASSES, _BLOCK, p=shares / shares.sum()))
        if block == 0:
            for row, wanted in enumerate(rng.permutation(_CLASSES)):
                while classes[row] != wanted:
                    baskets[[row]], classes[[row]] = draw(rng, np.array([wanted]))
        features.append(baskets)
        labels.append(classes)
    return Dataset(
        name="purchase_like",
        features=np.concatenate(features)[:num_examples],
        labels=np.concatenate(labels)[:num_examples],
        num_classes=_CLASSES,
        shippable=True,
        synthetic=True,
        provenance={
            "source": f"synthetic, data_seed {seed}",
            "note": "synthetic: the shape and class structure of Purchase-100, none of its records",
            "examples": {"all": num_examples},
        },
    )


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-log_odds))
