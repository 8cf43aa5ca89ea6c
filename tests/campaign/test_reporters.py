"""Listeners of other tools: what each is told, and that it needs no package of ours."""

import logging
import sys
import types

import pytest

from miajax.campaign.progress import Reporter, remaining
from miajax.campaign.reporters import Several, ToLogging, ToMlflow, ToNotebook, ToTensorBoard, ToWandb


def _told(reporter: Reporter) -> None:
    reporter.say("digits: 4 models")
    reporter.advance(1.5, 4, 0.25, 0.75)
    reporter.advance(4.0, 4, 0.125, 1.0)
    reporter.close()


def test_logging_hears_news_and_the_first_and_last_progress(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "miajax"):
        _told(ToLogging())
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "digits: 4 models", "2/4 models", "4/4 models",
    ]  # fmt: skip


class _Writer:
    def __init__(self):
        self.scalars, self.texts = [], []

    def add_scalar(self, tag, scalar_value, global_step):
        self.scalars.append((tag, scalar_value, global_step))

    def add_text(self, tag, text_string, global_step):
        self.texts.append((tag, text_string, global_step))


def test_tensorboard_gets_a_step_an_advance():
    writer = _Writer()
    _told(ToTensorBoard(writer))
    assert ("miajax/loss", 0.25, 0) in writer.scalars and ("miajax/training_accuracy", 1.0, 1) in writer.scalars
    assert writer.texts == [("miajax/news", "digits: 4 models", 0)]


def test_wandb_logs_numbers_only():
    run = types.SimpleNamespace(logged=[])
    run.log = run.logged.append
    _told(ToWandb(run))
    assert [each["miajax/models"] for each in run.logged] == [1.5, 4.0]


def test_mlflow_logs_a_step_an_advance():
    logged = []
    module = types.SimpleNamespace(log_metrics=lambda figures, step: logged.append((step, figures["miajax/loss"])))
    _told(ToMlflow(module))
    assert logged == [(0, 0.25), (1, 0.125)]


def test_mlflows_own_file_store_holds_what_it_was_told(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # which newer versions ask for
    mlflow.set_tracking_uri(tmp_path.as_uri())
    mlflow.set_experiment("audits")
    with mlflow.start_run() as run:
        _told(ToMlflow(mlflow))
    told = mlflow.MlflowClient().get_metric_history(run.info.run_id, "miajax/training_accuracy")
    assert [(each.step, each.value) for each in told] == [(0, 0.75), (1, 1.0)]


def test_wandbs_own_offline_run_takes_what_it_is_told(tmp_path):
    wandb = pytest.importorskip("wandb")
    with wandb.init(mode="offline", dir=tmp_path, project="miajax") as run:
        _told(ToWandb(run))
        assert run.summary["miajax/training_accuracy"] == 1.0 and run.summary["miajax/models"] == 4.0


def test_several_hear_the_same():
    first, second = _Writer(), _Writer()
    _told(Several(ToTensorBoard(first), ToTensorBoard(second)))
    assert first.scalars == second.scalars and first.scalars


def test_a_notebook_shows_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    shown: list = []
    handle = types.SimpleNamespace(update=shown.append)

    def display(thing, display_id):
        shown.append(thing)
        return handle

    module = types.ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    _told(ToNotebook())
    assert len(shown) == 2 and "4/4 models" in repr(shown[1]) and 'value="1.0000"' in shown[1]._repr_html_()
    assert capsys.readouterr().out == "digits: 4 models\n"


@pytest.mark.parametrize(
    "done, left, seconds, says", [(0, 4, 3, "-"), (2, 2, 1, "1 s"), (1, 299, 1, "5 min"), (1, 9000, 1, "2.5 h")]
)
def test_time_left_is_said_as_people_say_it(done: float, left: float, seconds: float, says: str):
    assert remaining(done, left, seconds)[1] == says
