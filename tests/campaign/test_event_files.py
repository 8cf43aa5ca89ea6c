"""TensorBoard's event files: the real packages write them, and TensorBoard's own reader reads them."""

import sys

import pytest

from miajax.campaign.event_files import listeners, summary_writer
from miajax.cli.lira import run as lira
from miajax.errors import UserError

PACKAGES = ("tensorboard", "tensorboardX")


@pytest.fixture
def without(monkeypatch):
    """Hides packages, as if they were not installed."""

    def hide(*packages: str) -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in packages:
                monkeypatch.delitem(sys.modules, name)
        for name in packages:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


def test_without_a_package_the_command_ends_in_one_line_before_anything_is_trained(tmp_path, without, capsys):
    without(*PACKAGES)
    argv = ["--num_shadows", "2", "--log_dir", str(tmp_path / "log"), "--out", str(tmp_path / "run")]
    with pytest.raises(UserError, match=r"neither tensorboard nor tensorboardX is installed.*pip install tensorboard"):
        lira(argv)
    assert not list(tmp_path.iterdir()) and not capsys.readouterr().err


def test_a_file_is_no_folder_of_events(tmp_path):
    (tmp_path / "log").touch()
    with pytest.raises(UserError, match="is a file; expected a folder"), listeners(tmp_path / "log"):
        pass


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_written_is_read_by_tensorboard(tmp_path, package, without, monkeypatch):
    pytest.importorskip(package)
    without(*(set(PACKAGES) - {package}))
    figures = {"auc": 0.75, "tpr_at_fpr": {"0.001": 0.25, "0.0001": None}}
    with listeners(tmp_path) as heard:
        heard.reporter.say("4 models")
        heard.reporter.advance(1.0, 4, 2.5, 0.5)
        heard.reporter.advance(4.0, 4, 1.5, 0.75)
        heard.found({"attacks": {"lira_online": figures, "gap": {"auc": None}}})
    monkeypatch.undo()
    assert _read(tmp_path) == {
        "miajax/models": [1.0, 4.0], "miajax/loss": [2.5, 1.5], "miajax/training_accuracy": [0.5, 0.75],
        "attacks/lira_online/auc": [0.75], "attacks/lira_online/tpr_at_fpr_0.001": [0.25],
    }  # fmt: skip


def test_the_news_are_texts(tmp_path):
    pytest.importorskip("tensorboard")
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    writer = summary_writer(tmp_path)
    writer.add_text("miajax/news", "4 models", 0)
    writer.close()
    read = events.EventAccumulator(str(tmp_path))
    read.Reload()
    assert list(read.Tensors("miajax/news")[0].tensor_proto.string_val) == [b"4 models"]


def test_a_command_leaves_its_progress_and_the_figures_of_its_report(tmp_path):
    pytest.importorskip("tensorboard")
    argv = ["--num_shadows", "4", "--epochs", "1", "--max_examples", "200"]
    result = lira([*argv, "--log_dir", str(tmp_path / "log"), "--out", str(tmp_path / "run")])
    read = _read(tmp_path / "log")
    assert read["miajax/models"][-1] == 4.0
    found = result.results["attacks"]["lira_online_fixed"]["auc"]
    assert read["attacks/lira_online_fixed/auc"] == pytest.approx([found])


def _read(folder) -> dict[str, list[float]]:
    """Scalars by tag, in order, as TensorBoard reads them from either package's files."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    found: dict[str, list[float]] = {}
    (file,) = folder.iterdir()
    for event in loader.EventFileLoader(str(file)).Load():  # which brings old forms into the new one
        for value in event.summary.value:
            if value.tensor.float_val:
                found.setdefault(value.tag, []).append(value.tensor.float_val[0])
    return found
