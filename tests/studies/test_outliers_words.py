"""What is said of outlier metrics names everything that might be as good as the best."""

import pytest

from miajax.studies.outliers import words
from miajax.studies.outliers.figures import Outliers
from miajax.studies.outliers.words import best_finding
from tests.studies.made import made


def results(by_rank, by_top):
    return {
        "metrics": {name: {} for name in (*MANY, "mahalanobis", "margin")},
        "best": {
            "all": {
                figure: {"metric": first, "not_told_apart": equal}
                for figure, (first, *equal) in (("spearman", by_rank), ("precision_at_1pct", by_top))
            }
        },
    }


MANY = ["el2n", "grand", "forgetting", "memorisation", "inconsistency", "influence", "loss_trace_iqr", "input_leverage"]


@pytest.mark.parametrize(
    ("by_rank", "by_top", "finding"),
    [
        (["el2n"], ["memorisation"], "best by EL2N alone; the most of the top 1 % is found by memorisation alone"),
        (["grand"], ["grand"], "best, and the most of the top 1 % found, by GraNd alone"),
        (["grand", "el2n"], ["grand"], "best by GraNd and, not told apart from it, EL2N; the most of the top"),
        (MANY[:4], MANY, "by EL2N and, not told apart from it, GraNd, forgetting, memorisation; the most"),
        (MANY, MANY, "by EL2N and 7 others that are not told apart from it"),
    ],
)  # fmt: skip
def test_the_finding_names_all_that_cannot_be_told_from_the_best(by_rank, by_top, finding):
    assert finding in best_finding(made(Outliers, results(by_rank, by_top))).replace("\u00a0", " ")


def test_where_all_metrics_are_alike_none_is_called_best():
    alike = results(MANY, MANY)
    alike["metrics"] = {name: {} for name in MANY}
    assert best_finding(made(Outliers, alike)).replace("\u00a0", " ") == (
        "No metric is shown to rank vulnerability better than another, and which of 8 metrics finds the most of the "
        "top 1 % is not shown"
    )
    alike["best"]["all"]["spearman"]["not_told_apart"] = []
    assert best_finding(made(Outliers, alike)).startswith(
        "Vulnerability is ranked best by EL2N alone; which of 8 metrics"
    )


def _by_fit(easy, hard):
    sides = {"easy": easy, "hard": hard}
    return {"outliers_by_fit": {side: {"vulnerable": of and of[0], "vulnerable_ci": of and list(of[1:])}
                                for side, of in sides.items()}}  # fmt: skip


@pytest.mark.parametrize(
    ("easy", "hard", "said"),
    [
        ((0.30, 0.25, 0.35), (0.22, 0.17, 0.27), "Outliers that are easy to fit are named more often"),  # they overlap
        ((0.30, 0.25, 0.35), (0.28, 0.23, 0.33), "Easy and hard outliers are not named measurably differently often"),
        ((0.0, 0.0, 0.02), (0.5, 0.4, 0.6), "Outliers that are hard to fit are named more often"),
        ((0.0, 0.0, 0.3), (1.0, 0.7, 1.0), "Outliers that are hard to fit are named more often"),
        (None, (0.5, 0.4, 0.6), "No outlier is easy to fit"),
    ],
)
def test_easy_and_hard_are_told_apart_by_the_interval_of_their_difference(easy, hard, said):
    assert words.fit_finding(made(Outliers, _by_fit(easy, hard))).startswith(said)


@pytest.mark.parametrize(
    ("apart", "same", "said"),
    [
        (0.5, 0.7, "On the same models kNN distance would look better than it is, by 0.20 in rank correlation"),
        (0.5, 0.51, "On the same models no metric looks better by 0.02 or more in rank correlation; most gains kNN"),
        (0.5, 0.3, "On the same models no metric looks better by 0.02 or more"),
        (None, 0.3, "No metric was measured on the same models"),
    ],
)
def test_what_the_same_models_add_is_said_with_its_size(apart, same, said):
    metrics = {"knn_distance": {"spearman": apart, "same_models": {"spearman": same}}}
    assert words.circular_finding(made(Outliers, {"metrics": metrics})).startswith(said)
