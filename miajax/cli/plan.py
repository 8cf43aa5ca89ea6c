"""A folder to hand to whoever trains models elsewhere: which model trains on which rows, and how to leave answers.

miajax plan --dataset table --data_path patients.csv --label_column diagnosis --num_shadows 64 --out plan
"""

import dataclasses
from pathlib import Path

from miajax.campaign.handover import Plan, campaign_of, hand_out
from miajax.cli import command
from miajax.data.registry import DataOptions
from miajax.data.splits import Split
from miajax.described import described
from miajax.runs.mounts import shown
from miajax.studies.invocation import Invocation


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    out: Path
    """new or empty folder to write"""
    dataset: str
    """data set that models are trained on"""
    data: DataOptions = dataclasses.field(default_factory=DataOptions)
    num_shadows: int = 64
    """M, models to be trained"""
    seed: int = 0
    """draws who is a member of which model"""
    split: Split = "fixed_size"
    """how members are drawn: fixed_size, balanced (complementary pairs) or bernoulli"""
    member_fraction: float = 0.5
    """share of the rows that each model trains on"""
    key_column: str | None = None
    """column of a table that names its rows: members are listed by it, too, and it is no feature"""


def write(flags: Flags, _: Invocation) -> Plan:
    """Writes the folder and prints what is to be done with it."""
    config = campaign_of(
        flags.dataset, flags.data, flags.num_shadows, flags.seed, flags.split, flags.member_fraction, flags.key_column
    )
    plan = hand_out(config, flags.out, flags.key_column)
    models, examples = plan.member.shape
    print(f"{models} models of {plan.member[0].sum()} members each, of {examples} rows and {len(plan.classes)} classes")
    print(shown(f"written: {plan.folder}; hand it over, README.md there says what to do"))
    print(shown(f"then:    miajax import_signals --plan {plan.folder} --out runs/{plan.folder.name}"))
    return plan


run = command.Command("plan", __doc__, Flags, write, why_not="It trains nothing: somebody else does, as the plan says")
