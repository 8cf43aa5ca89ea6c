"""One private mechanism: sampling, clipping, noise and their accounting, configured together and resolved once."""

import dataclasses
import math
from typing import Any, Literal, get_args

from miajax.described import described
from miajax.errors import UserError
from miajax.training.dp import accounting
from miajax.training.dp.accounting import Accountant, Bound, SampledGaussian, Sampling
from miajax.training.recipe import Recipe

Overflow = Literal["truncate", "microbatch"]
Unit = Literal["row", "group"]

NOT_COVERED = (  # whatever the data; Setup.told_by_preparation adds what was read off them before training
    "hyperparameters chosen by looking at the same data",
    "examples of the validation part, which early stopping looks at",
    "what is recorded of a training besides the parameters",
    "the generator of noise and samples, which is no cipher, and its key of 64 bits, which could be searched for",
    "floating-point arithmetic",
)


@described
@dataclasses.dataclass(frozen=True)
class Privacy:
    """Differential privacy as a user asks for it."""

    epsilon: float | None = None
    """budget of a whole training; the noise is calibrated to it. inf: clipping without noise"""
    noise_multiplier: float | None = None
    """standard deviation of the noise over the clipping norm, instead of a budget"""
    delta: float = 1e-5
    """delta of the guarantee; below 1 / members"""
    clip_norm: float = 1.0
    """norm that each example's gradient is cut to"""
    sampling: Sampling = "poisson"
    """poisson: each member by itself; fixed_size: batches of equal size, accounted as such (replace-one adjacency)"""
    overflow: Overflow = "truncate"
    """a Poisson sample larger than the slots is cut, and accounted so; or worked off in further microbatches"""
    slots: int | None = None
    """places of a Poisson batch; chosen so that cutting costs no measurable epsilon when not given"""
    microbatch: int | None = None
    """the most examples in memory at a time; a whole batch when not given"""
    augmentation_multiplicity: int = 1
    """views of each example whose gradients are averaged before clipping"""
    accountant: Accountant = "smaller"
    """whose bound counts: the smaller of both, or that of pld or rdp alone"""
    reproducible_noise: bool = False
    """derive noise and samples from the seed: for tests, not for release"""
    unit: Unit | None = None
    """what the guarantee is about: one row, or one group of rows such as a person, whose rows' mean gradient is clipped
    as one; then batch sizes, slots and steps count groups. Not given: groups where the data have them"""
    statistics_epsilon: float | None = None
    """standardise each model's inputs by means and deviations of its own members, released with noise at this epsilon
    and the same delta, beside public bounds; part of the budget"""

    def __post_init__(self):
        def need(ok: bool, flag: str, expected: str):
            if not ok:
                raise UserError(f"--dp_{flag} {getattr(self, flag)}", expected=expected)

        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise UserError(
                f"--dp_epsilon {self.epsilon} with --dp_noise_multiplier {self.noise_multiplier}",
                expected="exactly one of the two",
            )
        need(self.epsilon is None or self.epsilon > 0, "epsilon", "a positive budget, or inf")
        need(
            self.noise_multiplier is None or 0 <= self.noise_multiplier < math.inf,
            "noise_multiplier",
            "0 or more",
        )
        need(0 < self.delta < 1, "delta", "a probability in (0, 1)")
        need(0 < self.clip_norm < math.inf, "clip_norm", "a positive norm")
        need(self.sampling in get_args(Sampling), "sampling", " or ".join(get_args(Sampling)))
        need(self.overflow in get_args(Overflow), "overflow", " or ".join(get_args(Overflow)))
        need(self.accountant in get_args(Accountant), "accountant", " or ".join(get_args(Accountant)))
        need(self.slots is None or self.slots >= 1, "slots", "1 or more places")
        need(self.microbatch is None or self.microbatch >= 1, "microbatch", "1 or more examples")
        need(self.augmentation_multiplicity >= 1, "augmentation_multiplicity", "1 or more views")
        need(
            self.statistics_epsilon is None or 0 < self.statistics_epsilon < math.inf,
            "statistics_epsilon",
            "a positive epsilon, not infinite",
        )


