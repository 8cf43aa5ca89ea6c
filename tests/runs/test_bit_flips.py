"""One flipped bit anywhere in a run folder is told, or changes no result."""

import dataclasses
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign import group_trainer, runner
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.interrupt import Stopped
from miajax.campaign.run import run_campaign
from miajax.campaign.stored import stored_config
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.runs.exports import export_run
from miajax.runs.folder import RunFolder
from miajax.studies.common import store_scores
from miajax.training.recipe import Recipe

MODELS = 16  # two groups on the eight devices of tests


def tiny() -> Setup:
    config = CampaignConfig(
        data=DataOptions(max_examples=60), num_shadows=MODELS, recipe=Recipe(epochs=2, batch_size=16), chunk=1, group=8,
        keep=("logits", "losses", "parameters"),
    )  # fmt: skip
    return Setup.of(dataclasses.replace(config, model_options=dataclasses.replace(config.model_options, widths=(8,))))


class StopWhenAsked:
    """In place of Ctrl-C: after so many looks."""

    def __init__(self, looks: int):
        self.looks = looks

    def __call__(self):
        return self

    def __enter__(self):
        return self.asked

    def __exit__(self, *_):
        return False

    def asked(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("flips") / "finished"
    campaign = run_campaign(tiny(), path)
    store_scores(path, {"global_threshold": np.asarray(campaign.signals[:, :, 0])})
    return path


@pytest.fixture(scope="module")
def half_finished(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("flips") / "half"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "asked_to_stop", StopWhenAsked(1))
        patch.setattr(group_trainer, "CALL_SECONDS", 1e-9)  # a call a step: it stops in the second group's first
        with pytest.raises(Stopped):
            run_campaign(tiny(), path)
    assert len(RunFolder(path).done()) == 1
    assert len(list(path.glob("checkpoints/in-progress-*/record.json"))) == 1
    return path


def everything(path: Path) -> dict[str, bytes]:
    """What a campaign and an export of it give, byte for byte."""
    campaign = run_campaign(Setup.of(stored_config(path)), path)
    kinds = ("signals", "correct", "valid", "training_loss", "logits", "losses")
    found = {kind: campaign.folder.gather(kind, MODELS).tobytes() for kind in kinds}
    return found | {"member": campaign.member.tobytes(), "assembled": campaign.signals.tobytes()}


def exported(path: Path) -> dict[str, bytes]:
    found = {}
    for layout in ("tf_privacy", "sklearn", "lira2021"):
        out = path.with_name(f"{path.name}-{layout}")
        shutil.rmtree(out, ignore_errors=True)
        export_run(path, layout, out)
        found |= {f"{layout}/{f.relative_to(out)}": f.read_bytes() for f in sorted(out.rglob("*.np[yz]"))}
    return found


def files_of(path: Path) -> list[Path]:
    return sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file() and file.name != ".locks")


def flipped(run: Path, to: Path, file: Path, bit: int) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(run, to)
    content = bytearray((to / file).read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    (to / file).write_bytes(content)
    return to


def told_or_equal(read, run: Path, reference) -> bool:
    """Whether the flip was told; fails where it was not and something is different."""
    try:
        found = read(run)
    except UserError:
        return True
    assert found == reference
    return False


def _of_each_kind(path: Path) -> list[Path]:
    """The first file of every name, so that a few flips meet every reader."""
    kinds = {(file.parts[0], file.name if len(file.parts) > 2 else ""): file for file in reversed(files_of(path))}
    return [file for file in kinds.values() if (path / file).stat().st_size]


def _few(path: Path) -> list[tuple[Path, int]]:
    draws = random.Random(0)
    return [(file, draws.randrange(8 * (path / file).stat().st_size)) for file in _of_each_kind(path)]


def _many(path: Path, count: int, seed: int) -> list[tuple[Path, int]]:
    draws, files = random.Random(seed), [file for file in files_of(path) if (path / file).stat().st_size]
    chosen = [draws.choice(files) for _ in range(count)]
    return [(file, draws.randrange(8 * (path / file).stat().st_size)) for file in chosen]


def test_a_flip_in_any_kind_of_file_is_never_exported(finished, tmp_path):
    reference, told = exported(finished), 0
    for file, bit in _few(finished):
        told += told_or_equal(exported, flipped(finished, tmp_path / "r", file, bit), reference)
    assert told >= 8


def test_a_flip_in_a_few_kinds_of_files_changes_no_campaign(finished, half_finished, tmp_path):
    reference = everything(shutil.copytree(finished, tmp_path / "whole"))
    chosen = (finished, "groups", "signals.npy"), (finished, "config.json", ""), (finished, "manifest.json", "")
    of_half = (half_finished, "checkpoints", "record.json"), (half_finished, "checkpoints", "d/")
    for run, top, last in (*chosen, *of_half):
        (file, bit), *_ = (
            flip for flip in _few(run) + _many(run, 60, 2)
            if str(flip[0]).startswith(top) and last in str(flip[0]) and (run is finished or "in-pro" in str(flip[0]))
        )  # fmt: skip
        told_or_equal(everything, flipped(run, tmp_path / "r", file, bit), reference)


@pytest.mark.slow
def test_flips_all_over_the_files_of_a_finished_and_a_half_finished_run_are_told_or_change_nothing(
    finished, half_finished, tmp_path, request
):
    """``--flips`` says how many."""
    flips = request.config.getoption("--flips")
    reference, out = everything(shutil.copytree(finished, tmp_path / "whole")), exported(finished)
    told = noted = 0
    for run, seed in ((finished, 0), (half_finished, 1)):
        for file, bit in _many(run, flips // 2, seed):
            copy = flipped(run, tmp_path / "r", file, bit)
            exported_told = run is finished and told_or_equal(exported, copy, out)
            told += told_or_equal(everything, copy, reference) or exported_told
            noted += (copy / "damaged").exists()
    print(f"{flips} flips: {told} refused, {noted} set aside and trained again, the others without effect")
    assert told + noted > flips // 2
