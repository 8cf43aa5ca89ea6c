"""A disk that fills up stops a campaign cleanly, wherever it is met, and costs no bit of what is finished later."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from miajax.campaign import runner as campaign_module
from miajax.campaign.config import Setup
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from miajax.runs.folder import RunFolder
from tests.runs.kills import tiny

SIZES = 10


def mount(place: Path, size: int, *options: str) -> bool:
    """A disk of so many bytes."""
    told = ",".join([*options, f"size={size}"])
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", told, "tmpfs", place], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    if not mount(place, 1 << 16):
        pytest.skip("it takes the right to mount a disk of one's own")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def everything(path: Path) -> dict[str, bytes]:
    run = RunFolder.open(path)
    run.verify_all(12)
    found = {
        kind: run.gather(kind, 12).tobytes() for kind in ("signals", "correct", "valid", "training_loss", "logits")
    }
    return found | {name: (path / name).read_bytes() for name in ("signals.npy", "membership.npy", "labels.npy")}


@pytest.mark.slow
def test_a_disk_of_any_size_stops_a_campaign_with_one_line_and_the_rest_gives_the_same_bits(disk, monkeypatch):
    setup: Setup = tiny()
    setup = Setup.of(dataclasses.replace(setup.config, checkpoint_minutes=10.0), setup.dataset)
    assert mount(disk, 1 << 26, "remount")
    run_campaign(setup, disk / "whole")
    reference, need = everything(disk / "whole"), shutil.disk_usage(disk).used
    shutil.rmtree(disk / "whole")
    monkeypatch.setattr(campaign_module, "with_space_for", lambda *_: None)  # what it refuses never gets so far
    met = []
    for size in range(SIZES):
        path = disk / str(size)
        assert mount(disk, max(16384, need * (size + 1) // (SIZES + 1)), "remount")
        with pytest.raises(UserError, match=r"no space left on the disk while writing|No space left on device") as told:
            run_campaign(setup, path)
        assert "\n" not in str(told.value)
        met.append(sum(map(len, RunFolder(path).done())))
        assert mount(disk, 8 * need, "remount")
        run_campaign(setup, path)
        assert everything(path) == reference
        shutil.rmtree(path)
    print(f"{SIZES} sizes of a disk, {need} bytes needed: models finished when it was full {met}")
    assert len(set(met)) > 1


@pytest.mark.slow
def test_what_is_known_not_to_fit_is_refused_with_need_and_room(disk):
    assert mount(disk, 1 << 16, "remount")
    with pytest.raises(
        UserError, match=r"needs \d+\.\d\d kB for .* and the disk has \d+\.\d\d kB free.*Free some space"
    ):
        run_campaign(tiny(), disk / "run")
    assert not (disk / "run").exists()
