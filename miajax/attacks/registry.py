"""All attacks by name, ours and those added from outside, and the one way to run them, requirements checked."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from miajax.attacks import (
    base,
    bavaria,
    ensembles,
    entropy,
    informia,
    lira,
    lira_fullcov,
    lira_multi,
    pmia,
    quantile,
    references,
    rmia,
    threshold,
    training_signals,
)
from miajax.attacks.attack import Attack, Partners, partners_in, shadow_counts
from miajax.attacks.from_function import PlainScores, attack_from
from miajax.attacks.options import AttackOptions
from miajax.errors import UserError
from miajax.notes import noted
from miajax.plugins import Registry
from miajax.signals.bundle import AnyArray, Signals

_FAMILIES = (
    threshold,
    entropy,
    lira,
    lira_fullcov,
    references,
    rmia,
    base,
    bavaria,
    quantile,
    training_signals,
    informia,
    pmia,
    lira_multi,
    ensembles,
)  # their order decides colours in plots: new ones go last


def _as_attack(thing: Any, name: str, origin: Mapping[str, str]) -> Attack:
    if isinstance(thing, Attack):
        return thing if thing.name == name else dataclasses.replace(thing, name=name)
    if callable(thing):
        return attack_from(cast(PlainScores, thing), name=name)
    raise UserError(
        f"attack {name} is a {type(thing).__name__}",
        expected="a miajax.Attack, or a function of (signals, member, valid) that returns scores [M, N]",
        remedy="CONTRIBUTING.md shows both",
    )


ATTACKS: Registry[Attack] = Registry(
    "attack", "--attacks", ((attack.name, attack) for family in _FAMILIES for attack in family.ATTACKS), _as_attack
)
BASELINE = threshold.ATTACKS[0].name  # one threshold for all examples: what an attack has to beat
_OF_EXAMPLES = ("labels", "features")  # signals without a row per model


def usual_attacks() -> tuple[str, ...]:
    """Names of the attacks that run where none is asked for by name."""
    return tuple(name for name, attack in ATTACKS.items() if attack.usual)


def register_attack(attack: Attack | PlainScores, **described: Any) -> Attack:
    """Adds an attack from outside the package: it then stands in tables, reports, contests and ``--attacks``.

    Args:
      attack: an ``Attack``, or a function that ``attack_from`` takes.
      **described: the keywords of ``attack_from``, for a function.

    Returns:
      The attack, whose scores are ``float[M, N]``.

    Raises:
      UserError: its name is taken.

    Example:
      >>> def best_view(signals, member, valid):
      ...     return signals.scaled_logit.max(-1)
      >>> register_attack(best_view, needs=("scaled_logit",)).label
      'Best view'
    """
    made = attack if isinstance(attack, Attack) else attack_from(attack, **described)
    return ATTACKS.register(made.name, made)


@dataclasses.dataclass(frozen=True)
class AttackReport:
    """What stands behind an attack's scores.

    Attributes:
      name: the attack.
      scored: cells (target, example) with a score.
      too_few: cells of valid targets that are NaN because fewer shadow models than the attack needs stand behind them.
      degenerate: other NaN cells of valid targets, such as those whose shadow models all agree to the last bit.
      failed_models: ids of models that are left out.
      outside_population: pairs that no population holds because no shadow model was trained without the example.
    """

    name: str
    scored: int
    too_few: int
    degenerate: int
    failed_models: tuple[int, ...]
    outside_population: int = 0


def run_attack(
    name: str, signals: Signals, member: np.ndarray, valid: np.ndarray, options: AttackOptions | None = None
) -> tuple[np.ndarray, AttackReport]:
    """Runs one attack; see ``run_attacks``."""
    return run_attacks((name,), signals, member, valid, options)[name]


def run_attacks(
    names: Sequence[str],
    signals: Signals,
    member: np.ndarray,
    valid: np.ndarray,
    options: AttackOptions | None = None,
    partners: Partners = None,
) -> dict[str, tuple[np.ndarray, AttackReport]]:
    """Scores every model as the target under several attacks; attacks of a family share their work.

    Args:
      names: of ``ATTACKS``.
      signals: what the models reveal; NumPy arrays or memory maps.
      member: ``bool[M, N]``.
      valid: ``bool[M]``; failed models score NaN and enter no statistic.
      options: defaults if None.
      partners: each model's complementary partner, its own index where it has none; looked for in ``member`` if None.
        It is left out together with the target.

    Returns:
      ``{name: (scores float32[M, N], report)}``, higher = member, NaN where there is no score.

    Raises:
      UserError: an unknown name, a signal that an attack needs is missing, a valid model has a signal that is not
        finite, or no cell at all has the shadow models that an attack needs or a score.
    """
    options = AttackOptions() if options is None else options
    member, valid = np.asarray(member, bool), np.asarray(valid, bool)
    partners = partners_in(member) if partners is None else partners
    for name in names:
        reason = why_not(name, signals, member, valid, partners)
        if reason:
            raise UserError(f"attack {name}: {reason}")
    _check_finite({field for name in names for field in ATTACKS[name].needs}, signals, valid)

    raw: dict[str, AnyArray] = {}
    for name in names:
        if name not in raw:
            attack = ATTACKS[name]
            together = tuple(n for n in names if ATTACKS[n].family_scores is attack.family_scores)
            raw.update(attack.family_scores(together, signals, member, valid, options, partners))
    found: dict[str, tuple[np.ndarray, AttackReport]] = {}
    for name in names:
        scores, report = _masked(ATTACKS[name], np.asarray(raw[name]), member, valid, partners)
        if (count := ATTACKS[name].outside_population) is not None:
            outside = count(signals, member, valid, options, partners)
            report = dataclasses.replace(report, outside_population=outside)
        found[name] = scores, report
    return found


def why_not(
    name: str, signals: Signals, member: np.ndarray, valid: np.ndarray, partners: Partners = None
) -> str | None:
    """Why an attack cannot run on these signals and models, in words that end a sentence; None if it can.

    Partners are looked for in ``member`` where they are not given.

    Raises:
      UserError: an unknown name.
    """
    if name not in ATTACKS:
        raise UserError(f"attack {name} is unknown", expected="one of " + ", ".join(ATTACKS))
    attack = ATTACKS[name]
    missing = [field for field in attack.needs if getattr(signals, field) is None]
    if missing:
        return f"needs {' and '.join(missing)}, which were not recorded"
    partners = partners_in(member) if partners is None else partners
    if not attack.scorable(member, valid, partners).any():
        counts = shadow_counts(member, valid, partners)
        num_in, num_out = (int(count[valid].max(initial=0)) for count in counts)
        beside = "the target" if partners is None else "the target and its complementary partner"
        return noted(
            f"needs {{}} shadow models with and {{}} without an example beside {beside}; the {{}} valid models leave "
            "at most {} and {}, never both enough",
            attack.min_in, attack.min_out, int(valid.sum()), num_in, num_out,
        )  # fmt: skip
    return None


def _check_finite(fields: set[str], signals: Signals, valid: np.ndarray) -> None:
    for field in sorted(fields):
        array = getattr(signals, field)
        if field in _OF_EXAMPLES:
            continue
        for model in np.flatnonzero(valid):
            if not np.isfinite(array[model]).all():
                raise UserError(
                    f"model {model} counts as valid but its {field} holds NaN or infinity",
                    expected="finite signals from every valid model",
                    remedy="Mark it as failed, or train it again",
                )


def _masked(
    attack: Attack, scores: np.ndarray, member: np.ndarray, valid: np.ndarray, partners: Partners
) -> tuple[np.ndarray, AttackReport]:
    scorable = attack.scorable(member, valid, partners)
    scores = np.where(scorable, scores, np.float32(np.nan)).astype(np.float32, copy=False)
    scored = int(np.isfinite(scores).sum())
    if not scored:
        raise UserError(
            f"attack {attack.name} has no score for any model and example",
            expected="shadow models that differ from one another",
            remedy="Check that models were trained with different members and seeds, or train more of them",
        )
    report = AttackReport(
        name=attack.name,
        scored=scored,
        too_few=int(valid.sum()) * member.shape[1] - int(scorable.sum()),
        degenerate=int(scorable.sum()) - scored,
        failed_models=tuple(int(i) for i in np.flatnonzero(~valid)),
    )
    return scores, report
