"""The figures of an audit, as values: what the page, the sentences and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.figures import Estimate
from miajax.metrics.forms import LEFT_OUT, SPREAD, Form
from miajax.studies.head import CampaignFound


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bound:
    """A lower bound on epsilon.

    Attributes:
      largest_possible: what it could show with so many models and canaries, if every call were right.
      jax_privacy: what jax-privacy makes of the same scores; None where it was not asked for.
    """

    epsilon_lower: float
    confidence: float
    largest_possible: float
    assumes: str
    in_verdict: bool
    jax_privacy: Annotated[Estimate | None, Form(left_out=True, bare=True)] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuessBound(Bound):
    """From guesses about canaries, of all audited models together."""

    correct: int
    made: int
    canaries: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountBound(Bound):
    """From how often a test named one record over the audited models; a number a threshold where there are several."""

    canary: int
    thresholds: Annotated[str | None, LEFT_OUT] = None
    threshold: Annotated[float | None, LEFT_OUT] = None
    true_positives: int | tuple[int, ...]
    members: int
    false_positives: int | tuple[int, ...]
    non_members: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """Every lower bound; those over many models are None where there are fewer than two references."""

    one_run: GuessBound
    one_run_gdp: GuessBound
    many_models: Annotated[CountBound | None, LEFT_OUT] = None
    many_models_gdp: Annotated[CountBound | None, LEFT_OUT] = None

    def named(self) -> dict[str, Bound]:
        """Those that there are, by name."""
        every = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: bound for name, bound in every.items() if bound is not None}


@dataclasses.dataclass(frozen=True)
class Alone:
    """The one-run bound of one audited model by itself."""

    model: int
    epsilon_lower: float
    correct: int
    made: int


@dataclasses.dataclass(frozen=True)
class GuessedShares:
    """Of each model's canaries, the shares that are called members and non-members."""

    named_in: float
    named_out: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audited:
    """What an audit of some models found.

    Attributes:
      references, audited: how many models fixed the scores, and how many were audited by them.
      promised_epsilon: None where nothing was promised.
      epsilon_lower, largest_possible: of the bounds in the verdict, the larger.
      violated: whether the promise is refuted; None where there is none.
    """

    delta: float
    confidence: float
    references: int
    audited: int
    shares: Mapping[str, GuessedShares]
    bounds: Bounds
    per_model: tuple[Alone, ...]
    promised_epsilon: float | None
    epsilon_lower: float
    largest_possible: float
    violated: bool | None
    verdict: str


@dataclasses.dataclass(frozen=True)
class Canaries:
    """The records whose coins are guessed."""

    kind: str
    count: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audit(CampaignFound):
    """What the study found."""

    canaries: Canaries
    audit: Annotated[Audited, SPREAD]
