"""A table of patients with several visits each, and attacks on it in plain NumPy."""

import numpy as np
from scipy.stats import norm

from miajax.campaign.config import CampaignConfig, Setup
from miajax.library import config_from

PEOPLE, VISITS, MODELS = 300, 4, 24
FOREST = {"model": "sklearn.ensemble:RandomForestClassifier", "model_args": '{"n_estimators": 30}'}


def patients(path):
    """300 people, 4 similar rows each, as a table."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(PEOPLE), VISITS)
    x = rng.normal(size=(PEOPLE, 10))[person] + 0.1 * rng.normal(size=(len(person), 10))
    y = rng.integers(0, 2, PEOPLE)[person]
    site = rng.choice(["north", "south", "west"], PEOPLE, p=[0.6, 0.35, 0.05])[person]
    header = ["patient", "site", *(f"x{i}" for i in range(10)), "y"]
    rows = [
        f"P{p:04},{s},{','.join(f'{v:.5f}' for v in values)},{'yn'[label]}"
        for p, s, values, label in zip(person, site, x, y, strict=True)
    ]
    path.write_text("\n".join([",".join(header), *rows]))
    return path


def forests(tmp_path, **data):
    """The setup of random forests on it."""
    options = {"data_path": str(patients(tmp_path / "patients.csv")), "label_column": "y", **data}
    config = config_from(CampaignConfig(), dataset="table", **{"num_shadows": MODELS, **FOREST, **options})
    return Setup.of(config, fit_batch=True)


def networks(tmp_path, **data):
    """The setup of small networks on it."""
    options = {"data_path": str(patients(tmp_path / "patients.csv")), "label_column": "y", **data}
    config = config_from(
        CampaignConfig(), dataset="table", epochs=6, widths=(16,), batch_size=32, learning_rate=0.01,
        validation_fraction=0.1, **options,
    )  # fmt: skip
    return Setup.of(config)


def figures_of(scores, member, fpr=0.001):
    """AUC and TPR of pooled scores, by counting."""
    known = ~np.isnan(scores)
    inside, outside = np.sort(scores[member & known]), np.sort(scores[~member & known])
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    auc = below.mean() / 2 / len(outside)
    allowed = int(np.floor(fpr * len(outside) + 1e-9))
    refused = outside[len(outside) - 1 - allowed]
    return auc, (inside > refused).mean()


def lira_by_hand(phi, member):
    """Online LiRA with one Gaussian a side and row, every model a target in turn, in float64."""
    scores = np.empty(phi.shape)
    for target in range(len(phi)):
        others = np.arange(len(phi)) != target
        for row in range(phi.shape[1]):
            both = [phi[others & side[:, row], row] for side in (member, ~member)]
            inside, outside = (norm.logpdf(phi[target, row], v.mean(), v.std()) for v in both)
            scores[target, row] = inside - outside
    return scores
