"""What the study finds, attack by attack, and how ``results.json`` holds it."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.figures import Estimate
from miajax.metrics.forms import SPREAD, Form
from miajax.metrics.overlap import Agreement
from miajax.studies.head import CampaignFound

SAME = (0.5, 0.9)
"""Shares of the top from which on two sets of models are said to name the same records."""


@dataclasses.dataclass(frozen=True)
class AtSize:
    """How alike two disjoint sets of so many models are in whom they expose.

    Attributes:
      num_sets: disjoint sets of that size; each is compared with one other.
      shared_top: share of one set's most exposed records that are the other's as well.
      num_called: records that a set calls vulnerable, named by half or more of the models trained on them: the mean.
      jaccard: records that both sets call vulnerable over those that either does.
    """

    num_sets: int
    shared_top: Annotated[Estimate, Form(chance="chance_shared_top")]
    num_called: float
    jaccard: Annotated[Estimate, Form(chance="chance_jaccard")]


@dataclasses.dataclass(frozen=True)
class OfAttack:
    """One attack under several sets of shadow models.

    Attributes:
      sub_ensembles: attackers of the same targets with disjoint sets of shadow models.
      curve: by the number of models in a set, how alike two sets are.
      models_until_same: by share of the top, the fewest models of ``curve`` from which on sets share it; None where
        none of them does.
      across_runs: this run and others, of another seed, as whole sets of models; None without other runs, or where one
        of them was not scored by the attack.
    """

    sub_ensembles: Agreement
    curve: Mapping[int, AtSize]
    models_until_same: Mapping[float, int | None]
    across_runs: AtSize | None = None


@dataclasses.dataclass(frozen=True)
class Pair:
    """How far two attacks name the same members, with the same shadow models."""

    attack: str
    other: str
    jaccard: Annotated[Estimate, Form(chance="chance_jaccard")]


@dataclasses.dataclass(frozen=True)
class Measured:
    """The study's own findings.

    Attributes:
      fpr: false-positive rate that every attacker sets its threshold for, on its own models.
      top: share of the records that counts as the most exposed.
      num_top: records of the top.
      unit_records: records, or groups where members are drawn by group.
      num_attackers: of each target.
      models_per_attacker: shadow models of each.
      num_targets: models that were attacked.
      attacks: by name.
      ensembles: those of them that are made of others; they are no part of ``across_attacks``.
      across_attacks: all other attacks as attackers with the same shadow models; None for fewer than two.
      pairs: of these attacks.
      other_runs: names of their folders.
    """

    fpr: float
    top: float
    num_top: int
    unit_records: int
    num_attackers: int
    models_per_attacker: int
    num_targets: int
    attacks: Mapping[str, OfAttack]
    ensembles: tuple[str, ...]
    across_attacks: Agreement | None
    pairs: tuple[Pair, ...]
    other_runs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stability(CampaignFound):
    """What the study found.

    Attributes:
      attacks_not_run: why, in words that end a sentence.
      main_attack: the attack that sentences are about.
    """

    measured: Annotated[Measured, SPREAD]
    attacks_not_run: Mapping[str, str]
    main_attack: str

    @property
    def main(self) -> OfAttack:
        """What is found of the main attack."""
        return self.measured.attacks[self.main_attack]
