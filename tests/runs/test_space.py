"""Room on the disk."""

import resource
import signal

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.memory import amount
from miajax.runs.atomic import atomic_file
from miajax.runs.space import with_space_for


def test_a_campaign_too_large_for_the_disk_is_refused_before_it_begins(tmp_path):
    with_space_for(tmp_path / "new" / "run", 1, lambda: "signals")
    with pytest.raises(UserError, match=r"needs .* GB for logits"):
        with_space_for(tmp_path / "new" / "run", 1 << 60, lambda: "logits")


@pytest.mark.parametrize(("size", "text"), [(12, "12 bytes"), (1500, "1.50 kB"), (2_500_000, "2.50 MB")])
def test_small_sizes_are_told_in_small_units(size, text):
    assert amount(size) == text


@pytest.mark.parametrize(
    "save", [lambda file: np.save(file, np.zeros(3_000)), lambda file: np.zeros(3_000).tofile(file)]
)
def test_an_array_that_is_cut_short_by_the_system_is_told_as_a_full_disk(tmp_path, save):
    """NumPy names no reason then."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
        with (
            pytest.raises(UserError, match=r"no space left on the disk while writing .*a\.npy"),
            atomic_file(tmp_path / "a.npy") as file,
        ):
            save(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(tmp_path.iterdir())
