"""What an attack is: one signature, what it needs, and where it comes from."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.options import AttackOptions
from miajax.data.pairs import complementary_partners
from miajax.signals.bundle import AnyArray, Signals

SHADOWS = "shadow models"
WITH_AND_WITHOUT = f"{SHADOWS} with and without the example"
WITHOUT = f"{SHADOWS} without the example"
REFERENCES = "reference examples"
NOTHING = f"no {SHADOWS}"

Partners = Int[AnyArray, " models"] | None
"""Each model's complementary partner, its own index where it has none; None where no model has one."""

Names = tuple[str, ...]
ScaledLogit = Float[AnyArray, "models examples queries"]
Logits = Float[AnyArray, "models examples queries classes"]
Labels = Int[AnyArray, " examples"]
Member = Bool[AnyArray, "models examples"]
Valid = Bool[AnyArray, " models"]
Scores = Mapping[str, Float[AnyArray, "models examples"]]
FamilyScores = Callable[[Names, Signals, Member, Valid, AttackOptions, Partners], Scores]
OutsidePopulation = Callable[[Signals, Member, Valid, AttackOptions, Partners], int]
Signal = TypeVar("Signal")


@dataclasses.dataclass(frozen=True)
class Attack:
    """One membership inference attack on every model of an ensemble.

    Attributes:
      name: what results, files and flags call it.
      label: what tables and legends call it.
      family_scores: ``(names, signals, member, valid, options, partners) -> {name: float32[M, N]}`` for any names of
        its family in one pass. Higher means member. Each model's row uses the other valid models as shadow models,
        never itself and never its complementary partner.
      family: attacks that share work.
      needs: the fields of ``Signals`` that it reads.
      min_in, min_out: the least shadow models, target and partner left out, with and without an example to score it.
      requires: what the attacker must have beside the target's answers, in a few words, for tables.
      source: paper or code that the formula comes from.
      cost: what grows with what.
      knowledge: what the attacker must have, whole, to end a sentence; made from
        ``requires`` of attacks by shadow models where it is not given.
      pure: False where scoring trains something: it does not compile as a whole, and the order of models matters.
      least_queries: views of an example from which on it differs from a cheaper attack.
      few_queries: why it is left out below so many, in words that end a sentence.
      usual: False where it runs only if it is asked for by name: an ensemble adds no signal of its own, and every
        contestant more makes the intervals that hold for all of them wider.
      log_likelihood_ratio: whether a score is the log of how much likelier the target's answer is if it trained on the
        example than if it did not, so that scores of rows that are members together may be added.
      outside_population: ``(signals, member, valid, options, partners) -> int``, how many (target, example) pairs of a
        population from the pool are left out of it because no shadow model was trained without the example; None where
        none can be.

    Example:
      >>> from miajax.attacks.registry import ATTACKS
      >>> lira = ATTACKS["lira_online"]
      >>> lira.needs, lira.min_in, lira.requires
      (('scaled_logit',), 2, 'shadow models with and without the example')
    """

    name: str
    label: str
    family_scores: FamilyScores
    family: str
    needs: tuple[str, ...]
    min_in: int
    min_out: int
    requires: str
    source: str
    cost: str
    knowledge: str = ""
    pure: bool = True
    least_queries: int = 1
    few_queries: str = ""
    usual: bool = True
    log_likelihood_ratio: bool = False
    outside_population: OutsidePopulation | None = None

    def __post_init__(self):
        if not self.knowledge and self.shadow_based:
            models, _, references = self.requires.partition(", ")
            trained = models.replace(SHADOWS, f"{SHADOWS} trained") + (", and a population," if references else "")
            object.__setattr__(self, "knowledge", f"{trained} on data like the target's")

    @property
    def shadow_based(self) -> bool:
        """Whether it learns from models beside the target."""
        return self.requires.startswith(SHADOWS)

    def score(
        self, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners = None
    ) -> Float[Array, "models examples"]:
        """Scores ``[M, N]``, higher = member; NaN for failed models and where too few shadow models are left.

        Partners are looked for in ``member`` where they are not given; inside a JAX transformation, where nothing can
        be looked for, they have to be given.
        """
        partners = partners_in(member) if partners is None else partners
        scores = self.family_scores((self.name,), signals, member, valid, options, partners)[self.name]
        return jnp.where(self.scorable(jnp.asarray(member), jnp.asarray(valid), partners), scores, jnp.nan)

    def scorable(self, member: Member, valid: Valid, partners: Partners = None) -> Bool[AnyArray, "models examples"]:
        """Whether the target is valid and enough shadow models stand behind the cell; partners as in ``score``."""
        num_in, num_out = shadow_counts(member, valid, partners)
        return (num_in >= self.min_in) & (num_out >= self.min_out) & valid[:, None]


