"""Everything in miniature: parts, failures, resuming, and reports that open in a browser without a fault."""

import json
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from experiments import reproduce
from miajax.campaign.config import Setup
from miajax.campaign.interrupt import Stopped
from miajax.errors import UserError
from miajax.studies.defenses.results import Defenses
from miajax.studies.paper_tables import SOURCE, TABLES
from miajax.studies.published import beside_published
from miajax.studies.reproduce import study
from miajax.studies.reproduce.study import ReproduceOptions, reproductions, run_reproduce
from miajax.studies.results import FoundResult
from tests.experiments.test_attacks_command import main
from tests.report.browser import opened
from tests.report.html import Document
from tests.studies.made import made

SLOW = pytest.mark.slow  # mostly compiling; continuous integration runs them
PARTS = ("lira", "saliency")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce") / "out"
    patch = pytest.MonkeyPatch()

    def breaks(*_):
        raise RuntimeError("no more paper")

    patch.setitem(study.PARTS, "overfitting", breaks)
    flags = ("--miniature", "True", "--campaigns", "digits", "--parts", *PARTS, "overfitting", "--out", str(folder))
    assert main(patch, reproduce, *flags) == 0
    patch.undo()
    return folder, json.loads((folder / "results.json").read_text())


@SLOW
def test_a_part_that_fails_is_named_and_the_others_go_on(finished):
    folder, results = finished
    parts = results["campaigns"]["digits"]["parts"]
    assert {name: part["status"] for name, part in parts.items()} == {
        "lira": "done",
        "saliency": "done",
        "overfitting": "failed",
    }
    assert "no more paper" in parts["overfitting"]["reason"]
    document = Document((folder / "report.html").read_text())
    assert "no more paper" in document.text
    links = {value for tag, name, value in document.attributes if (tag, name) == ("a", "href")}
    for part in PARTS:
        assert parts[part]["report"] in links and (folder / parts[part]["report"]).is_file()


@SLOW
def test_finished_parts_are_left_as_they_are(finished, monkeypatch):
    folder, results = finished
    called = []
    for part in study.PARTS:
        monkeypatch.setitem(study.PARTS, part, lambda *_, part=part: called.append(part) or 1 / 0)
    options = ReproduceOptions(miniature=True, campaigns=("digits",), parts=(*PARTS, "overfitting"))
    again = run_reproduce(folder, options).results
    assert called == ["overfitting"]
    for part in PARTS:
        assert again["campaigns"]["digits"]["parts"][part] == results["campaigns"]["digits"]["parts"][part]


@SLOW
def test_reports_open_without_an_error_or_a_missing_picture(finished, tmp_path):
    folder, _ = finished
    for report in sorted(folder.rglob("report.html")):
        _, missing, errors = opened(report, tmp_path)
        assert not missing and not errors, f"{report}: {missing} {errors}"


@pytest.fixture
def ran(monkeypatch):
    """The parts that were run, as ``campaign/part: models``, each in place of the real one; ``"stop"`` interrupts."""
    done = []

    def part(name):
        def run(setup, path, options, *_):
            if f"{path.name}/{name}" in done:
                raise Stopped
            done.append(f"{path.name}/{name}: {setup.config.num_shadows}")
            folder = path / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "report.html").write_text("found")
            return FoundResult(folder, made(Defenses, {"not_run": {"dp_sgd": "batch norm"}}))

        return run

    for name in study.PARTS:
        monkeypatch.setitem(study.PARTS, name, part(name))
    monkeypatch.setattr(study, "finding_of", lambda result: f"{result.folder.name} found")
    return done


def reproduced(path, **options):
    return run_reproduce(path, ReproduceOptions(**{"campaigns": ("digits",), "parts": ("lira",), **options})).results


def test_a_part_asked_for_with_other_settings_is_run_again(ran, tmp_path):
    reproduced(tmp_path, num_shadows=16)
    reproduced(tmp_path, num_shadows=16)
    assert ran == ["digits/lira: 16"]
    reproduced(tmp_path)
    results = reproduced(tmp_path)
    assert ran == ["digits/lira: 16", "digits/lira: 256"]
    assert results["campaigns"]["digits"]["parts"]["lira"]["num_shadows"] == 256


def test_what_is_not_asked_for_stays_on_record_even_when_stopped(ran, tmp_path):
    reproduced(tmp_path, parts=("defenses", "lira"))
    ran.append("purchase_like/lira")  # its first part is interrupted
    with pytest.raises(Stopped):
        reproduced(tmp_path, campaigns=("purchase_like",))
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["campaigns"]["digits"]["parts"]) == {"lira", "defenses"}
    text = Document((tmp_path / "report.html").read_text()).text
    assert "lira found" in text and "defenses, dp_sgd: batch norm" in text


def test_a_folder_of_another_preset_or_of_the_whole_is_refused(ran, tmp_path):
    reproduced(tmp_path, miniature=True)
    with pytest.raises(UserError, match="miniature True"):
        reproduced(tmp_path)
    with pytest.raises(UserError, match="preset here"):
        reproduced(tmp_path, preset="paper", campaigns=("purchase100",), miniature=True)
    assert ran == ["digits/lira: 16"]


