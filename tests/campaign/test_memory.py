"""A campaign's memory is that of a group, however many groups there are."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.progress import Silent
from miajax.campaign.run import run_campaign
from miajax.data.dataset import Dataset
from miajax.models.registry import ModelOptions
from miajax.runs.folder import RunFolder
from miajax.training.recipe import Recipe

EXAMPLES, CLASSES, GROUP, GROUPS = 5_000, 64, 8, 8  # a model on each of the devices that tests have
LOGITS = GROUP * EXAMPLES * CLASSES * 4  # bytes that a group leaves on disk
STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell a process its memory in /proc")


def anonymous() -> int:
    """Bytes that this process holds, without files that are mapped."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) << 10


class Peaks(Silent):
    """The most memory that was held while each group was trained, asked and stored."""

    def __init__(self):
        self.found: list[int] = []
        self._peak, self._done, self._over = 0, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._over.wait(0.005):
            self._peak = max(self._peak, anonymous())

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        if done // GROUP > self._done // GROUP:
            self.found.append(self._peak)
            self._peak = anonymous()
        self._done = done

    def close(self) -> None:
        self._over.set()
        self._thread.join()


def peaks(path: Path) -> list[int]:
    draws = np.random.default_rng(0)
    dataset = Dataset(draws.normal(size=(EXAMPLES, 3)).astype(np.float32), np.arange(EXAMPLES) % CLASSES)
    config = CampaignConfig(
        num_shadows=GROUP * GROUPS, group=GROUP, chunk=1, keep=("logits",), recipe=Recipe(epochs=1, batch_size=1250),
        model_options=ModelOptions(widths=(4,)),
    )  # fmt: skip
    told = Peaks()
    campaign = run_campaign(Setup.of(dataclasses.replace(config, dataset="made"), dataset), path, told)
    assert campaign.plan.group == GROUP and len(told.found) == GROUPS
    return told.found


def growth(found: list[int]) -> int:
    """From the groups after the first, which compiles, to the last ones."""
    return min(found[-2:]) - max(found[1:4])


def test_peak_memory_does_not_grow_with_the_number_of_groups(tmp_path):
    assert growth(peaks(tmp_path / "run")) < LOGITS


def test_the_measure_sees_groups_that_are_held(tmp_path, monkeypatch):
    held, save = [], RunFolder.save_group

    def holding(self, models, small, large, *args, **options):
        held.append([np.array(array) for array in large.values()])
        return save(self, models, small, large, *args, **options)

    monkeypatch.setattr(RunFolder, "save_group", holding)
    assert growth(peaks(tmp_path / "run")) > 2 * LOGITS
