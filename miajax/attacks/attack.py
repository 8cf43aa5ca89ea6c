"""What an attack is: one signature, what it needs, and where it comes from."""

import dataclasses
from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.options import AttackOptions
from miajax.signals.bundle import AnyArray, Signals

SHADOWS = "shadow models"
WITH_AND_WITHOUT = f"{SHADOWS} with and without the example"
WITHOUT = f"{SHADOWS} without the example"
REFERENCES = "reference examples"
NOTHING = f"no {SHADOWS}"

FamilyScores = Callable[
    [tuple[str, ...], Signals, Bool[AnyArray, "models examples"], Bool[AnyArray, " models"], AttackOptions],
    Mapping[str, Float[AnyArray, "models examples"]],
]


@dataclasses.dataclass(frozen=True)
class Attack:
    """One membership inference attack on every model of an ensemble.

    Attributes:
      name: what results, files and flags call it.
      label: what tables and legends call it.
      family_scores: ``(names, signals, member, valid, options) -> {name: float32[M, N]}`` for any names of its family
        in one pass. Higher means member. Each model's row uses the other valid models as shadow models, never itself.
      family: attacks that share work.
      needs: the fields of ``Signals`` that it reads.
      min_in, min_out: the least shadow models, the target left out, with and without an example to score it.
      requires: what the attacker must have beside the target's answers, in a few words, for tables.
      knowledge: what the attacker must have, whole, to end a sentence.
      source: paper or code that the formula comes from.
      cost: what grows with what.
      pure: False where scoring trains something: it does not compile as a whole, and the order of models matters.
      least_queries: views of an example from which on it differs from a cheaper attack.
      few_queries: why it is left out below so many, in words that end a sentence.
    """

    name: str
    label: str
    family_scores: FamilyScores
    family: str
    needs: tuple[str, ...]
    min_in: int
    min_out: int
    requires: str
    knowledge: str
    source: str
    cost: str
    pure: bool = True
    least_queries: int = 1
    few_queries: str = ""

    @property
    def shadow_based(self) -> bool:
        """Whether it learns from models beside the target."""
        return self.requires.startswith(SHADOWS)

    def score(
        self,
        signals: Signals,
        member: Bool[AnyArray, "models examples"],
        valid: Bool[AnyArray, " models"],
        options: AttackOptions,
    ) -> Float[Array, "models examples"]:
        """Scores ``[M, N]``, higher = member; NaN for failed models and where too few shadow models are left."""
        scores = self.family_scores((self.name,), signals, member, valid, options)[self.name]
        return jnp.where(self.scorable(jnp.asarray(member), jnp.asarray(valid)), scores, jnp.nan)

    def scorable(
        self, member: Bool[AnyArray, "models examples"], valid: Bool[AnyArray, " models"]
    ) -> Bool[AnyArray, "models examples"]:
        """Whether the target is valid and enough shadow models stand behind the cell."""
        num_in, num_out = shadow_counts(member, valid)
        return (num_in >= self.min_in) & (num_out >= self.min_out) & valid[:, None]


def shadow_counts(
    member: Bool[AnyArray, "models examples"], valid: Bool[AnyArray, " models"]
) -> tuple[Int[AnyArray, "models examples"], Int[AnyArray, "models examples"]]:
    """How many other valid models have, and have not, each target's example."""
    is_in, is_out = member & valid[:, None], ~member & valid[:, None]
    return is_in.sum(0) - is_in, is_out.sum(0) - is_out


def sides(
    member: Bool[AnyArray, "models examples"], valid: Bool[AnyArray, " models"]
) -> Bool[Array, "2 models examples"]:
    """The valid models that trained on each example, and those that did not."""
    return jnp.stack([member & valid[:, None], ~member & valid[:, None]])
