"""What private training would promise, without training: the epsilon of a noise, or the noise that an epsilon needs.

miajax epsilon --members 898 --batch_size 128 --epochs 100 --epsilon 8
"""

import dataclasses
import sys
from typing import Any

from miajax.cli import command
from miajax.described import described
from miajax.errors import UserError
from miajax.studies.invocation import Invocation
from miajax.training.dp.accounting import ACCOUNTANTS, Accountant, Sampling, has_bound
from miajax.training.dp.mechanism import Mechanism, Privacy, resolve
from miajax.training.recipe import Recipe


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    members: int
    """examples that the model trains on"""
    batch_size: int
    """examples of one step, in expectation"""
    epochs: int
    """passes over the members"""
    epsilon: float | None = None
    """budget of the whole training: the noise that it needs is printed"""
    noise_multiplier: float | None = None
    """standard deviation of the noise over the clipping norm, instead: the epsilon that it spends is printed"""
    delta: float = 1e-5
    """delta of the guarantee; below 1 / members"""
    sampling: Sampling = "poisson"
    """poisson: each member by itself, no sample ever cut; fixed_size: batches of equal size (replace-one adjacency)"""
    statistics_epsilon: float | None = None
    """of means and deviations of the inputs, released with noise beside --feature_bounds; composed with the training"""


def answer(flags: Flags, _: Invocation) -> dict[str, dict[str, Any]]:
    """Prints and returns ``{accountant: {noise_multiplier, epsilon}}``.

    An accountant by whose bound no noise meets the budget is not among them.
    """
    if flags.members < 1:
        raise UserError(f"--members {flags.members}", expected="1 or more examples")
    counts = _resolved(flags, "smaller")
    step, steps = counts.step, counts.steps
    print(
        f"{steps} steps of {step.batch_size} of {step.num_members} members (sampling rate {step.rate:.4g}), "
        f"delta {flags.delta:g}; {step.adjacency}"
    )
    if step.released is not None:
        print(
            f"statistics: noise multiplier {step.released:.4g}, epsilon {flags.statistics_epsilon:g} alone; "
            "composed with the steps in what follows"
        )
    found: dict[str, dict[str, Any]] = {}
    remarks: list[str] = []
    for accountant in ACCOUNTANTS:
        if not has_bound(step, accountant):
            continue
        try:
            mechanism = _resolved(flags, accountant)
        except UserError:  # the budget is out of this accountant's reach, though not of the other's
            print(f"{accountant}: no noise meets this budget by its bound")
            continue
        noise, bound = mechanism.step.noise_multiplier, mechanism.spent(steps)
        found[accountant] = {"noise_multiplier": noise, "epsilon": bound.epsilon}
        print(f"{accountant}: noise multiplier {noise:g}, epsilon {bound.epsilon:.4g}")
        remarks += [bound.remark] if bound.remark else []
    bound = counts.spent(steps)
    if len(found) > 1:
        print(
            f"both bounds hold; a training takes {bound.accountant}: noise multiplier {step.noise_multiplier:g}, "
            f"epsilon {bound.epsilon:.4g}"
        )
    if remarks:
        print(f"note: {' '.join(dict.fromkeys(remarks))}", file=sys.stderr)
    return found


def _resolved(flags: Flags, accountant: Accountant) -> Mechanism:
    recipe = Recipe(epochs=flags.epochs, batch_size=flags.batch_size)
    budget = (flags.epsilon, flags.noise_multiplier, flags.delta)
    try:
        privacy = Privacy(
            *budget,
            sampling=flags.sampling,
            overflow="microbatch",
            accountant=accountant,
            statistics_epsilon=flags.statistics_epsilon,
        )
        return resolve(privacy, recipe, flags.members, ragged=False)
    except UserError as error:
        raise UserError(str(error).replace("--dp_", "--")) from None  # a campaign's flags have a prefix


run = command.Command(
    "epsilon", __doc__, Flags, answer,
    why_not="It trains nothing; --epsilon, --delta and --sampling take no prefix dp_ here",
)  # fmt: skip
