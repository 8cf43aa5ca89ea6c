"""The epsilon calculator: dp-accounting called directly, both directions, and what it refuses."""

import subprocess
import sys

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
        assert found[name] == {"noise_multiplier": 1.2, "epsilon": pytest.approx(direct, rel=1e-5)}
    told = capsys.readouterr().out
    assert f"{steps} steps" in told and "add or remove one example" in told
    assert f"pld: noise multiplier 1.2, epsilon {found['pld']['epsilon']:.4g}" in told


def test_the_noise_of_an_epsilon_spends_no_more_than_it():
    found = epsilon.run([*TRAINING, "--epsilon", "3"])
    assert found["pld"]["noise_multiplier"] < found["rdp"]["noise_multiplier"]
    for entry in found.values():
        assert 2.98 < entry["epsilon"] <= 3.0


def test_what_the_library_warns_of_is_one_line_on_standard_error(capsys):
    """Sums of orders below 1.5 don't converge for this noise: once a line for each, among the answers."""
    epsilon.run([*TRAINING, "--noise_multiplier", "0.9"])
    told = capsys.readouterr()
    assert told.err.count("\n") == 1 and told.err.startswith("note: RDP left out ")
    assert "converge" not in told.out and len(told.out.splitlines()) == 4


def test_the_warnings_of_a_process_are_one_line():
    command = [sys.executable, "-m", "experiments.epsilon", *TRAINING, "--epsilon", "8"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "WARNING" not in ended.stderr and ended.stderr.count("\n") <= 1
    assert len(ended.stdout.splitlines()) == 4


def test_the_smaller_bound_is_what_a_training_takes(capsys):
    found = epsilon.run([*TRAINING, "--noise_multiplier", "1.2"])
    told = f"a training takes pld: noise multiplier 1.2, epsilon {found['pld']['epsilon']:.4g}"
    assert told in capsys.readouterr().out


def test_a_delta_beyond_one_accountant_has_the_answer_of_the_other(capsys):
    assert set(epsilon.run([*TRAINING, "--epsilon", "3", "--delta", "1e-20"])) == {"rdp"}
    assert "pld: no noise meets this budget by its bound" in capsys.readouterr().out


def test_little_noise_has_an_answer(capsys):
    found = epsilon.run([*TRAINING, "--noise_multiplier", "0.01"])
    assert 1e5 < found["rdp"]["epsilon"] < 1e8
    assert "a training takes rdp" in capsys.readouterr().out


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