@dataclasses.dataclass(frozen=True)
class Mechanism:
    """What really runs; made by ``resolve``.

    Attributes:
      step: one step as the accountant sees it.
      clip_norm: C.
      delta: of the epsilons it tells.
      accountant: whose bound counts.
      width: places of a sample in memory; under ``overflow="microbatch"`` one for every member.
      block: the most examples that are clipped at a time.
      views: augmentation multiplicity.
      steps: how many are planned.
      releasable: whether noise and samples come from a secret key.
      unit: what is sampled, clipped and accounted for: rows, or groups of them. Members, batches, slots and places are
        counted in it.
      rows: of the largest group; 1 where the unit is a row.
      statistics_epsilon: that statistics of the inputs alone spend at ``delta``, or None where there are none; the
        accountant composes them with the steps.
    """

    step: SampledGaussian
    clip_norm: float
    delta: float
    accountant: Accountant
    width: int
    block: int
    views: int
    steps: int
    releasable: bool
    unit: Unit = "row"
    rows: int = 1
    statistics_epsilon: float | None = None

    @property
    def adjacency(self) -> str:
        """Between which data sets the guarantee compares, in its unit."""
        return self.step.adjacency.replace("example", "group") if self.unit == "group" else self.step.adjacency

    def spent(self, steps: int) -> Bound:
        """What ``steps`` steps have spent at ``delta``, their number fixed beforehand, and by whose account."""
        return accounting.spent(self.step, int(steps), self.delta, self.accountant)

    def epsilon(self, steps: int) -> float:
        """The epsilon of ``spent``."""
        return self.spent(steps).epsilon

    def by_accountant(self, steps: int) -> dict[str, float | None]:
        """The bounds of both accountants, whichever counts; None where one has none."""
        return {
            name: finite_or_none(accounting.epsilon(self.step, int(steps), self.delta, name))
            if accounting.has_bound(self.step, name)
            else None
            for name in accounting.ACCOUNTANTS
        }

    def steps_to_answer_for(self, ran: int) -> int:
        """The steps whose epsilon may be stated of models that ran at most ``ran``.

        Those that ran fewer than were planned stopped early, by what their parameters are like: a number that depends
        on the data, for which only the planned one is a bound.
        """
        return max(self.steps, int(ran))

    def record(self) -> dict[str, Any]:
        """JSON of what the guarantee rests on, for reports; an infinite epsilon is None."""
        return {
            "unit": self.unit,
            "most_rows": self.rows,
            "adjacency": self.adjacency,
            "delta": self.delta,
            "accountant": self.spent(self.steps).accountant,
            "sampling": self.step.sampling,
            "sampling_rate": self.step.rate,
            "slots": self.step.slots,
            "noise_multiplier": self.step.noise_multiplier,
            "clip_norm": self.clip_norm,
            "batch_size": self.step.batch_size,
            "num_members": self.step.num_members,
            "augmentation_multiplicity": self.views,
            "statistics": None
            if self.statistics_epsilon is None
            else {"epsilon": self.statistics_epsilon, "noise_multiplier": self.step.released},
            "planned_steps": self.steps,
            "planned_epsilon": finite_or_none(self.epsilon(self.steps)),
            "planned_epsilon_by_accountant": self.by_accountant(self.steps),
            "release": "secret noise" if self.releasable else "not for release: noise follows from the seed",
            "not_covered": list(NOT_COVERED),
        }


def finite_or_none(epsilon: float) -> float | None:
    """An epsilon as JSON has it: None where nothing is guaranteed."""
    return epsilon if math.isfinite(epsilon) else None


def default_slots(batch_size: int, num_members: int) -> int:
    """Places that a Poisson sample of mean ``batch_size`` outgrows once in about 10^8 steps, in eights: six sigma."""
    return min(num_members, 8 * math.ceil((batch_size + 6 * math.sqrt(batch_size)) / 8))


