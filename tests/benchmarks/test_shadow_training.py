"""The training comparison compares equal work, and says so when it does not."""

import contextlib
import dataclasses
import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import _step_cost, _suite, _workloads, shadow_training
from benchmarks._contest import Contender, ContenderFailed, Outcome, alternate, running
from benchmarks._ours import ShadowTraining
from benchmarks._rows import Row, replace_part
from benchmarks._same_work import DifferentWork, require_equal_means
from benchmarks._workloads import DIGITS_MLP
from miajax.models.model import count_parameters
from miajax.models.registry import build_model
from miajax.training.losses import cross_entropy
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Members, Trainer

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them


def dense_flops(sizes: tuple[int, ...], batch: int) -> int:
    """Of one training step of an MLP of these layer sizes: three products a layer, two for the first."""
    products = [batch * inputs * outputs for inputs, outputs in itertools.pairwise(sizes)]
    return 2 * (3 * sum(products) - products[0])


@pytest.mark.parametrize(("name", "shape", "sizes"), [("mlp", (64,), (64, 128, 10)), ("purchase_mlp", (600,), None)])
def test_cost_of_a_step_is_the_formulas(name, shape, sizes):
    sizes = sizes or (600, 1024, 512, 256, 128, 100)
    model = build_model(name, sizes[-1])
    cost = _step_cost.step_cost(Trainer(model, Recipe(batch_size=8), InputScaling(), 8, False, shape, 0))
    assert cost.flops == dense_flops(sizes, 8)
    moved = sum(8 * (a + b) for a, b in itertools.pairwise(sizes))
    weights = sum(a * b + b for a, b in itertools.pairwise(sizes))
    assert cost.bytes == 3 * 4 * moved + 24 * weights


# GFLOP of a step at batch 128 as published counts of multiply-adds have it (He et al.; Zagoruyko and Komodakis).
@pytest.mark.parametrize(("name", "gflop"), [("resnet20", 31.0), ("resnet18", 426.0), ("wrn28_2", 164.5)])
def test_cost_of_convolutions_is_that_of_their_multiplications(name, gflop):
    trainer = Trainer(build_model(name, 10), Recipe(batch_size=128), InputScaling(), 128, False, (32, 32, 3), 0)
    assert _step_cost.step_cost(trainer).flops / 1e9 == pytest.approx(gflop, rel=2e-3)


def small(epochs: int):
    recipe = dataclasses.replace(DIGITS_MLP.campaign.recipe, epochs=epochs)
    return dataclasses.replace(DIGITS_MLP, campaign=dataclasses.replace(DIGITS_MLP.campaign, recipe=recipe), models=2)


@pytest.fixture(scope="module")
def ours() -> ShadowTraining:
    """Two models, trained."""
    training = ShadowTraining(small(epochs=2), models=2)
    assert training.run() == 2 * 2 * 14
    return training


