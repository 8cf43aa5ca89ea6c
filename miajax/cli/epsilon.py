"""What private training would promise, without training: the epsilon of a noise, or the noise that an epsilon needs.

miajax epsilon --members 898 --batch_size 128 --epochs 100 --epsilon 8
"""

import dataclasses
from typing import Any, get_args

from miajax.cli import command
from miajax.errors import UserError
from miajax.studies.invocation import Invocation
from miajax.training.dp.accounting import Accountant, SampledGaussian, Sampling, has_bound
from miajax.training.dp.mechanism import Privacy, resolve
from miajax.training.recipe import Recipe


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


def answer(flags: Flags, _: Invocation) -> dict[str, dict[str, Any]]:
    """Prints and returns ``{accountant: {noise_multiplier, epsilon}}``."""
    if flags.members < 1:
        raise UserError(f"--members {flags.members}", expected="1 or more examples")
    recipe = Recipe(epochs=flags.epochs, batch_size=flags.batch_size)
    uncut = SampledGaussian(flags.sampling, flags.members, flags.batch_size, None, 1.0)
    try:
        mechanisms = [
            resolve(
                Privacy(
                    flags.epsilon, flags.noise_multiplier, flags.delta,
                    sampling=flags.sampling, overflow="microbatch", accountant=accountant,
                ),
                recipe, flags.members, ragged=False,
            )
            for accountant in get_args(Accountant) if has_bound(uncut, accountant)
        ]  # fmt: skip
    except UserError as error:
        raise UserError(str(error).replace("--dp_", "--")) from None  # a campaign's flags have a prefix
    step, steps = mechanisms[0].step, mechanisms[0].steps
    print(
        f"{steps} steps of {step.batch_size} of {step.num_members} members (sampling rate {step.rate:.4g}), "
        f"delta {flags.delta:g}; {step.adjacency}"
    )
    found = {}
    for mechanism in mechanisms:
        noise, spent = mechanism.step.noise_multiplier, mechanism.epsilon(steps)
        found[mechanism.accountant] = {"noise_multiplier": noise, "epsilon": spent}
        print(f"{mechanism.accountant}: noise multiplier {noise:g}, epsilon {spent:.4g}")
    return found


run = command.Command(
    "epsilon", __doc__, Flags, answer,
    why_not="It trains nothing; --epsilon, --delta and --sampling take no prefix dp_ here",
)  # fmt: skip
