"""How surely an audit catches private training that is broken, and how often it accuses one that is not.

    python -m benchmarks.audit_power [--seed SEED] [--json FILE] [--quick]

The MLP of digits is trained privately (clipping norm .4, learning rate .2, 40 epochs), and so are three versions that
claim its epsilon: one forgets the noise, one forgets to clip, one divides the noise by its number of microbatches (32,
of two examples each). For each version, 20 seeds are audited, each by itself, in one run, with out-of-distribution
canaries; 32 other models of the version are references. A seed is caught where its lower bound at 95 % exceeds the
promise. All seeds of all versions are one ensemble. The setting (canaries, clipping norm, learning rate, epochs) was
chosen on the campaigns of seeds 0 to 4; power is measured on others.
"""

import time
from pathlib import Path

import numpy as np

from benchmarks import _flags
from benchmarks._broken_mechanisms import canary_signals, versions
from benchmarks._rows import Row, print_rows, write_json
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.privacy import PrivacyFlags
from miajax.data.registry import DataOptions
from miajax.models.registry import ModelOptions
from miajax.studies.audit.study import audit
from miajax.training.devices import use_cpu_cores_as_devices
from miajax.training.recipe import Recipe

SEEDS, REFERENCES, MICROBATCHES = 20, 32, 32
CANARIES, KIND = 800, "out_of_distribution"
EPSILON, CLIP_NORM, LEARNING_RATE, EPOCHS = 0.5, 0.4, 0.2, 40
SIGNIFICANCE = 0.05


def main(json: Path | None = None, quick: bool = False, seed: int = 11) -> None:
    """Audits right and broken mechanisms.

    Args:
      json: where to write the rows.
      quick: 5 seeds and 16 references.
      seed: of the campaign: its initial weights, batches, noise, canaries and who is a member.
    """
    use_cpu_cores_as_devices()
    begin = time.perf_counter()
    found = bounds(5 if quick else SEEDS, 16 if quick else REFERENCES, setup(seed))
    seconds = time.perf_counter() - begin
    rows = []
    for name, lower in found.items():
        caught = float((lower > EPSILON).sum())
        rows.append(Row(f"{name}: caught of {len(lower)}", "seeds", [caught], {}, name != "correct"))
        rows.append(Row(f"{name}: lower bound on epsilon, promised {EPSILON:g}", "epsilon", list(lower)))
    rows.append(Row("the whole, compilation included", "s", [seconds]))
    print_rows(f"Audit of right and broken mechanisms, digits, campaign of seed {seed}", rows)
    if json:
        write_json(json, rows)


def setup(seed: int = 0) -> Setup:
    """The digits recipe under the promise, with canaries in its pool."""
    return Setup.of(
        CampaignConfig(
            dataset="digits", data=DataOptions(canaries=CANARIES, canary_kind=KIND),
            model="mlp", model_options=ModelOptions(widths=(128,)),
            recipe=Recipe(epochs=EPOCHS, batch_size=64, learning_rate=LEARNING_RATE, momentum=0.9, schedule="cosine"),
            split="bernoulli", seed=seed,
            privacy=PrivacyFlags(dp_epsilon=EPSILON, dp_clip_norm=CLIP_NORM, dp_reproducible_noise=True),
        )
    )  # fmt: skip


def bounds(seeds: int, references: int, campaign: Setup | None = None) -> dict[str, np.ndarray]:
    """Each seed's lower bound on epsilon, ``{version: float64[seeds]}``."""
    campaign = campaign or setup()
    delta = campaign.mechanisms[0].delta
    found = {}
    for name, (signal, member) in canary_signals(campaign, versions(MICROBATCHES), references + seeds).items():
        result = audit(signal, member, seeds, delta, EPSILON, SIGNIFICANCE)
        found[name] = np.array([entry.epsilon_lower for entry in result.per_model])
    return found


if __name__ == "__main__":
    _flags.call(main)