def test_a_data_set_that_is_not_there_is_told_before_anything_runs(ran, tmp_path):
    with pytest.raises(UserError, match="--data_path purchase100 PATH"):
        run_reproduce(tmp_path / "out", ReproduceOptions(preset="paper", campaigns=("purchase100",)))
    assert not ran and not (tmp_path / "out").exists()


def test_the_papers_campaigns_read_their_files_and_carry_its_defences():
    paths = {"purchase100": "p.npy", "cifar10": "c"}
    chosen = ReproduceOptions(preset="paper", data_path=paths).chosen()
    assert {of.campaign.dataset: of.campaign.data.data_path for of in chosen.values()} == paths
    assert all(of.campaign.data.pool == "all" and of.campaign.num_shadows == 64 for of in chosen.values())
    for name, members in (("purchase100", 157_859), ("cifar10_densenet", 50_000)):
        strengths = chosen[name].options("defenses").strengths
        theirs = TABLES[chosen[name].campaign.dataset, chosen[name].campaign.model]
        assert {"label_smoothing": strengths.smoothing} == theirs["label_smoothing"].settings
        assert {"dp_epsilon": strengths.private_epsilon} == theirs["dp_sgd"].settings
        assert strengths.further_epsilons == ()
        assert strengths.private_delta < 1 / members
        assert chosen[name].options("lira") is None
    small = ReproduceOptions(preset="paper", data_path=paths, miniature=True).chosen()["purchase100"].campaign
    assert (small.data.pool, small.data.max_examples, small.num_shadows) == ("all", 300, 16)


def test_the_papers_campaigns_can_be_compared_with_its_tables():
    """Nothing in a campaign speaks against it but the accuracy, which only training can tell."""
    paths = {"purchase100": "p.npy", "cifar10": "c"}
    chosen = ReproduceOptions(preset="paper", data_path=paths).chosen()
    for name, of in chosen.items():
        trainer = SimpleNamespace(optimizer=None)
        setup = Mock(spec=Setup, config=of.campaign, treatment=None, trainer=trainer)
        known = {"purchase100": 0.8754, "cifar10_densenet": 0.8791}[name]
        (entry,) = [e for e in beside_published(setup, known) if e.source == SOURCE]
        assert entry.comparable, entry.why_not
        carved = ReproduceOptions(preset="paper", data_path=paths, validation_fraction=0.1).chosen()[name]
        setup.config = carved.campaign
        (entry,) = [e for e in beside_published(setup, known) if e.source == SOURCE]
        assert entry.why_not == ("validation_fraction is 0.1, theirs 0.0",)
    assert chosen["cifar10_densenet"].options("defenses").strengths.private_norm == "group"
    assert all(of.campaign.validation_fraction == 0.1 for of in ReproduceOptions().chosen().values())


def test_campaigns_parts_and_data_sets_that_do_not_exist_are_told():
    with pytest.raises(UserError, match="atlantis is unknown"):
        ReproduceOptions(campaigns=("atlantis",))
    with pytest.raises(UserError, match="poem is unknown"):
        ReproduceOptions(parts=("poem",))
    with pytest.raises(UserError, match="--data_path imagenet is unknown"):
        ReproduceOptions(preset="paper", data_path={"imagenet": "x"})
    with pytest.raises(UserError, match="--validation_fraction 1"):
        ReproduceOptions(validation_fraction=1.0)
    assert set(reproductions("paper")) == {"cifar10_densenet", "purchase100"}


@pytest.mark.parametrize("campaigns", [3, {"digits": 1}, {"digits": {"parts": {"lira": "x"}}}])
def test_results_that_hold_something_else_are_refused(tmp_path, campaigns):
    asked = {"preset": "here", "miniature": False, "campaigns": campaigns}
    (tmp_path / "results.json").write_text(json.dumps(asked))
    with pytest.raises(UserError, match=r"does not hold what is read of it|the results hold no dataset"):
        run_reproduce(tmp_path, ReproduceOptions())


@SLOW
def test_the_page_shows_the_figures_of_its_parts_and_the_papers_numbers_beside_ours(finished):
    folder, _ = finished
    document = Document((folder / "report.html").read_text())
    shown = {content for _, content in document.pictures()}
    for part, least in (("", 1), ("saliency", 2)):
        own = {content for _, content in Document((folder / "digits" / part / "report.html").read_text()).pictures()}
        assert len(shown & own) >= least
    found = json.loads((folder / "digits" / "results.json").read_text())
    original = next(row for row in document.rows if row and row[0] == "original")
    theirs = TABLES["cifar10", "densenet_bc_100_12"]["original"]
    assert f"{found['train_accuracy']:.3f}" in original[1] and f"{theirs.train_accuracy:.4f}" == original[2]
    assert f"{found['attacks']['global_threshold']['auc']:.3f}" in original[5] and original[6] == "0.6027"
    assert "The data set is digits here, cifar10 there" in document.text
    assert ["paper: the most confident of one model", "0.0104", "0.0100"] in document.rows
