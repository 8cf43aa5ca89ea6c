"""The search for an execution plan: how long it takes and how near its choice comes to the best candidate.

    python -m benchmarks.tuner [--json FILE] [--quick]

Every network is tuned as a campaign would tune it; then the candidates that were tried are measured again, alternating,
and the speed of the choice is compared with the fastest of these. The rule that a campaign follows without trials is
judged the same way.
"""

import statistics
import time
from pathlib import Path

import jax
import numpy as np

from benchmarks import _flags
from benchmarks._rows import Row, print_rows, replace_part
from miajax.data.dataset import Dataset
from miajax.models.registry import build_model
from miajax.training.devices import use_cpu_cores_as_devices
from miajax.training.plan import choose_plan
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer
from miajax.training.tuner import Candidate, Measured, candidates, has_convolutions, tune

MODELS, ROUNDS = 256, 5
# network: example shape, classes, batch
NETWORKS = {
    "mlp": ((64,), 10, 64),
    "purchase_mlp": ((600,), 100, 256),
    "cnn": ((28, 28, 1), 10, 64),
    "resnet20": ((32, 32, 3), 10, 64),
}


def main(json: Path | None = None, quick: bool = False, only: str | None = None) -> None:
    """Judges the tuner.

    Args:
      json: where to write the rows; those of networks that are not judged now stay.
      quick: under a minute: the first network only.
      only: one network.
    """
    use_cpu_cores_as_devices()
    for name in [only] if only else list(NETWORKS)[: 1 if quick else None]:
        rows = judge(name)
        print_rows(f"Search for an execution plan: {name}", rows)
        if json:
            replace_part(json, name, rows, list(NETWORKS))


def training(name: str) -> tuple[Trainer, Dataset]:
    """A training of a network on noise; what it learns is no matter."""
    shape, classes, batch = NETWORKS[name]
    rng = np.random.default_rng(0)
    n = 2 * 16 * batch
    labels = rng.permutation(np.arange(n) % classes)
    features = rng.normal(size=(n, *shape)).astype(np.float32)
    if len(shape) == 3:
        features = rng.integers(0, 256, (n, *shape)).astype(np.uint8)
    dataset = Dataset(features, labels, classes, "noise")
    model = build_model(name, classes)
    recipe = Recipe(epochs=100, batch_size=batch, learning_rate=0.01)
    return Trainer(model, recipe, InputScaling.of(dataset), n // 2, False, shape, 0), dataset


def judge(name: str) -> list[Row]:
    """Time of the search, and how fast its choice and the rule's are against all that ran."""
    trainer, dataset = training(name)
    plan = choose_plan(trainer, dataset.num_examples, 1, dataset.num_classes)
    wanted = candidates(trainer, plan, MODELS)
    begin = time.perf_counter()
    trials = tune(trainer, dataset, plan, wanted, listen=lambda trial: print(trial.line(), flush=True))
    seconds = time.perf_counter() - begin
    # Those that came within a half of the winner could be the best after all.
    fastest = trials[0].steps_per_second or 0.0
    near = [t for t in trials if t.steps_per_second and t.steps_per_second > 0.5 * fastest]
    again = {(t.lowering, t.chunk): Measured(trainer, dataset, plan, Candidate(t.lowering, t.chunk)) for t in near}
    speeds: dict[tuple[str, int], list[float]] = {key: [] for key in again}
    for round_ in range(ROUNDS):
        for key in list(again)[:: 1 if round_ % 2 == 0 else -1]:
            speeds[key].append(again[key].speed())
    medians = {key: statistics.median(values) for key, values in speeds.items()}
    best = max(medians.values())
    choice, rule = (trials[0].lowering, trials[0].chunk), (plan.lowering, plan.chunk)

    def share(key: tuple[str, int]) -> list[float]:
        return [v / best for v in speeds[key]] if key in speeds else [0.0]

    kind = "lowerings and chunks" if has_convolutions(trainer) else "chunks"
    words = f"{name}, {jax.devices()[0].platform}"
    ranking = {f"{lowering} x chunks of {chunk}": values for (lowering, chunk), values in speeds.items()}
    chosen = "{} x chunks of {}".format(*choice)
    return [
        Row(f"{words}: search over {len(wanted)} {kind}", "s", [seconds]),
        Row(f"{words}: speed of the choice ({chosen}) against the best candidate", "fraction", share(choice)),
        Row(f"{words}: speed of the rule ({rule[0]} x chunks of {rule[1]}) against the best candidate", "fraction",
            share(rule)),
        Row(f"{words}: the choice, and others near it", "model-steps/s", speeds[choice],
            {k: v for k, v in ranking.items() if k != chosen}, True),
    ]  # fmt: skip


if __name__ == "__main__":
    _flags.call(main)
