"""What a membership matrix gives away of its own design: complementary pairs, and equal counts without pairs.

A model trained on exactly the target's complement is nobody's shadow model: no attacker has one, and its presence tells
on which side of every example the target lies. Attacks leave it out together with the target.
"""

import numpy as np
from jaxtyping import Bool, Int

_BY_CHANCE = 1e-6  # expected complements among independent draws from which on they prove nothing
_TELLING = 256  # examples by which a complement is looked for before whole rows are compared


def complementary_partners(member: Bool[np.ndarray, "models examples"]) -> Int[np.ndarray, " models"] | None:
    """For each model the one that trained on exactly the examples that it did not.

    Every model has at most one partner: of several equal rows, the first goes with the first complement. Validity does
    not matter: a failed partner is on no side anyway. In a pool so small that independent draws are complements of each
    other now and then, only a design of pairs throughout counts.

    Args:
      member: ``bool[M, N]``, over the whole pool.

    Returns:
      ``int32[M]``, a model's own index where it has no partner; None where no model has one.
    """
    num_models, num_examples = member.shape
    waiting: dict[bytes, list[int]] = {}
    partners = np.arange(num_models, dtype=np.int32)
    for model, row in enumerate(member):
        alike = waiting.get((~row[:_TELLING]).tobytes(), [])
        partner = next((other for other in alike if (member[other] != row).all()), None)
        if partner is None:
            waiting.setdefault(row[:_TELLING].tobytes(), []).append(model)
        else:
            alike.remove(partner)
            partners[model], partners[partner] = partner, model
    alone = partners == np.arange(num_models)
    by_chance = num_models**2 * 2.0**-num_examples
    if alone.all() or (alone.any() and by_chance > _BY_CHANCE):
        return None
    return partners


def halved(
    valid: Bool[np.ndarray, " models"], partners: Int[np.ndarray, " models"] | None
) -> tuple[Bool[np.ndarray, " models"], Bool[np.ndarray, " models"]]:
    """The earlier and the later half of the valid models, the two of a complementary pair in the same one.

    Args:
      valid: which models count.
      partners: as from `complementary_partners`.
    """
    models = np.arange(len(valid))
    unit = models if partners is None else np.minimum(partners, models)
    units = np.unique(unit[valid])
    earlier = valid & np.isin(unit, units[: -(-len(units) // 2)])
    return earlier, valid & ~earlier


def equal_counts(member: Bool[np.ndarray, "models examples"]) -> int | None:
    """In how many models every example is, where that is one number and no pairs explain it; else None.

    The published LiRA script draws so: each example into exactly half of the models. What the other models trained on
    then tells whether the target trained on an example, and no choice of shadow models hides it.
    """
    counts = member.sum(0)
    by_chance = len(member) ** (1 - len(counts) / 2.0)  # each of N counts equal to the first
    if np.ptp(counts) > 0 or by_chance > _BY_CHANCE or complementary_partners(member) is not None:
        return None
    return int(counts[0])
