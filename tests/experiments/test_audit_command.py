"""The audit's command: its defaults fit an audit, and what doesn't is refused before anything trains."""

import pytest

from experiments import audit
from miajax.errors import UserError


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--split", "fixed_size"], "fair coin"),
        (["--canaries", "5000"], "--canaries 5000"),
        (["--canaries", "20", "--validation_fraction", "0.1"], "carved from the pool"),
        (["--audited", "65"], "--num_shadows 64"),
        (["--confidence", "95"], "--confidence 95"),
    ],
)
def test_what_no_bound_holds_for_is_refused_before_training(tmp_path, flags, told):
    with pytest.raises(UserError, match=told):
        audit.run([*flags, "--out", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()
