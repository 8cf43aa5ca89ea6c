"""Studies of a run whose members are people: figures by person beside those by row, against plain NumPy."""

import json

import numpy as np
import pytest

from miajax.attacks.registry import run_attacks
from miajax.campaign.epochs import EpochTraces
from miajax.metrics.json_form import from_json, to_json
from miajax.signals.bundle import Signals
from miajax.studies.defenses.results import Defenses
from miajax.studies.defenses.study import DefensesOptions, run_defenses
from miajax.studies.low_budget.study import LowBudgetOptions, disjoint_sets, run_low_budget
from miajax.studies.overfitting.epochs import ATTACKS, FPRS
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.overfitting.study import run_overfitting
from miajax.studies.saliency.results import Saliency
from miajax.studies.saliency.study import SaliencyOptions, run_saliency
from tests.schema import breaches
from tests.studies.people import PEOPLE, figures_of, forests, lira_by_hand, networks

JOINS = {"sum": np.nansum, "mean": np.nanmean, "max": np.nanmax}
TOGETHER = {"lira_online": "sum", "lira_online_fixed": "sum", "global_threshold": "mean", "gap": "mean"}


def stored(result):
    found = json.loads((result.folder / "results.json").read_text())
    assert not breaches(found)
    return found


def by_person(scores, groups, join):
    together = np.full((len(scores), groups.max() + 1), np.nan)
    for model, person in np.ndindex(together.shape):
        own = np.asarray(scores[model, groups == person], np.float64)
        if not np.isnan(own).all():
            together[model, person] = JOINS[join](own)
    return together


def first_rows(member, groups):
    return np.stack([member[:, groups == person][:, 0] for person in range(groups.max() + 1)], 1)


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    path = tmp_path_factory.mktemp("trees")
    setup = forests(path, group_column="patient", drop_columns=("site",), num_shadows=16)
    return run_low_budget(setup, path / "run", LowBudgetOptions(attacks=("global_threshold", "lira_online")))


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets")
    return networks(path, group_column="patient", drop_columns=("site",), num_shadows=16), path / "run"


@pytest.fixture(scope="module")
def epochs(nets):
    return run_overfitting(*nets)


@pytest.mark.parametrize(("attack", "join"), [("global_threshold", "mean"), ("lira_online", "sum")])
@pytest.mark.parametrize("budget", [8, 16])
def test_budgets_by_person_are_those_of_plain_numpy(trees, attack, join, budget):
    entry = stored(trees)["attacks"][attack]["budgets"][str(budget)]
    campaign = trees.campaign
    for name in JOINS:
        found: list[tuple[float, float]] = []
        for rows in disjoint_sets(campaign.valid, budget, 16):
            phi, member = np.asarray(campaign.signals[rows, :, 0], np.float64), campaign.member[rows]
            scores = phi if attack == "global_threshold" else _lira(campaign, rows)
            named = by_person(scores, campaign.setup.dataset.groups, name)
            found.append(
                figures_of(np.where(np.isnan(named), -np.inf, named), first_rows(member, campaign.setup.dataset.groups))
            )
        auc, tpr = np.mean(found, axis=0)
        assert entry["per_group"][name]["auc"] == pytest.approx(auc, abs=1e-6)
        assert entry["per_group"][name]["tpr_at_fpr"]["0.001"] == pytest.approx(tpr, abs=1e-6)
    assert entry["per_group"]["headline"] == join and entry["per_group"]["num_groups"] == PEOPLE
    assert entry["per_group"]["auc"] == entry["per_group"][join]["auc"]


