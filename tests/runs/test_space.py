"""Room on the disk."""

import pytest

from miajax.errors import UserError
from miajax.memory import amount
from miajax.runs.space import with_space_for


def test_a_campaign_too_large_for_the_disk_is_refused_before_it_begins(tmp_path):
    with_space_for(tmp_path / "new" / "run", 1, lambda: "signals")
    with pytest.raises(UserError, match=r"needs .* GB for logits"):
        with_space_for(tmp_path / "new" / "run", 1 << 60, lambda: "logits")


@pytest.mark.parametrize(("size", "text"), [(12, "12 bytes"), (1500, "1.50 kB"), (2_500_000, "2.50 MB")])
def test_small_sizes_are_told_in_small_units(size, text):
    assert amount(size) == text
