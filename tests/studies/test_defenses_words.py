"""What is said of defences, from rows made by hand: small, empty, huge and negative figures."""

import pytest

from miajax.studies.defenses import words
from miajax.studies.defenses.results import Row
from tests.studies.made import made


def _row(name, cost=0.0, named=0.1, change=(-0.3, -0.2), *, seconds=1.0, gain=(0.0, (-0.01, 0.01)), **more):
    top = {"named": {"0.01": named}, "named_ci": {"0.01": [named - 0.02, named + 0.02]}}
    moved = {"named": {"0.01": -0.25}, "named_ci_of_all": {"0.01": list(change)}}
    return {
        "defense": name, "title": name, "control": False, "stage": "training", "runtime_s": seconds,
        "threshold_auc": 0.52, "lira_naive": {"auc": 0.55},
        "accuracy_change": {"test": -cost, "test_ci": [-cost - 0.002, -cost + 0.002]},
        "lira_adaptive": {
            "auc": 0.6, "top_1pct": top, "top_1pct_change": moved, "now_most_vulnerable": None,
            "over_naive": {"auc": gain[0], "auc_ci": list(gain[1]), "auc_ci_of_all": list(gain[1])},
            "over_threshold": {"auc": 0.08, "auc_ci_of_all": [0.05, 0.11]},
        },
        **more,
    }  # fmt: skip


def _original(named=0.6, interval=(0.5, 0.7), seconds=1.0):
    row = _row("Original", named=named, change=(0.0, 0.0), seconds=seconds, stage="none")
    row["lira_adaptive"]["top_1pct"]["named_ci"]["0.01"] = list(interval)
    return row


def _of(say, rows):
    return say([made(Row, row) for row in rows])


def _plain(text):
    return text.replace("\u00a0", " ")


def test_a_defence_that_costs_73_points_is_a_trade_off_and_never_the_best():
    rows = [_original(), _row("cheap", 0.004, 0.3), _row("private", 0.73, 0.0, (-0.7, -0.5))]
    said = _plain(_of(words.defenses_finding, rows))
    assert said == (
        "Of 1 defence that costs at most 1.0 points of accuracy cheap protects best: an attacker who knows it names "
        "30.0 % of the most vulnerable members at 1 % false alarms, 60.0 % without defence. Accuracy changes by −0.40 "
        "points [−0.60, −0.20]. 1 other trades more accuracy for protection: private costs 73.0 points."
    )


def test_where_only_dear_defences_protect_none_is_crowned():
    rows = [_original(), _row("weak", 0.0, 0.6, (-0.1, 0.1)), _row("dear", 0.2), _row("dearer", 0.4)]
    said = _plain(_of(words.defenses_finding, rows))
    assert said.startswith("The 1 defence that costs at most 1.0 points of accuracy is not shown to protect")
    assert said.endswith("2 others trade more accuracy for protection: dear costs 20.0 points, dearer 40.0 points.")
    assert _of(words.ranking, rows).best is None
    assert _plain(_of(words.defenses_finding, [_original(), _row("dear", 0.2)])).startswith(
        "No defence costs 1.0 points"
    )


@pytest.mark.parametrize(("named", "interval"), [(0.0, (0.0, 0.05)), (0.02, (0.004, 0.09))])
def test_where_nothing_is_named_without_a_defence_none_is_ranked(named, interval):
    said = _plain(_of(words.defenses_finding, [_original(named, interval), _row("some", 0.0, 0.0)]))
    assert said.startswith(f"Without a defence an attacker names {words.numbers.percent(named)}".replace("\u00a0", " "))
    assert "not measurably more than chance" in said and "nothing here ranks defences" in said
    assert "protects best" not in said


def test_too_few_models_rank_nothing():
    row = _row("some")
    row["lira_adaptive"]["top_1pct_change"] = None
    assert _of(words.defenses_finding, [_original(), row]) == (
        "Too few models to tell what protects the most vulnerable examples."
    )
    assert _of(words.defenses_finding, [_original()]).startswith("Too few models")


def test_the_count_of_protecting_defences_is_those_within_the_loss():
    assert _of(words.lowering_finding, [_original(), _row("a"), _row("b", 0.3)]).startswith("1 of 2 defences lowers")
    assert _of(words.lowering_finding, [_original(), _row("b", 0.3)]).startswith("The 1 defence is not shown to lower")
    assert _of(words.lowering_finding, [_original(), _row("a", -0.02), _row("b", 0.01)]).startswith(
        "2 of 2 defences lower"
    )


def test_knowing_a_defence_is_judged_by_the_paired_difference():
    assert _of(words.knowledge_finding, [_original(), _row("a")]) == (
        "Knowing a defence is not shown to gain the attacker anything; up to 0.010 of AUC would go unseen"
    )
    said = _of(words.knowledge_finding, [_original(), _row("a", gain=(0.05, (0.04, 0.06)))])
    assert said.endswith("one who does gets 0.600 (paired difference +0.050 [+0.040, +0.060])")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1.02, "The dearest to train is slow: 1.02 s a model, about as much as what training without defence takes"),
        (1.5, "The dearest to train is slow: 1.50 s a model, 1.5 times what training without defence takes"),
        (2400.0, "The dearest to train is slow: 40 min 0 s a model, 2,400 times what training without defence takes"),
        (0.5, "The dearest to train is original: 1.00 s a model; no defence takes longer than none"),
    ],
)
def test_the_price_is_never_one_time_the_undefended(seconds, said):
    assert _plain(_of(words.price_finding, [_original(), _row("slow", seconds=seconds)])) == said


def test_without_times_there_is_no_price():
    rows = [_original(seconds=None), _row("a", seconds=None)]
    assert _of(words.price_finding, rows) == "No training was timed: all models were there"
