"""TensorBoard's event files, written by a package that the user installed."""

import contextlib
import importlib
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast

from miajax.campaign.progress import Reporter, Terminal
from miajax.campaign.reporters import Several, SummaryWriter, ToTensorBoard
from miajax.errors import UserError
from miajax.typed import Json


class _EventFile:
    """A ``SummaryWriter`` on TensorBoard's own writer, whose public interface has no texts."""

    def __init__(self, folder: Path):
        def of(module: str) -> Any:
            return importlib.import_module(f"tensorboard.{module}")

        self._event = of("compat.proto.event_pb2").Event
        self._scalar, self._text = of("plugins.scalar.summary_v2").scalar_pb, of("plugins.text.summary_v2").text_pb
        self._writer = of("summary.writer.event_file_writer").EventFileWriter(str(folder))

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self._add(self._scalar(tag, scalar_value), global_step)

    def add_text(self, tag: str, text_string: str, global_step: int) -> None:
        self._add(self._text(tag, text_string), global_step)

    def _add(self, summary: Any, step: int) -> None:
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()


def summary_writer(folder: Path) -> Any:
    """A writer of event files: TensorBoard's own, else that of tensorboardX. Close it.

    Args:
      folder: where its files go, beside those that are there.

    Raises:
      UserError: neither package is installed.
    """
    with contextlib.suppress(ModuleNotFoundError):
        return _EventFile(folder)
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.import_module("tensorboardX").SummaryWriter(str(folder))
    raise UserError(
        f"--log_dir {folder}: neither tensorboard nor tensorboardX is installed",
        expected="one of them",
        remedy="pip install tensorboard, or leave --log_dir out",
    )


class Listeners:
    """Who hears of a command: the terminal, and TensorBoard where that was asked for.

    Attributes:
      reporter: of the campaign.
    """

    def __init__(self, writer: SummaryWriter | None):
        self._writer = writer
        self.reporter: Reporter = Terminal() if writer is None else Several(Terminal(), ToTensorBoard(writer))

    def found(self, results: Mapping[str, Any]) -> None:
        """Hands TensorBoard the figures of all attacks, those that there are."""
        if self._writer is None:
            return
        for attack, figures in _table(results, "attacks").items():
            rates = {f"tpr_at_fpr_{fpr}": rate for fpr, rate in _table(figures, "tpr_at_fpr").items()}
            for name, value in {"auc": figures.get("auc"), **rates}.items():
                if value is not None:
                    self._writer.add_scalar(f"attacks/{attack}/{name}", value, 0)


def _table(results: Mapping[str, Any], name: str) -> Json:
    return cast(Json, results.get(name) or {})


@contextlib.contextmanager
def listeners(log_dir: Path | None) -> Generator[Listeners]:
    """Who hears of a command, while it runs.

    Args:
      log_dir: folder of event files, or None for the terminal alone.

    Raises:
      UserError: no package here writes event files, or the folder cannot be written.
    """
    if log_dir is None:
        yield Listeners(None)
        return
    if log_dir.exists() and not log_dir.is_dir():
        raise UserError(f"--log_dir {log_dir} is a file", expected="a folder, new or not")
    with contextlib.closing(summary_writer(log_dir)) as writer:
        yield Listeners(writer)
