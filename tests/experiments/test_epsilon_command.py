"""The epsilon calculator: dp-accounting called directly, both directions, and what it refuses."""

import dp_accounting
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from experiments import epsilon
from miajax.errors import UserError

TRAINING = ["--members", "898", "--batch_size", "64", "--epochs", "30"]


def test_the_epsilon_of_a_noise_is_dp_accountings_under_both_accountants(capsys):
    found = epsilon.run([*TRAINING, "--noise_multiplier", "1.2", "--delta", "1e-4"])
    event = dp_accounting.PoissonSampledDpEvent(64 / 898, dp_accounting.GaussianDpEvent(1.2))
    steps = 30 * (898 // 64)
    for name, ledger in (("rdp", RdpAccountant()), ("pld", PLDAccountant(value_discretization_interval=1e-3))):
        direct = ledger.compose(event, steps).get_epsilon(1e-4)
        assert found[name] == {"noise_multiplier": 1.2, "epsilon": pytest.approx(direct, rel=1e-6)}
    told = capsys.readouterr().out
    assert f"{steps} steps" in told and "add or remove one example" in told
    assert f"pld: noise multiplier 1.2, epsilon {found['pld']['epsilon']:.4g}" in told


def test_the_noise_of_an_epsilon_spends_no_more_than_it():
    found = epsilon.run([*TRAINING, "--epsilon", "3"])
    assert found["pld"]["noise_multiplier"] < found["rdp"]["noise_multiplier"]
    for entry in found.values():
        assert 2.98 < entry["epsilon"] <= 3.0


def test_batches_of_fixed_size_have_one_accountant(capsys):
    assert set(epsilon.run([*TRAINING, "--noise_multiplier", "4", "--sampling", "fixed_size"])) == {"rdp"}
    assert "replace one example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([*TRAINING], "--epsilon None with --noise_multiplier None"),
        ([*TRAINING, "--epsilon", "1", "--delta", "0.01"], "^--delta 0.01"),
        (["--members", "0", "--batch_size", "1", "--epochs", "1", "--epsilon", "1"], "--members 0"),
        (["--members", "10", "--batch_size", "11", "--epochs", "1", "--epsilon", "1"], "--batch_size 11"),
    ],
)
def test_what_has_no_answer_is_refused_by_its_flag(flags, told):
    with pytest.raises(UserError, match=told):
        epsilon.run(flags)