def resolve(privacy: Privacy, recipe: Recipe, num_members: int, ragged: bool, group_rows: int = 0) -> Mechanism:
    """The mechanism of a recipe on ``num_members`` members a model (the most, where models differ).

    Args:
      privacy: as asked for.
      recipe: of the training; its batches count members.
      num_members: rows, or groups of rows where these are what is protected.
      ragged: whether models differ in it.
      group_rows: rows of the largest group; 0 where the unit is a row.

    Raises:
      UserError: whatever in recipe and privacy would break the guarantee, or has no bound.
    """
    batch, fixed = recipe.batch_size, privacy.sampling == "fixed_size"
    if recipe.mixup:
        raise UserError(
            f"--mixup {recipe.mixup} with differential privacy",
            expected="--mixup 0, since a mixed example carries two people's data past one clipping norm",
        )
    if privacy.delta >= 1 / num_members:
        raise UserError(
            f"--dp_delta {privacy.delta} for models of {num_members} {'groups' if group_rows else 'members'}",
            expected=f"less than 1 / members = {1 / num_members:.2g}",
            remedy="Publishing one member at random would pass at this delta",
        )
    if batch > num_members:
        raise UserError(f"--batch_size {batch}", expected=f"at most a model's {num_members} members")
    views = privacy.augmentation_multiplicity
    if views > 1 and group_rows:
        raise UserError(
            f"--dp_augmentation_multiplicity {views} with --dp_unit group",
            expected="1: a group's rows are its views",
        )
    if views > 1 and not recipe.augments_images:
        raise UserError(
            f"--dp_augmentation_multiplicity {views} without augmentation",
            expected="--flip, --shift or --cutout with it",
        )
    if fixed and ragged:
        raise UserError(
            "--dp_sampling fixed_size for models of different numbers of members",
            expected="--dp_sampling poisson, or --split fixed_size",
        )
    if fixed and privacy.slots is not None:
        raise UserError(f"--dp_slots {privacy.slots} with --dp_sampling fixed_size", expected="--dp_sampling poisson")
    cut = not fixed and privacy.overflow == "truncate"
    slots = min(privacy.slots or default_slots(batch, num_members), num_members)
    if cut and ragged and slots < batch:
        # Most samples would be cut, and the more members a model has, the more its own are hidden by that: a bound for
        # models of all sizes would be far above what most of them spend.
        raise UserError(
            f"--dp_slots {slots} below --batch_size {batch} for models of different numbers of members",
            expected=f"--dp_slots of at least {batch}, --dp_overflow microbatch, or --split fixed_size",
        )
    # A sample that can't outgrow its places is never cut.
    places = slots if cut and slots < num_members else None
    step = SampledGaussian(privacy.sampling, num_members, batch, places, 0.0, ragged=ragged)
    if privacy.statistics_epsilon is not None:
        released = accounting.gaussian_noise(privacy.statistics_epsilon, privacy.delta)
        step = dataclasses.replace(step, released=released)
    accounting.check_accountant(step, privacy.accountant)
    steps = recipe.epochs * (num_members // batch)
    noise = privacy.noise_multiplier
    if noise is None:
        assert privacy.epsilon is not None
        noise = accounting.calibrated_noise(step, steps, privacy.epsilon, privacy.delta, privacy.accountant)
    width = batch if fixed else slots if cut else num_members
    block = min(privacy.microbatch or (batch if fixed else slots), width)
    return Mechanism(
        step=dataclasses.replace(step, noise_multiplier=float(noise)),
        clip_norm=privacy.clip_norm,
        delta=privacy.delta,
        accountant=privacy.accountant,
        width=width,
        block=block,
        views=views,
        steps=steps,
        releasable=not privacy.reproducible_noise,
        unit="group" if group_rows else "row",
        rows=max(1, group_rows),
        statistics_epsilon=privacy.statistics_epsilon,
    )
