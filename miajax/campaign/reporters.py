"""Listeners for library use: Python's logging, a notebook, TensorBoard, MLflow, Weights & Biases, or several at once.

Each implements ``Reporter`` (``say``, ``advance``, ``close``) and may be handed to whatever takes ``reporter=``. Those
that write for another tool take an object that the user made with that tool's own package: miajax needs none of them.
"""

import importlib
import logging
import time
from typing import Any, Protocol, runtime_checkable

from miajax.campaign.progress import Reporter, remaining


class ToLogging:
    """News and progress as log records.

    Args:
      logger: where they go; the logger ``miajax`` if None.
      interval: least seconds between two records of progress.
    """

    def __init__(self, logger: logging.Logger | None = None, interval: float = 10.0):
        self.logger, self.interval = logger or logging.getLogger("miajax"), interval
        self._begun: tuple[float, float] | None = None
        self._last = -float("inf")

    def say(self, line: str) -> None:
        self.logger.info("%s", line)

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        now = time.perf_counter()
        self._begun = self._begun or (now, done)
        if now - self._last < self.interval and done < total:
            return
        self._last = now
        _, left = remaining(done - self._begun[1], total - done, now - self._begun[0])
        self.logger.info(
            "%.0f/%d models, %s left, loss %.4f, training accuracy %.4f", done, total, left, loss, accuracy
        )

    def close(self) -> None:
        """Nothing is open."""


class ToNotebook:
    """One line of progress below the cell, rewritten in place; news stay above it. Needs IPython, as notebooks do."""

    def __init__(self):
        self._display = importlib.import_module("IPython.display").display
        self._handle: Any = None
        self._begun: tuple[float, float] | None = None

    def say(self, line: str) -> None:
        print(line)

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        now = time.perf_counter()
        self._begun = self._begun or (now, done)
        _, left = remaining(done - self._begun[1], total - done, now - self._begun[0])
        text = f"{done:.0f}/{total} models, {left} left, loss {loss:.4f}, training accuracy {accuracy:.4f}"
        shown = _Line(text, done / total)
        if self._handle is None:
            self._handle = self._display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self) -> None:
        self._handle = None


class _Line:
    """Progress as text, and as a bar where HTML is shown."""

    def __init__(self, text: str, share: float):
        self.text, self.share = text, share

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<progress value="{self.share:.4f}" max="1"></progress> {self.text}'


@runtime_checkable
class SummaryWriter(Protocol):
    """What ``ToTensorBoard`` needs of a writer: ``tensorboardX`` and ``torch.utils.tensorboard`` offer it."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any: ...

    def add_text(self, tag: str, text_string: str, global_step: int) -> Any: ...


class ToTensorBoard:
    """Loss and training accuracy over trained models, and news as text.

    Args:
      writer: a ``SummaryWriter`` of one's own package.
    """

    def __init__(self, writer: SummaryWriter):
        self.writer = writer
        self._step = self._news = 0

    def say(self, line: str) -> None:
        self.writer.add_text("miajax/news", line, self._news)
        self._news += 1

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        for tag, value in (("models", done), ("loss", loss), ("training_accuracy", accuracy)):
            self.writer.add_scalar(f"miajax/{tag}", value, self._step)
        self._step += 1

    def close(self) -> None:
        """The writer is its owner's to close."""


class ToWandb:
    """Loss and training accuracy over trained models, in a run that was begun by ``wandb.init``.

    Args:
      run: what ``wandb.init`` returned.
    """

    def __init__(self, run: Any):
        self.run = run

    def say(self, line: str) -> None:
        """News stay where they are printed: a run of W&B keeps numbers."""

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        self.run.log({"miajax/models": done, "miajax/loss": loss, "miajax/training_accuracy": accuracy})

    def close(self) -> None:
        """The run is its owner's to finish."""


class ToMlflow:
    """Loss and training accuracy over trained models, in the active run of MLflow.

    Args:
      mlflow: the module ``mlflow``, or whatever has its ``log_metrics``.
    """

    def __init__(self, mlflow: Any):
        self.mlflow = mlflow
        self._step = 0

    def say(self, line: str) -> None:
        """News stay where they are printed: a run of MLflow keeps numbers."""

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        figures = {"miajax/models": done, "miajax/loss": loss, "miajax/training_accuracy": accuracy}
        self.mlflow.log_metrics(figures, step=self._step)
        self._step += 1

    def close(self) -> None:
        """The run is its owner's to end."""


class Several:
    """Everything to every one of them."""

    def __init__(self, *reporters: Reporter):
        self.reporters = reporters

    def say(self, line: str) -> None:
        for reporter in self.reporters:
            reporter.say(line)

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        for reporter in self.reporters:
            reporter.advance(done, total, loss, accuracy)

    def close(self) -> None:
        for reporter in self.reporters:
            reporter.close()