@pytest.mark.parametrize(
    ("rival", "options"),
    [
        ("TunedLoop", {}),
        ("UsualLoop", {}),
        ("Functional", {"stack": "none", "compiled": "no"}),
        ("Functional", {"stack": "vmap", "compiled": "no", "width": 2}),
        ("Functional", {"stack": "bmm", "compiled": "no", "width": 2}),
    ],
)
def test_rival_ends_at_our_parameters_from_the_same_start_and_minibatches(rival, options, ours, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    rivals = importlib.import_module("benchmarks._torch_rivals")
    expected = ours.ensemble.snapshot(ours._groups[0]).state.params

    theirs = getattr(rivals, rival)(small(epochs=2), models=2, threads=1, **options)
    assert dict(theirs.facts) == dict(ours.facts)
    # Both draw what our trainer draws: its initial weights, and its orders of each model's members.
    trainer, ids = ours.trainer, theirs.ids.numpy()
    members = [Members(jnp.int32(m), jnp.asarray(ids[m], jnp.int32), jnp.int32(ids.shape[1])) for m in range(2)]
    starts, orders = [], []
    for m, member in enumerate(members):
        params = trainer.init(member)[0].params
        model = theirs.network.build()
        with torch.no_grad():
            for layer, dense in zip(("Dense_0", "Dense_1"), (model[0], model[2]), strict=True):
                dense.weight.copy_(torch.from_numpy(np.array(params[layer]["kernel"].T)))
        starts.append(model)
        rows = [np.asarray(trainer._shuffle(member, jnp.int32(epoch))).ravel() for epoch in range(2)]
        orders += [torch.from_numpy(np.searchsorted(ids[m], r)) for r in rows]
    one_after_another = rival != "Functional" or options["stack"] == "none"
    if not one_after_another:  # a stack draws an epoch's orders of both models together
        orders = [torch.stack(orders[epoch::2]) for epoch in range(2)]
    draws, models = iter(orders), iter(starts)
    monkeypatch.setattr(theirs, "network", theirs.network._replace(build=lambda: next(models)))
    monkeypatch.setattr(torch, "randperm", lambda n: next(draws))
    monkeypatch.setattr(torch, "rand", lambda shape: _Ranked(next(draws).view(shape[0], -1)))
    assert theirs.run() == 2 * 2 * 14
    for m in range(2):
        found = [p.numpy() for p in theirs._trained[m]]
        for layer in range(2):
            kernel, bias = (expected[f"Dense_{layer}"][part][m] for part in ("kernel", "bias"))
            np.testing.assert_allclose(found[2 * layer].T, kernel, rtol=1e-4, atol=2e-5)
            np.testing.assert_allclose(found[2 * layer + 1], bias, rtol=1e-4, atol=2e-5)


class _Ranked:
    """Random draws whose order is known."""

    def __init__(self, order):
        self.order = order

    def argsort(self, axis):
        return self.order


def test_rivals_start_from_our_distribution_of_weights():
    torch = pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    networks = importlib.import_module("benchmarks._torch_networks")
    torch.manual_seed(0)
    theirs = [p.detach().numpy() for p in networks.mlp(64, 512, 10).build().parameters()]
    ours = jax.nn.initializers.lecun_normal()(jax.random.key(0), (64, 512))
    assert abs(theirs[0].std() / ours.std() - 1) < 0.02
    assert abs(np.abs(theirs[0]).max() / jnp.abs(ours).max() - 1) < 0.02
    assert not theirs[1].any()


def test_ours_leaves_models_judged_on_members_and_others(ours):
    loss, inside, outside = ours.outcome()
    state = ours.ensemble.snapshot(ours._groups[0]).state
    for m, member in enumerate(ours.member):
        one = jax.tree.map(lambda a, m=m: a[m], state)
        logits, _ = ours.trainer.model.apply(one.params, one.model_state, ours.dataset.features, False, None)
        hit = np.asarray(logits).argmax(1) == ours.dataset.labels
        assert loss[m] == pytest.approx(float(cross_entropy(logits, ours.dataset.labels)[member].mean()), rel=1e-5)
        assert (inside[m], outside[m]) == (hit[member].mean(), hit[~member].mean())
        assert inside[m] > 0.8


def test_equal_means_pass_and_other_means_are_refused():
    rng = np.random.default_rng(0)
    require_equal_means("loss", rng.normal(1.0, 0.1, 256), rng.normal(1.0, 0.1, 2))
    require_equal_means("accuracy", np.ones(4), np.ones(3))
    with pytest.raises(DifferentWork, match=r"loss 1\.1.*, ours 0\.9.* apart"):
        require_equal_means("loss", rng.normal(1.0, 0.1, 256), rng.normal(1.15, 0.1, 64))
    with pytest.raises(DifferentWork):
        require_equal_means("loss", np.ones(4), np.full(4, np.nan))


class Sleeper:
    """A job that takes a known time, in a library that may fail."""

    compile_seconds, facts = 0.25, {"size": 3}

    def __init__(self, fails: bool = False):
        if fails:
            raise OSError("no compiler here")

    def run(self) -> int:
        import time

        time.sleep(0.05)
        return 10

    def outcome(self) -> Outcome | None:
        return None


def test_processes_run_side_by_side_and_in_turn():
    one = Contender("one", Sleeper, processes=1)
    two = Contender("two", Sleeper, processes=2)
    with running(one, 0.1) as first, running(two, 0.1) as second:
        assert (second.compile_seconds, second.facts["size"]) == (0.25, 3)
        rates = alternate([first, second], 3)
    assert {name: len(r) for name, r in rates.items()} == {"one": 3, "two": 3}
    assert max(rates["one"]) <= 200 < max(rates["two"]) <= 400


def test_a_contender_that_fails_is_named_with_its_reason():
    with (
        pytest.raises(ContenderFailed, match="broken: OSError: no compiler here"),
        running(Contender("broken", Sleeper, {"fails": True}), 0.1),
    ):
        pass


@pytest.mark.slow
def test_quick_comparison_writes_its_rows(tmp_path):
    target = tmp_path / "rows.json"
    command = [sys.executable, "-m", "benchmarks.shadow_training", "--quick", "--json", str(target)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    written = json.loads(target.read_text())
    assert written["command"] == f"python -m benchmarks.shadow_training --quick --json {target.name}"
    headline = written["rows"][0]
    assert headline["unit"] == "model-steps/s" and headline["name"].startswith("256 models")
    assert len(headline["repeats"]["ours"]) == 3 and headline["ours"] > 0
    if headline["rivals"]:
        tuned = {k: v for k, v in headline["rivals"].items() if k not in headline["common_practice"]}
        assert headline["ratio_best"] == pytest.approx(headline["ours"] / max(tuned.values()))
    share = next(row for row in written["rows"] if row["name"].startswith("share of"))
    assert 0 < share["ours"] < 1


@pytest.mark.parametrize("name", _workloads.SUITES["cpu"])
def test_rivals_networks_have_our_parameters_and_products(name):
    torch = pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    from torch.utils.flop_counter import FlopCounterMode

    networks = importlib.import_module("benchmarks._torch_networks")
    workload = _workloads.SUITES["cpu"][name].workload
    setup = workload.setup()
    shape = setup.trainer.example_shape
    model = networks.NETWORKS[workload.torch_network].build()
    ours = count_parameters(setup.trainer.model, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    assert sum(p.numel() for p in model.parameters()) == ours
    x = torch.zeros((2, *((shape[2], *shape[:2]) if len(shape) == 3 else shape)))
    with FlopCounterMode(display=False) as counter:
        assert model.eval()(x).shape == (2, setup.dataset.num_classes)
    forward = sum(flops for flops, _ in _step_cost.forward_products(setup.trainer, batch=2))
    assert counter.get_total_flops() == forward


def test_a_convolutional_rival_trains_as_well_as_ours():
    pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    rivals = importlib.import_module("benchmarks._torch_rivals")
    part = _workloads._part("cnn", "CNN", (28, 28, 1), 16, 4, (4,), epochs=3)
    training = ShadowTraining(part.workload, models=4)
    training.run()
    for kind, options in (("UsualLoop", {}), ("ConvLoop", {}), ("ConvLoop", {"channels_last": False})):
        rival = getattr(rivals, kind)(part.workload, models=4, threads=1, **options)
        assert rival.run() == 4 * 3 * 4 and dict(rival.facts) == dict(training.facts)
        for mine, theirs in zip(training.outcome(), rival.outcome(), strict=True):
            require_equal_means(kind, mine, theirs)


def test_a_part_measured_again_takes_its_place_in_the_file(tmp_path):
    file = tmp_path / "suite.json"
    for part, value in (("b", 1.0), ("a", 2.0), ("b", 3.0)):
        replace_part(file, part, [Row(f"{part} row", "s", [value])], ["a", "b"])
    written = json.loads(file.read_text())
    assert [(row["part"], row["ours"]) for row in written["rows"]] == [("a", 2.0), ("b", 3.0)]
    assert set(written["parts"]) == {"a", "b"} and "cpu" in written["parts"]["a"]["machine"]


def test_a_suite_refuses_to_be_quick_instead_of_ignoring_it():
    with pytest.raises(SystemExit, match="--quick with --suite cpu"):
        shadow_training.main(quick=True, suite="cpu")


def test_a_number_of_models_that_does_not_fit_costs_no_other(monkeypatch):
    class Ran:
        facts, device_bytes, compile_seconds = {}, 0, 1.0

        def __init__(self, name):
            self.name = name

    @contextlib.contextmanager
    def started(contender, seconds):
        if contender.options.get("models") == 16:
            raise ContenderFailed("ours, 16 models: RESOURCE_EXHAUSTED")
        yield Ran(contender.name)

    monkeypatch.setattr(_suite, "running", started)
    monkeypatch.setattr(_suite, "alternate", lambda runs, repeats: {run.name: [1.0] for run in runs})
    part = dataclasses.replace(_workloads.SUITES["cpu"]["mlp"], counts=(1, 16, 64))
    names = [row.name for row in _suite.measure_part(part, "cpu", alone=True)]
    assert any("64 models of ours" in name for name in names) and not any("16 models" in name for name in names)