def needed(signal: Signal | None) -> Signal:
    """The signal, which the attack's ``needs`` promise."""
    if signal is None:
        raise ValueError("signals lack what the attack needs")
    return signal


def partners_in(member: Member) -> Partners:
    """See ``complementary_partners``; None inside a JAX transformation, where ``member`` cannot be read."""
    return None if isinstance(member, Tracer) else complementary_partners(np.asarray(member, bool))


def shadow_counts(
    member: Member, valid: Valid, partners: Partners = None
) -> tuple[Int[AnyArray, "models examples"], Int[AnyArray, "models examples"]]:
    """How many valid models, target and partner left out, have, and have not, each target's example.

    Partners are looked for in ``member`` where they are not given.
    """
    partners = partners_in(member) if partners is None else partners
    both = member & valid[:, None], ~member & valid[:, None]
    num_in, num_out = (side.sum(0) - left_out(side, partners) for side in both)
    return num_in, num_out


def left_out(side: Bool[AnyArray, "models ..."], partners: Partners) -> Bool[AnyArray, "models ..."]:
    """Whether leaving out each target and its partner takes a model from the side; it never takes two."""
    return side if partners is None else side | side[partners]


def without_partners(
    without: Float[Array, "models ..."], side: Bool[AnyArray, "models ..."], partners: Partners
) -> Float[Array, "models ..."]:
    """Statistics of a side without each target, turned into those without each target and its partner.

    Of a pair one model is on the side of an example, the other on the other side: leaving out both is leaving out the
    one that is there.

    Args:
      without: ``[M, ...]``, of the models of a side, each of them left out in turn; for a model that is not on the
        side, of the whole side.
      side: the models of the side, broadcastable against ``without``.
      partners: see ``Partners``.
    """
    return without if partners is None else jnp.where(side, without, without[partners])


def sides(member: Member, valid: Valid) -> Bool[Array, "2 models examples"]:
    """The valid models that trained on each example, and those that did not."""
    return jnp.stack([member & valid[:, None], ~member & valid[:, None]])


def online_and_offline(
    family: str,
    label: str,
    family_scores: FamilyScores,
    *,
    source: str,
    cost: str,
    log_likelihood_ratio: bool = False,
    outside_population: OutsidePopulation | None = None,
) -> tuple[Attack, Attack]:
    """The two forms of an attack on logits: its shadow models with and without the example, or without it only.

    Args:
      family, family_scores, source, cost, log_likelihood_ratio: as in ``Attack``; the names are the family's with
        ``_online`` and ``_offline``.
      label: of both; the form is added.
      outside_population: as in ``Attack``, of the offline form; of an attack that asks reference examples as well.
    """

    def of(form: str, models: str, min_in: int) -> Attack:
        return Attack(
            f"{family}_{form}",
            f"{label} {form}",
            family_scores,
            family,
            ("logits", "labels"),
            min_in,
            1,
            requires=models if outside_population is None else f"{models}, {REFERENCES}",
            source=source,
            cost=cost,
            log_likelihood_ratio=log_likelihood_ratio,
            outside_population=None if form == "online" else outside_population,
        )

    return of("online", WITH_AND_WITHOUT, 1), of("offline", WITHOUT, 0)
