"""An attack of a user's own, from a plain function of arrays."""

import functools
from collections.abc import Callable

from miajax.attacks.attack import NOTHING, Attack, Member, Names, Partners, Scores, Valid
from miajax.attacks.options import AttackOptions
from miajax.signals.bundle import AnyArray, Signals

PlainScores = Callable[[Signals, Member, Valid], AnyArray]


def attack_from(
    score: PlainScores,
    *,
    name: str | None = None,
    label: str | None = None,
    needs: tuple[str, ...] = ("scaled_logit",),
    min_in: int = 0,
    min_out: int = 0,
    requires: str = NOTHING,
    knowledge: str = "",
    source: str = "",
    cost: str = "not stated",
    pure: bool = False,
    log_likelihood_ratio: bool = False,
) -> Attack:
    """An attack from a plain function, described by keywords.

    Args:
      score: ``(signals, member, valid) -> float[M, N]``, higher = member. Row m is model m as the target: it may use
        the other valid models as shadow models, never row m of ``member``, and under
        complementary pairs never its partner (``miajax.attacks.attack.partners_in``).
      name: what results call it; the function's name if None.
      label: what tables call it; the name in words if None.
      needs: fields of ``Signals`` that it reads.
      min_in, min_out: the least shadow models with and without an example.
      requires: what the attacker must have; ``WITH_AND_WITHOUT`` or ``WITHOUT`` of ``miajax.attacks.attack`` enters
        it for the contest of budgets.
      knowledge: the same whole; ``requires`` where empty.
      source: paper or code; the function's module where empty.
      cost: what grows with what.
      pure: whether it is a function of arrays that trains nothing and reads no file, so that it may run on subsets.
      log_likelihood_ratio: whether scores of rows that are members together may be added (``Attack``).

    Example:
      >>> import numpy as np
      >>> from miajax.attacks.options import AttackOptions
      >>> from miajax.signals.bundle import Signals
      >>> top = attack_from(lambda signals, member, valid: signals.scaled_logit.max(-1), name="best_view")
      >>> signals = Signals(scaled_logit=np.array([[[0.0, 2.0]], [[1.0, 1.0]]]))
      >>> np.asarray(top.score(signals, np.array([[True], [False]]), np.ones(2, bool), AttackOptions())).tolist()
      [[2.0], [1.0]]
    """
    chosen = name or score.__name__

    def family_scores(
        names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
    ) -> Scores:
        return {chosen: score(signals, member, valid)}

    return Attack(
        chosen,
        label or chosen.replace("_", " ").capitalize(),
        functools.wraps(score)(family_scores),
        chosen,
        needs,
        min_in,
        min_out,
        requires=requires,
        knowledge=knowledge or requires,
        source=source or f"{score.__module__}, added from outside miajax",
        cost=cost,
        pure=pure,
        log_likelihood_ratio=log_likelihood_ratio,
    )
