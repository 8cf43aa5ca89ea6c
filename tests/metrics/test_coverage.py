"""Do 95 % intervals hold the truth in about 95 of 100 campaigns, though targets share examples and models?

The truth of a pooled figure is that of infinitely many models and examples, in closed form; of a mean over targets it
is the average over the simulated campaigns, since a target's own figure depends on how many examples it has.
"""

import numpy as np
import pytest

from benchmarks._simulated_signals import KINDS
from benchmarks.coverage import coverage as lira_coverage
from miajax.metrics.figures import fpr_key
from miajax.metrics.pooled import pooled_figures
from tests.metrics.campaigns import Effects, entry_and_notes
from tests.oracles import metrics as oracle

SMALL = Effects(model=0.1, example=0.1)
LARGE = Effects(model=0.5, example=0.8)
NULL = Effects(shift=0.0)
UNEVEN = Effects(model=0.1, shift_of_model=0.3)


def coverage(effects, num_models, num_examples, repeats, fprs):
    rng = np.random.default_rng([num_models, repeats])
    entries = [
        entry_and_notes(*effects.draw(rng, num_models, num_examples), np.ones(num_models, bool), fprs=fprs)[0]
        for _ in range(repeats)
    ]
    targets = [entry["per_target"] for entry in entries]

    def share(intervals, truth):
        return float(np.mean([low <= truth <= high for low, high in intervals]))

    found = {"auc": share([e["auc_ci"] for e in entries], effects.auc())}
    found["auc per target"] = share([t["auc_ci"] for t in targets], np.mean([t["auc"] for t in targets]))
    for fpr in fprs:
        key = fpr_key(fpr)
        found[key] = share([e["tpr_at_fpr_ci"][key] for e in entries], effects.tpr(fpr))
        if targets[0]["tpr_at_fpr"][key] is not None:
            mean = np.mean([t["tpr_at_fpr"][key] for t in targets])
            found[key + " per target"] = share([t["tpr_at_fpr_ci"][key] for t in targets], mean)
    return found


def test_intervals_cover_with_few_models():
    found = coverage(LARGE, num_models=8, num_examples=300, repeats=120, fprs=(0.01,))
    assert set(found) == {"auc", "auc per target", "0.01", "0.01 per target"}
    assert all(0.88 <= share <= 1.0 for share in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("effects", [SMALL, LARGE, NULL, UNEVEN], ids=["small", "large", "null", "uneven"])
@pytest.mark.parametrize("num_models, num_examples", [(8, 600), (32, 400), (256, 300)])
def test_intervals_cover_in_ninety_to_a_hundred_of_a_hundred_campaigns(effects, num_models, num_examples):
    found = coverage(effects, num_models, num_examples, repeats=200, fprs=(0.001, 0.01))
    assert all(0.90 <= share <= 0.995 for share in found.values()), found


def test_interval_grows_when_each_example_is_vulnerable_in_every_model():
    rng = np.random.default_rng(0)
    member = np.stack([rng.permutation(400) < 200 for _ in range(32)])
    noise = rng.normal(size=member.shape)
    alike = noise + member * (1.0 + 2.0 * rng.normal(size=400))  # the same examples stand out in all models
    each_its_own = noise + member * (1.0 + 2.0 * rng.normal(size=member.shape))
    clustered, free = (pooled_figures(scores, member, (0.01,)) for scores in (alike, each_its_own))
    assert np.ptp(clustered.auc.ci) > 2.0 * np.ptp(free.auc.ci)
    assert np.ptp(clustered.tpr_at_fpr[0.01].ci) > 1.3 * np.ptp(free.tpr_at_fpr[0.01].ci)


def test_auc_interval_rests_on_the_influence_of_every_cell():
    scores, member = LARGE.draw(np.random.default_rng(3), 5, 31)
    scores = np.round(scores, 1)
    scores[0, :3] = np.nan
    low, high = pooled_figures(scores, member, ()).auc.ci
    area = oracle.auc(scores, member)
    half = (np.log(high / (1 - high)) - np.log(low / (1 - low))) / 2
    sd = np.sqrt(oracle.crossed_variance(oracle.auc_influence(scores, member)))
    t = half * area * (1 - area) / sd
    assert 1.96 < t < 4.5  # the factor of Student's t for the few degrees of freedom of five models
    middle = (np.log(high / (1 - high)) + np.log(low / (1 - low))) / 2
    assert middle == pytest.approx(np.log(area / (1 - area)))


@pytest.mark.parametrize("kind", ["few exposed", "no leak"])
def test_intervals_of_a_low_rate_of_online_lira_cover_with_sixteen_models(kind):
    """With few exposed examples, the spread of the hits alone covered in 79 to 85 of 100 campaigns."""
    found = lira_coverage(kind, num_models=16, num_examples=500, campaigns=100)
    assert found["tpr_at_0.001"]["covered"] >= 0.92, found["tpr_at_0.001"]
    assert found["tpr_at_0.001"]["below"] <= 0.05
    assert found["auc"]["covered"] >= 0.88


def test_a_rate_without_a_hit_is_bounded_by_what_the_threshold_may_have_cost():
    """The fourth best non-member is the threshold: even twice as many expected hits as false positives may be none."""
    rng = np.random.default_rng(4)
    member = np.stack([rng.permutation(500) < 250 for _ in range(16)])
    scores = rng.normal(size=member.shape)
    scores[member] -= 3.0
    figure = pooled_figures(scores, member, (0.001,)).tpr_at_fpr[0.001]
    assert figure is not None and figure.value == 0.0
    assert figure.ci[0] == 0.0
    assert 0.0009 < figure.ci[1] < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("num_models", [4, 8, 16, 32])
def test_intervals_of_lira_cover_whatever_the_examples(kind, num_models):
    found = lira_coverage(kind, num_models, num_examples=500, campaigns=150)
    assert all(share["covered"] >= 0.89 for share in found.values()), found
