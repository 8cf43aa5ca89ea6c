"""Are models of a finished run as accurate as PyTorch's by the same recipe? Accuracy on non-members, by model.

    python -m benchmarks.same_accuracy --run DIR [--models 5] [--json FILE]

PyTorch trains models of its own with the members of the run's models 0, 1, …: the same network and distribution of
initial weights, recipe and number of steps, other draws. What must lie within the 95 % interval (Student's t) of its
mean over models is the run's mean over the same models.
"""

from pathlib import Path

import numpy as np
from scipy.stats import t

from benchmarks import _flags
from benchmarks._rows import Row, print_rows, write_json
from benchmarks._workloads import Workload
from miajax.campaign.stored import stored_config
from miajax.runs.folder import RunFolder
from miajax.training.devices import usable_cores

UNIT = "fraction"


def main(run: Path, models: int = 5, json: Path | None = None, quick: bool = False) -> None:
    """Compares accuracies.

    Args:
      run: folder of a finished campaign of a network that PyTorch's side knows (``_torch_networks``).
      models: trained in PyTorch.
      json: where to write the rows.
      quick: refused: the recipe is the run's own.
    """
    if quick:
        raise SystemExit("--quick: PyTorch trains by the run's own recipe; name a shorter run, or fewer --models")
    from benchmarks._torch_rivals import ConvLoop

    config = stored_config(run)
    member = np.load(run / "membership.npy")[:models]
    correct = RunFolder.open(run).gather("correct", models)
    ours = np.where(member, False, correct).sum(1) / (~member).sum(1)
    job = ConvLoop(Workload(config.model, config, config.model), models, usable_cores())
    job.run()
    theirs = job.outcome().other_accuracy
    reach = t.ppf(0.975, models - 1) * theirs.std(ddof=1) / np.sqrt(models)
    low, high = theirs.mean() - reach, theirs.mean() + reach
    words = f"{config.dataset}, {config.model}, {config.recipe.epochs} epochs"
    rows = [
        Row(f"{words}: accuracy on non-members, by model", UNIT, list(ours), {"PyTorch": list(theirs)}, True),
        Row(
            "mean over these models, and the 95 % interval of PyTorch's", UNIT, [ours.mean()],
            {"from": [low], "to": [high]}, True,
        ),
    ]  # fmt: skip
    print_rows("Accuracy by the same recipe", rows)
    verdict = "within" if low <= ours.mean() <= high else "NOT within"
    print(f"ours {ours.mean():.4f} is {verdict} {low:.4f} to {high:.4f}")
    if json:
        write_json(json, rows)


if __name__ == "__main__":
    _flags.call(main)
