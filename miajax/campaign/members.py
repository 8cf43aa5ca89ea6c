"""How many members a campaign's models have, and which batches they fill."""

from typing import TYPE_CHECKING

import numpy as np

from miajax.data.splits import member_capacity, membership
from miajax.errors import UserError

if TYPE_CHECKING:
    from miajax.campaign.config import CampaignConfig


def fitting_batch(batch_size: int, members: int) -> int:
    """The batch size, halved until four full batches make an epoch over so many members; at least 1."""
    while batch_size > 1 and 4 * batch_size > members:
        batch_size //= 2
    return batch_size


def fewest_members(
    config: "CampaignConfig", num_examples: int, excluded: np.ndarray | None, groups: np.ndarray | None
) -> int:
    """Of any model of the campaign; ``excluded bool[N]`` are members of none.

    Raises:
      UserError: a model would have all examples as members, or none.
    """
    if config.split == "balanced" and excluded is None and groups is None:
        return num_examples // 2
    if config.split == "fixed_size" and excluded is None and groups is None:
        return member_capacity(num_examples, config.split, config.member_fraction)
    member = membership(config.seed, num_examples, config.num_shadows, config.split, config.member_fraction, groups)
    if len(idle := np.flatnonzero(member.all(1) | ~member.any(1))):
        raise UserError(
            f"--split {config.split} of {num_examples} examples draws {int(member[idle[0]].sum())} members for model "
            f"{idle[0]}",
            expected="members and non-members of every model",
            remedy="Use --split fixed_size, more examples, or a --member_fraction nearer to 0.5",
        )
    return int((member if excluded is None else member & ~excluded).sum(1).min())