def _lira(campaign, rows):
    signals = Signals(campaign.signals[rows], campaign.correct[rows], campaign.setup.dataset.labels)
    member, everyone = campaign.member[rows], np.ones(len(rows), bool)
    scores = np.asarray(run_attacks(("lira_online",), signals, member, everyone)["lira_online"][0], np.float64)
    few = slice(0, 40)
    phi = np.asarray(campaign.signals[rows, few, 0], np.float64)
    with np.errstate(all="ignore"):
        by_hand = lira_by_hand(phi, member[:, few])
    known = np.isfinite(scores[:, few]) & np.isfinite(by_hand) & (np.abs(by_hand) < 1e4)
    np.testing.assert_allclose(scores[:, few][known], by_hand[known], rtol=2e-3, atol=2e-3)
    return scores


def test_budgets_recommend_by_person_and_say_what_rows_would(trees):
    found = stored(trees)
    for budget in ("8", "16"):
        there, best = found["attacks"], found["recommended"][budget]
        tprs = {name: of["budgets"][budget]["per_group"]["tpr_at_fpr"]["0.001"] for name, of in there.items()}
        by_auc = {name: of["budgets"][budget]["per_group"]["auc"] for name, of in there.items()}
        values = by_auc if None in tprs.values() else tprs
        assert best["attack"] == max(values, key=values.__getitem__) and best["unit"] == "group"
        assert best["by"] == ("auc" if values is by_auc else "tpr_at_fpr")
        assert best["by_row"]["attack"] in there
    page = (trees.folder / "report.html").read_text()
    for words in ("tested on groups instead of rows", "By group", "Finds the most"):
        assert words in page


def test_paired_differences_of_budgets_let_people_vary(trees):
    [each] = stored(trees)["differences"]["16"]
    group = each["per_group"]
    at = {name: of["budgets"]["16"]["per_group"]["auc"] for name, of in stored(trees)["attacks"].items()}
    assert group["auc"] == pytest.approx(at[each["attack"]] - at[each["minus"]], abs=1e-12)
    assert group["auc_ci"][0] < group["auc"] < group["auc_ci"][1]


def test_epochs_by_person_are_those_of_plain_numpy(epochs):
    found, campaign = stored(epochs), epochs.campaign
    groups, member = campaign.setup.dataset.groups, campaign.member
    traces, whole = EpochTraces(campaign.folder, len(campaign.valid)), first_rows(member, groups)
    assert set(found["attacks"]) == set(ATTACKS)
    for epoch in (1, 4, 6):
        phi, correct = traces.scaled_logit(epoch), traces.correct(epoch)
        signals = Signals(phi[:, :, None], correct, campaign.setup.dataset.labels)
        for attack, headline in TOGETHER.items():
            scores = phi if attack == "global_threshold" else correct.astype(float) if attack == "gap" else None
            if scores is None:
                scores = np.asarray(run_attacks((attack,), signals, member, campaign.valid)[attack][0])
            entry = found["attacks"][attack]["per_group"]
            assert entry["headline"] == headline and entry["auc"] == entry[headline]["auc"]
            for join in JOINS:
                for fpr in FPRS:
                    auc, tpr = figures_of(by_person(scores, groups, join), whole, fpr)
                    assert entry[join]["auc"][epoch - 1] == pytest.approx(auc, abs=1e-6)
                    assert entry[join]["tpr_at_fpr"][f"{fpr:g}"][epoch - 1] == pytest.approx(tpr, abs=1e-6)


def test_growth_and_early_stopping_are_told_by_person(epochs):
    found, main = stored(epochs), epochs.found.main_attack
    assert main.startswith("lira_online") and found["early_stopping"]
    curve, last = found["attacks"][main], len(found["epochs"]) - 1
    changes = [(of["change"], of["attacks"][main]["per_group"]["auc"], curve["per_group"]["auc"][last])
               for of in found["early_stopping"]["rules"].values()]  # fmt: skip
    if found["growth"]:
        since = found["growth"]["from_epoch"] - 1
        changes.append((found["growth"]["change"], curve["per_group"]["auc"][last], curve["per_group"]["auc"][since]))
    for change, here, there in changes:
        group, row = change["attacks"][main]["per_group"]["auc"], change["attacks"][main]["auc"]
        assert group["value"] == pytest.approx(here - there, abs=1e-9) and group["value"] != row["value"]
        assert group["ci"][0] <= group["value"] <= group["ci"][1]
    page = (epochs.folder / "report.html").read_text()
    for words in ("by group,", "By group", "Accuracy and loss count rows"):
        assert words in page
    assert to_json(from_json(Overfitting, found))["attacks"] == found["attacks"]


