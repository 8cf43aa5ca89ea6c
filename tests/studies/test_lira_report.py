import dataclasses
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from miajax.notes import noted
from miajax.report.attack_faces import face
from miajax.studies.attacked.evidence import Evidence
from miajax.studies.lira.page import lira_roc_figure, render_lira_report
from tests.report import fixtures
from tests.report.fixtures import HOSTILE
from tests.report.folded import folded_numbers
from tests.report.html import Document


@pytest.fixture(scope="module")
def inputs():
    return fixtures.simulated_inputs()


@pytest.fixture(scope="module")
def document(inputs):
    return Document(render_lira_report(inputs))


def _with_hostile_names(inputs):
    named = dataclasses.replace(inputs, class_names=[HOSTILE] * 10)
    return fixtures.with_found(fixtures.with_head(named, dataset=HOSTILE, model=HOSTILE), notes=(HOSTILE,))


_AWKWARD = {
    "hostile names": _with_hostile_names,
    "failed models": lambda inputs: fixtures.with_failures(inputs, [3, 7]),
    "one target": lambda inputs: fixtures.for_one_target(inputs, 5),
    "nothing measured": fixtures.with_nothing_measured,
    "no pictures": lambda inputs: dataclasses.replace(inputs, pictures=None),
    "redacted": lambda inputs: dataclasses.replace(inputs, redacted=True),
    "tiny": lambda inputs: fixtures.simulated_inputs(4, 24, seed=3),
    "many queries": lambda inputs: dataclasses.replace(inputs, signals=np.repeat(inputs.signals, 18, axis=2)),
    "another main attack": lambda inputs: dataclasses.replace(inputs, main_attack="global_threshold"),
}


@pytest.fixture(scope="module", params=list(_AWKWARD))
def any_document(request, inputs):
    return Document(render_lira_report(_AWKWARD[request.param](inputs)))


def test_any_report_is_self_contained_and_whole(any_document):
    assert "script" not in any_document.tags
    for tag, name, value in any_document.attributes:
        if name in ("src", "href"):
            citation = tag == "a" and value.startswith("https://arxiv.org/abs/")
            assert citation or value.startswith(("data:image/", "#")), value
    for kind, content in any_document.pictures():
        if kind == "image/svg+xml":
            text = content.decode()
            assert not re.search(r"(href|src)\s*=\s*\"(?!#)", text)
            assert "nan" not in " ".join(path.get("d", "") for path in ElementTree.fromstring(text).iter())
        else:
            assert content.startswith(b"\x89PNG") and content.endswith(b"IEND\xaeB`\x82")
    assert all(value for tag, name, value in any_document.attributes if (tag, name) == ("img", "alt"))


def test_no_report_says_none_or_nan_or_gives_a_verdict(any_document):
    assert not re.search(r"\b(None|nan|inf)\b", any_document.text.replace("None of", ""))
    assert not re.search(r"\b1\.0 times|100\.0.%", any_document.text)
    assert "lower bound on leakage, not a proof of safety" in any_document.text
    assert not re.search(r"\b(passed|failed|compliant|certified)\b", any_document.text, re.IGNORECASE)


def _numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", cell)]


def test_every_number_of_the_attack_table_appears(inputs, document):
    for attack, figures in inputs.found.figures.items():
        entry = figures.to_json()
        rows = [row for row in document.rows if row[0] == face(attack).label and len(row) == 8]
        for row, source in zip(rows, (entry, entry["per_target"]), strict=True):
            tprs, intervals = source["tpr_at_fpr"], source["tpr_at_fpr_ci"]
            expected = [
                *([source[name], *source[f"{name}_ci"]] for name in ("auc", "balanced_accuracy", "advantage")),
                *([tprs[fpr], *(intervals[fpr] or [])] for fpr in ("0.0001", "0.001", "0.01")),
                [source["tpr_at_zero_fp"], *source["tpr_at_zero_fp_ci"]],
            ]
            for cell, values in zip(row[1:], expected, strict=True):
                if values == [None]:
                    assert cell.startswith("–")
                else:
                    np.testing.assert_allclose(_numbers(cell), values, rtol=0.05, atol=6e-4)


def test_nulls_are_footnoted_with_the_number_of_non_members(document):
    text = document.text
    assert "Not resolvable: 200 non-members cannot show a false-positive rate of 0.001." in text


def test_a_missing_number_is_explained_by_what_kept_the_attack_from_running(inputs):
    changed = fixtures.with_found(inputs, attacks_not_run={"rmia_online": "needs 64 models"})
    evidence = Evidence(changed)
    assert evidence.figures("rmia_online").auc.reason == "Not run: it needs 64 models."
    assert evidence.figures("rmia_offline").tpr(0.001).reason == "Not computed in this run."
    assert evidence.figures("lira_online").auc.reason == ""


def test_a_redacted_report_shows_neither_pictures_nor_labels(inputs):
    redacted = Document(render_lira_report(dataclasses.replace(inputs, redacted=True, class_names=["ladybird"] * 10)))
    assert all(kind == "image/svg+xml" for kind, _ in redacted.pictures())
    assert "ladybird" not in redacted.text
    assert "--show_records" in redacted.text
    assert "Example " in redacted.text


