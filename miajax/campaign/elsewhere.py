"""The engine of models that were trained elsewhere: their answers are stored as a run, and nothing is trained here."""

import dataclasses
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from miajax.campaign.config import Setup
from miajax.campaign.estimators import EstimatorRunner
from miajax.campaign.gathered import Campaign
from miajax.campaign.progress import Reporter
from miajax.errors import UserError
from miajax.estimators.worker import Trained
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import array_hash
from miajax.training.plan import ExecutionPlan

_CELLS = 1 << 26  # answers of a group that are held in memory together
_LARGEST = 64  # models of a group
_NOT_CHECKED = (
    "The models were trained elsewhere, from a plan: that each trained on its rows and on nothing else is taken from "
    "whoever trained them."
)


class ElsewhereRunner(EstimatorRunner):
    """A campaign whose models were trained elsewhere.

    Args:
      setup, path, reporter: as for every campaign.
      returned: what came back of a model; None where all of them are in the run folder already.
      told: notes on what came back, which the run keeps.
    """

    failed_are = "Missing"

    def __init__(
        self,
        setup: Setup,
        path: Path,
        reporter: Reporter,
        returned: Callable[[int], Trained] | None = None,
        told: Sequence[str] = (),
    ):
        self._returned, self._told = returned, list(told)
        super().__init__(setup, path, reporter)

    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        dataset = self.setup.dataset
        fitting = max(1, min(_LARGEST, _CELLS // (dataset.num_examples * dataset.num_classes)))
        plan = ExecutionPlan(
            platform="elsewhere",
            device_kind="",
            instruction_set="",
            num_devices=1,
            parallel="shard_map",
            chunk=1,
            group=fitting,
            query_block=dataset.num_examples,
            precision="",
            jax="",
            jaxlib="",
            lowering="",
        )
        facts = {
            "plan": dataclasses.asdict(plan),
            "labels_sha256": array_hash(dataset.labels),
            "returned": self._told,
            "models": self.config.num_shadows,
            **facts,
        }
        folder = RunFolder.create(path, self.setup.identity(), facts)
        if self.config.num_shadows > (models := folder.manifest["models"]):
            raise UserError(
                f"--num_shadows {self.config.num_shadows}, and the {models} models of {path} were trained elsewhere",
                expected=f"at most {models}",
                remedy="A larger plan hands more models out: miajax plan",
            )
        return plan, folder, None

    def _execution(self) -> str:
        return "trained elsewhere"

    def _each(self, models: Sequence[int], stop: Callable[[], bool]) -> Generator[Trained, None, None]:
        for model in models:
            if stop():
                return
            if self._returned is None:
                raise UserError(
                    f"model {model} was trained elsewhere, and its answers are not in {self.folder.path}",
                    expected="a run that holds all its models",
                    remedy="Take them in again, into a new folder: miajax import_signals --plan",
                )
            yield self._returned(model)

    def _all_failed(self, group: Sequence[Trained] = ()) -> UserError:
        return UserError("no model came back with answers", expected="answers of at least one model")

    def _gathered(self) -> Campaign:
        campaign = super()._gathered()
        told = self.folder.manifest["returned"]
        notes = (*campaign.notes, *told, _NOT_CHECKED)
        # What the data set has for tests was nobody's to ask about.
        return dataclasses.replace(campaign, official_test_accuracy=None, notes=notes)