@pytest.fixture(scope="module")
def defended(nets):
    options = DefensesOptions(
        defenses=("drop", "drop_random"), flag_by="input_centroid_distance", flag_share=0.1
    )  # fmt: skip
    return run_defenses(*nets, options)


def test_defences_by_person_are_those_of_plain_numpy(defended, nets):
    setup, folder = nets
    groups, drawn = setup.dataset.groups, np.load(folder / "membership.npy")
    rows = {row["defense"]: row for row in stored(defended)["rows"]}
    for name, path in (("original", folder), ("drop", folder / "defenses" / "drop")):
        signals, member = np.load(path / "signals.npy"), np.load(path / "membership.npy")
        left = np.ones(len(groups), bool) if name == "original" else (member == drawn).all(0)
        assert left.all() == (name == "original")
        ran = run_attacks(
            [defended.found.lira], Signals(signals, signals[..., 0] > 0, setup.dataset.labels), member,
            np.ones(len(member), bool),
        )  # fmt: skip
        scores = np.where(left, np.asarray(ran[defended.found.lira][0]), np.nan)
        whole = np.stack([(member & left)[:, groups == each].any(1) for each in range(groups.max() + 1)], 1)
        entry = rows[name]["per_group"]
        for join in JOINS:
            auc, tpr = figures_of(by_person(scores, groups, join), whole, 0.01)
            assert entry[join]["lira_adaptive"]["auc"] == pytest.approx(auc, abs=1e-6)
            assert entry[join]["lira_adaptive"]["tpr_at_fpr"]["0.01"] == pytest.approx(tpr, abs=1e-6)
        assert entry["headline"][defended.found.lira] == "sum"
        assert entry["lira_adaptive"]["auc"] == entry["sum"]["lira_adaptive"]["auc"]


def test_defences_are_held_against_none_by_person(defended):
    found = stored(defended)
    original, dropped = (row["per_group"] for row in found["rows"][:2])
    change = dropped["lira_adaptive"]["change"]
    assert change["auc_ci"][0] < change["auc"] < change["auc_ci"][1]
    assert original["lira_adaptive"]["change"]["auc"] == 0 and len(found["most_vulnerable_groups"]) == 3
    assert original["lira_adaptive"]["top_1pct"]["num_examples"] == 3
    assert found["onion"]["per_group"]["rise"] is not None
    page = (defended.folder / "report.html").read_text()
    for words in ("by group", "By group", "Undefended: all groups"):
        assert words in page
    assert to_json(from_json(Defenses, found))["rows"] == found["rows"]


def test_saliency_has_means_over_people_beside_those_over_rows(nets):
    options = SaliencyOptions(methods=("gradient", "integrated_gradients"), compared=30, map_models=2, spread=200)
    result = run_saliency(*nets, options)
    found, groups = stored(result), result.campaign.setup.dataset.groups
    for of in found["methods"].values():
        assert of["deletion"]["per_group"]["vulnerable"] is not None
    shifts = found["counterfactual"]["gradient"]
    drawn = np.random.default_rng([0x5A11, result.campaign.setup.config.seed]).permutation(len(groups))[:200]
    assert shifts["per_group"]["num_examples"] <= len(np.unique(groups[drawn])) < shifts["num_examples"]
    page = (result.folder / "report.html").read_text()
    assert "each group weighs once on a side" in page and "all intervals resample groups" in page
    assert to_json(from_json(Saliency, found))["counterfactual"] == found["counterfactual"]