def test_records_that_may_be_shown_are_shown(document):
    assert sum(kind == "image/png" for kind, _ in document.pictures()) == 16


def test_the_extreme_examples_are_named(inputs, document):
    order = np.argsort(inputs.vulnerability)
    for example in (*order[:8], *order[-8:]):
        assert f"Example {example}" in document.text


def test_among_equally_exposed_examples_the_farthest_apart_comes_first(inputs):
    apart = {11: 3.0, 5: 9.0, 8: 6.0}
    signals, vulnerability = inputs.signals.copy(), np.full_like(inputs.vulnerability, 0.5)
    for example, distance in apart.items():
        signals[:, example, 0] = distance * inputs.membership[:, example] + 0.1 * signals[:, example, 0]
        vulnerability[example] = 1.0
    tied = dataclasses.replace(inputs, signals=signals, vulnerability=vulnerability)
    named = re.findall(r"Example (\d+)", Document(render_lira_report(tied)).text)
    assert named[:3] == ["5", "8", "11"]


def test_failed_models_are_named_and_counted_out(inputs):
    text = Document(render_lira_report(fixtures.with_failures(inputs, [3, 7]))).text
    assert "2 of 32 models did not train well" in text
    assert "2 models that did not train well: 3, 7." in text
    assert "What 30 models give away" in text


def test_attacks_that_did_not_run_are_named_with_their_reason(inputs):
    changed = fixtures.with_found(inputs, attacks_not_run={"rmia_online": "needs 64 models"})
    document = Document(render_lira_report(changed))
    assert ["RMIA online", "Needs 64 models."] in document.rows
    assert re.search(r"Not requested in this run: [^.]*quantile regression", document.text)


def test_the_summary_turns_with_the_numbers(inputs):
    leaky, safe = (0.05, [0.045, 0.055]), (0.001, [0.0004, 0.0016])
    for attack, figures, equal, expected in (
        ("lira_online", leaky, [], "Of 5 attacks LiRA online is strongest and names 5.0 % of the members at one false"),
        ("lira_online", leaky, [], "Paired differences say that none of the other 4 is as strong."),
        ("lira_offline", leaky, ["lira_online"], "these may be as strong: LiRA online."),
        ("global_threshold", leaky, [], "Of 5 attacks global threshold is strongest and names 5.0 % of the members"),
        ("lira_online", safe, [], "None of 5 attacks does measurably better than chance at one false alarm per"),
        ("lira_online", safe, [], "for LiRA online, a leak of up to 0.16 % would go unseen"),
    ):
        text = Document(render_lira_report(fixtures.with_lead(inputs, attack, *figures, equal))).text
        assert expected in text


def test_how_to_reproduce_is_said(inputs, document):
    text = document.text
    assert inputs.command in text
    assert inputs.manifest["fingerprint"] in text
    assert ["data_sha256", inputs.manifest["data_sha256"]] in document.rows
    assert ["recipe.momentum", "0.9"] in document.rows
    assert ["jax", "0.10.2"] in document.rows
    assert ["Training", "4.62 s", "41.0 %"] in document.rows


def test_one_target_is_named_and_its_intervals_claim_nothing_about_models(inputs):
    text = Document(render_lira_report(fixtures.for_one_target(inputs, 5))).text
    assert "The target is model 5; the others are its shadows." in text
    assert "one target says nothing about how models vary" in text
    assert "let both models and examples vary" not in text


def test_the_roc_for_the_run_folder_shows_every_attack(inputs):
    legend = lira_roc_figure(inputs).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["chance", *(face(name).label for name in inputs.rocs)]


def test_notes_on_the_whole_run_stand_before_notes_on_attacks(inputs):
    notes = [noted("{} scores are missing.", 3, about=["lira_offline"]), "The data set is synthetic."]
    text = Document(render_lira_report(fixtures.with_found(inputs, notes=tuple(notes)))).text
    assert text.index(notes[1]) < text.index("Notes on the attacks") < text.index(notes[0])


def test_luck_is_not_called_exposure():
    rng = np.random.default_rng(0)
    plain = fixtures.simulated_inputs(64, 2000)
    membership = plain.membership
    signals = rng.standard_normal(membership.shape)
    ranks = signals.argsort(axis=0).argsort(axis=0)
    num_in = membership.sum(axis=0)
    above = (ranks * membership).sum(axis=0) - num_in * (num_in - 1) / 2
    aucs = above / (num_in * (64 - num_in))
    evidence = Evidence(dataclasses.replace(plain, vulnerability=aucs))
    assert evidence.exposed.sum() <= 5  # about one of 2,000 harmless examples is expected
    np.testing.assert_allclose(np.median(evidence.luck), aucs.std(), rtol=0.05)


def test_headings_speak_of_nothing_that_is_folded_away(inputs):
    assert folded_numbers(render_lira_report(inputs)) == []


def test_the_check_for_folded_figures_sees_them():
    folded = "<section><h2>An AUC of 0.61</h2><p>More</p><details><p>0.61</p></details></section>"
    assert folded_numbers(folded) == [("An AUC of 0.61", "0.61")]
    assert folded_numbers(folded.replace("More", "0.61")) == []
