"""What is said of private training, from results made by hand: small, empty, huge and negative figures."""

import pytest

from miajax.studies.dpsgd import page
from miajax.studies.dpsgd.figures import Dpsgd
from tests.studies.made import made


def _point(
    epsilon, accuracy, *, lost=(0.02, (0.01, 0.03)), clipped=None, above=False, auc_high=0.51, rate=0.001, rate_ci=None
):
    return {
        "epsilon_target": epsilon, "epsilon": epsilon, "test_accuracy": accuracy, "above_chance": above,
        "auc": 0.5, "auc_ci": [0.49, auc_high], "lira_tpr_at_fpr": {"0.001": rate}, "refuted_by": [],
        "lira_tpr_at_fpr_ci": {"0.001": rate_ci},
        "largest_possible": {"clopper_pearson": 2.1, "one_run": 4.6},
        "accuracy_lost": {
            "to_non_private": {"value": lost[0], "ci": list(lost[1])},
            "to_clipped": clipped and {"value": clipped[0], "ci": list(clipped[1])},
        },
    }  # fmt: skip


def _results(points, same):
    plain = {"test_accuracy": 0.965, "same_recipe": same, "lira_tpr_at_fpr": {"0.001": 0.02}, "largest_possible": {}}
    return made(Dpsgd, {"points": points, "non_private": plain})


def _plain(text):
    return text.replace("\u00a0", " ")


def test_a_cost_is_privacys_only_under_the_same_recipe():
    same = _results([_point(1.0, 0.633, lost=(0.213, (0.2, 0.226)))], True)
    assert _plain(page._sentence(same)) == (
        "At epsilon 1, accuracy on non-members is 63.3 %, 21.3 points [20.0, 22.6] below the same recipe without "
        "privacy."
    )
    other = _plain(page._sentence(_results([_point(1.0, 0.633)], False)))
    assert "below" not in other and "by another recipe, so that the difference is not privacy's alone" in other
    clipped = _results([_point(1.0, 0.633, clipped=(0.3, (0.29, 0.31)))], False)
    assert "30.0 points [29.0, 31.0] below the same recipe clipped and without noise" in page._sentence(clipped)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ((0.001, (-0.004, 0.006)), "not measurably different (0.1 points [−0.4, 0.6]) from the same recipe"),
        ((-0.02, (-0.03, -0.01)), "2.0 points [1.0, 3.0] above the same recipe"),
        ((0.9, (0.89, 0.91)), "90.0 points [89.0, 91.0] below the same recipe"),
    ],
)
def test_a_cost_within_its_interval_is_no_cost(lost, said):
    assert said in _plain(page._sentence(_results([_point(8.0, 0.9, lost=lost)], True)))


def test_what_is_not_shown_is_said_with_what_could_go_unseen():
    quiet, loud = _point(1.0, 0.6), _point(50.0, 0.9, above=True)
    assert page._finding(_results([loud, quiet], True)) == (
        "LiRA finds measurably more than chance under epsilon 50; under 1 not, where an AUC of up to 0.510 would go "
        "unseen"
    )
    assert page._finding(_results([quiet, _point(3.0, 0.8, auc_high=0.523)], True)) == (
        "Under no budget with noise does LiRA find measurably more than chance; an AUC of up to 0.523 would go unseen"
    )
    wide = _point(1.0, 0.6, rate_ci=[0.0, 0.075])
    assert _plain(page._finding(_results([wide], True))).endswith(
        "an AUC of up to 0.510, or 7.5 % of members at 0.1 % FPR, would go unseen"
    )
    assert page._finding(_results([loud], True)).startswith("Under every budget with noise LiRA finds measurably more")
    assert page._finding(_results([_point(None, 0.9)], True)) == "No budget adds noise: nothing is promised"
    assert page._finding(_results([_point(1.0, 0.6, above=None)], True)).startswith("Too few models for LiRA")


def test_a_rate_of_nothing_is_a_figure_too():
    assert "0 % at epsilon 1" in _plain(page._cost(_results([_point(1.0, 0.6, rate=0.0)], True)))
    assert "(another recipe)" in page._cost(_results([_point(1.0, 0.6)], False))
