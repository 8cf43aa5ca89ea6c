"""What is said of outlier metrics names everything that might be as good as the best."""

import pytest

from miajax.studies.outliers.words import best_finding


def results(by_rank, by_top):
    return {
        "best": {
            "all": {
                figure: {"metric": first, "not_told_apart": equal}
                for figure, (first, *equal) in (("spearman", by_rank), ("precision_at_1pct", by_top))
            }
        }
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
    assert finding in best_finding(results(by_rank, by_top)).replace("\u00a0", " ")
