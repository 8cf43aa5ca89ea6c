"""Small campaigns on digits, in this process or in others."""

import dataclasses
import subprocess
import sys
from pathlib import Path

from miajax.campaign.config import CampaignConfig, Setup
from miajax.data.registry import DataOptions
from miajax.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


def small(num_shadows: int = 16, **changes) -> Setup:
    """Digits' first 300, 3 epochs."""
    config = CampaignConfig(
        dataset="digits",
        data=DataOptions(max_examples=300),
        num_shadows=num_shadows,
        recipe=Recipe(epochs=3, batch_size=32),
        chunk=2,
    )
    return Setup.of(dataclasses.replace(config, **changes))


def command(
    *flags: str, cwd: Path = ROOT, module: str = "experiments.lira", **options
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *flags],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def bits(folder: Path) -> dict[str, bytes]:
    """All that a campaign computes, byte for byte, in model order."""
    from miajax.runs.folder import RunFolder

    run = RunFolder.open(folder)
    total = sum(map(len, run.done()))
    kinds = ("signals", "correct", "valid", "training_loss", "logits")
    return {kind: run.gather(kind, total).tobytes() for kind in kinds}
