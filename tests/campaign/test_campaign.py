"""A campaign: resumed, grown, shared, refused; diverged models named."""

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign import group_trainer, planning, runner
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.interrupt import Stopped
from miajax.campaign.run import run_campaign
from miajax.campaign.runner import Incomplete
from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.runs.checkpoints import load_tree
from miajax.runs.folder import RunFolder
from miajax.signals.passes import Passes
from miajax.training.ensemble import Ensemble
from miajax.training.plan import choose_plan
from tests.studies.helpers import ROOT, bits, small


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    return run_campaign(small(), path)


def test_membership_lies_on_disk_before_training(tmp_path, monkeypatch):
    def no_training(*_):
        raise RuntimeError("before training")

    monkeypatch.setattr(runner.Runner, "_train", no_training)
    setup = small()
    with pytest.raises(RuntimeError, match="before training"):
        run_campaign(setup, tmp_path / "r")
    np.testing.assert_array_equal(np.load(tmp_path / "r" / "membership.npy"), setup.membership())


def test_signals_are_those_of_the_stored_logits_and_accuracies_follow(undisturbed):
    run, labels = undisturbed.folder, undisturbed.setup.dataset.labels
    logits = run.gather("logits", 16).astype(np.float64)[:, :, 0]
    rows = np.arange(len(labels))
    own = logits[:, rows, labels].copy()
    logits[:, rows, labels] = -np.inf
    others = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    np.testing.assert_allclose(undisturbed.signals[:, :, 0], own - others, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(undisturbed.correct, own > logits.max(-1))
    inside = [undisturbed.correct[m, undisturbed.member[m]].mean() for m in range(16)]
    np.testing.assert_allclose(undisturbed.train_accuracy, inside)


def test_running_again_trains_nothing(undisturbed):
    again = run_campaign(undisturbed.setup, undisturbed.folder.path)
    assert again.trained == 0
    np.testing.assert_array_equal(again.signals, undisturbed.signals)


def test_a_larger_campaign_trains_only_the_new_models(undisturbed, tmp_path):
    before = run_campaign(small(6), tmp_path / "r")
    grown = run_campaign(small(16), tmp_path / "r")
    assert (before.trained, grown.trained) == (6, 10)
    np.testing.assert_array_equal(grown.signals, undisturbed.signals)
    smaller = run_campaign(small(4), tmp_path / "r")
    assert smaller.trained == 0 and smaller.signals.shape[0] == 4 and "holds 16 models" in smaller.notes[-1]


@pytest.mark.parametrize("changes", [{"parallel": "pmap"}, {"group": 16}, {"keep": ("logits",)}])
def test_what_is_no_part_of_the_bits_changes_none(undisturbed, tmp_path, changes):
    other = run_campaign(small(**changes), tmp_path / "r")
    np.testing.assert_array_equal(other.signals, undisturbed.signals)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("seed", {"seed": 1}),
        ("member_fraction", {"member_fraction": 0.4}),
        ("split", {"split": "bernoulli"}),
        ("recipe.learning_rate", {"recipe": dataclasses.replace(small().config.recipe, learning_rate=0.05)}),
        ("model.widths", {"model_options": dataclasses.replace(small().config.model_options, widths=(16,))}),
        ("content_hash", {"data": dataclasses.replace(small().config.data, max_examples=299)}),
    ],
)
def test_another_configuration_in_the_same_folder_is_refused_by_name(undisturbed, field, changes):
    before = bits(undisturbed.folder.path)
    with pytest.raises(UserError, match=field):
        run_campaign(small(**changes), undisturbed.folder.path)
    assert bits(undisturbed.folder.path) == before


def test_parts_trained_apart_make_the_same_campaign(undisturbed, tmp_path):
    for part in ("5:16", "0:2"):
        with pytest.raises(Incomplete, match="still missing"):
            run_campaign(small(models=part), tmp_path / "r")
    rest = run_campaign(small(), tmp_path / "r")
    assert rest.trained == 3
    np.testing.assert_array_equal(rest.signals, undisturbed.signals)


def test_an_unfinished_group_goes_on_from_its_checkpoint(undisturbed, tmp_path, monkeypatch):
    class StopAfterFirstEpoch:
        def __enter__(self):
            return lambda: True

        def __exit__(self, *_):
            return False

    with monkeypatch.context() as patch:
        patch.setattr(runner, "asked_to_stop", StopAfterFirstEpoch)
        with pytest.raises(Stopped):
            run_campaign(small(), tmp_path / "r")
    assert list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))
    resumed = run_campaign(small(), tmp_path / "r")
    np.testing.assert_array_equal(resumed.signals, undisturbed.signals)
    assert not list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))


@pytest.mark.parametrize("keep", [None, ("losses",)])
def test_an_epoch_under_way_goes_on_from_its_checkpoint(undisturbed, tmp_path, monkeypatch, keep):
    class StopAtOnce:
        def __enter__(self):
            return lambda: True

        def __exit__(self, *_):
            return False

    def one_step(self, group, steps, one_epoch):
        return divmod(self.steps_done(group) + 1, self.trainer.steps_per_epoch)

    stops, wanted = 0, small(keep=keep)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "asked_to_stop", StopAtOnce)
        patch.setattr(Ensemble, "next_cut", one_step)
        while stops < 6:  # steps, of 4 an epoch
            with pytest.raises(Stopped):
                run_campaign(wanted, tmp_path / "r")
            stops += 1
    resumed = run_campaign(wanted, tmp_path / "r")
    np.testing.assert_array_equal(resumed.signals, undisturbed.signals)
    for name in ("training_loss", "training_accuracy"):
        np.testing.assert_array_equal(resumed.folder.gather(name, 16), undisturbed.folder.gather(name, 16))
    if keep:
        assert np.isfinite(resumed.folder.gather("losses", 16)).all()


class StopAmidQuery:
    """Whether to stop is asked for the ``at``-th time while a query is under way, and answered with yes."""

    def __init__(self, patch, at: int):
        self.asked, self.calls, real = 0, [], Passes.__call__

        def each(passes, models, between):
            def asked():
                self.asked += 1
                between()

            passes._rate = 0.0  # a pass a call at first
            for number, answers in real(passes, models, asked):
                passes._rate = 0.0
                self.calls.append(number)
                yield number, answers
                passes._rate = 0.0

        patch.setattr(Passes, "__call__", each)
        patch.setattr(runner, "asked_to_stop", lambda: contextlib.nullcontext(lambda: self.asked >= at))


@pytest.mark.parametrize("keep", [None, ("losses", "margins", "early")])
@pytest.mark.parametrize("at", [1, 2])
def test_a_query_is_given_up_after_one_pass_and_asked_again_later(tmp_path, monkeypatch, keep, at):
    def plan_of_blocks(*args, **options):
        return dataclasses.replace(choose_plan(*args, **options), query_block=64)

    monkeypatch.setattr(planning, "choose_plan", plan_of_blocks)
    whole = run_campaign(small(4, keep=keep), tmp_path / "whole")
    with monkeypatch.context() as patch:
        amid = StopAmidQuery(patch, at)
        with pytest.raises(Stopped):
            run_campaign(small(4, keep=keep), tmp_path / "r")
    assert amid.calls == list(range(at)), "no pass follows the request"
    assert list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))
    resumed = run_campaign(small(4, keep=keep), tmp_path / "r")
    recorded = ("losses", "margins", "early_logits", "early_gradient_norm") if keep else ("logits",)
    for name in ("signals", "correct", "training_loss", *recorded):
        found, wanted = (run.folder.gather(name, 4) for run in (resumed, whole))
        assert np.isfinite(found).all(), name
        np.testing.assert_array_equal(found, wanted, err_msg=name)


def test_a_group_whose_step_takes_too_long_is_cut_and_stays_cut(tmp_path, monkeypatch):
    whole = run_campaign(small(chunk=1), tmp_path / "whole")
    monkeypatch.setattr(group_trainer, "STEP_SECONDS", 1e-6)
    cut = run_campaign(small(chunk=1), tmp_path / "r")
    np.testing.assert_array_equal(cut.signals, whole.signals)
    width = cut.plan.placement().width
    assert cut.plan.group == width < 16 <= whole.plan.group
    assert [len(models) for models in cut.folder.done()] == [width] * (16 // width)
    assert cut.folder.manifest["plan"]["group"] == width and cut.trained == 16
    asked = run_campaign(small(group=16, chunk=1), tmp_path / "asked")
    assert asked.plan.group == 16


def test_kept_losses_are_those_of_every_epoch(undisturbed, tmp_path):
    kept = run_campaign(small(keep=("losses",)), tmp_path / "r")
    losses = kept.folder.gather("losses", 16)
    assert losses.shape == (16, 3, 300)
    np.testing.assert_array_equal(kept.signals, undisturbed.signals)
    np.testing.assert_allclose(losses[:, -1], np.logaddexp(0, -kept.signals[:, :, 0]), rtol=1e-6)


def test_kept_parameters_give_the_stored_logits(undisturbed):
    run, trainer, data = undisturbed.folder, undisturbed.setup.trainer, undisturbed.setup.dataset
    (first, *_) = run.done()
    params, state = load_tree(run.path / "checkpoints" / f"{first.start:05d}-{first.stop - 1:05d}")
    one = {name: {k: v[0] for k, v in layer.items()} for name, layer in params.items()}
    logits, _ = trainer.model.apply(one, state, data.features, False, None)
    np.testing.assert_allclose(logits, run.gather("logits", 1)[0, :, 0], rtol=1e-4, atol=1e-4)


def _flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_damaged_group_is_named_set_aside_and_trained_again_to_the_same_bits(tmp_path):
    path = tmp_path / "r"
    first = run_campaign(small(16, group=8, chunk=1), path)
    reference = bits(path)
    _flip(path / "groups" / "00008-00015" / "signals.npy")
    again = run_campaign(first.setup, path)
    assert again.trained == 8 and bits(path) == reference
    (note,) = [note for note in again.notes if "trained again" in note]
    assert "Models 8 to 15 were damaged" in note and "signals.npy was changed" in note
    assert "damaged/00008-00015-1" in note
    assert (path / "damaged" / "00008-00015-1" / "groups" / "00008-00015" / "signals.npy").is_file()


def test_a_group_over_another_is_trained_again(tmp_path):
    path = tmp_path / "r"
    first = run_campaign(small(16, group=8, chunk=1), path)
    reference = bits(path)
    shutil.rmtree(path / "groups" / "00000-00007")
    shutil.copytree(path / "groups" / "00008-00015", path / "groups" / "00000-00007")
    assert run_campaign(first.setup, path).trained == 8
    assert bits(path) == reference


def test_a_damaged_checkpoint_costs_its_work_and_no_bits(undisturbed, tmp_path, monkeypatch):
    class StopAfterFirstEpoch:
        def __enter__(self):
            return lambda: True

        def __exit__(self, *_):
            return False

    with monkeypatch.context() as patch:
        patch.setattr(runner, "asked_to_stop", StopAfterFirstEpoch)
        with pytest.raises(Stopped):
            run_campaign(small(), tmp_path / "r")
    (state,) = (tmp_path / "r" / "checkpoints").glob("in-progress-*")
    largest = max((file for file in state.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    _flip(largest, largest.stat().st_size // 2)
    resumed = run_campaign(small(), tmp_path / "r")
    np.testing.assert_array_equal(resumed.signals, undisturbed.signals)
    assert any("trained from its start" in note and "damaged/in-progress-" in note for note in resumed.notes)


def exploding() -> Setup:
    """Some models meet members that blow up their training."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 4)).astype(np.float32), np.arange(80) % 2
    x[0] = 1e25
    config = CampaignConfig(num_shadows=8, recipe=dataclasses.replace(small().config.recipe, batch_size=20), chunk=2)
    return Setup.of(config, Dataset(x, y, 2, "exploding"))


def test_a_diverged_model_is_named_masked_and_never_averaged(tmp_path):
    result = run_campaign(exploding(), tmp_path / "r")
    saw = result.member[:, 0]
    assert 0 < saw.sum() < 8
    assert not result.valid[saw].any() and result.valid[~saw].all()
    assert np.isnan(result.signals[saw]).all() and np.isfinite(result.signals[~saw]).all()
    assert np.isnan(result.train_accuracy[saw]).all()
    assert "Diverged models" in result.notes[0] and str(int(np.flatnonzero(saw)[0])) in result.notes[0]


def test_a_changed_plan_is_recorded_and_told(tmp_path):
    run_campaign(small(4), tmp_path / "r")
    changed = run_campaign(small(8, chunk=4), tmp_path / "r")
    assert any("chunk: 2 before, 4 now" in note for note in changed.notes)
    (entry,) = RunFolder.open(tmp_path / "r").manifest["changed_plans"]
    assert entry["plan"]["chunk"] == 4
    assert entry["effect"]["models"] == 4
    assert 0 <= entry["effect"]["max_difference"] < 0.1 and entry["effect"]["rank_correlation"] > 0.999
    assert any("Effect of the changed plan on 4 models" in note for note in changed.notes)
    assert entry["effect"]["on_scores"]["rank_correlation"] > 0.999
    assert any("under global_threshold" in note and "TPR at FPR 0.01 from" in note for note in changed.notes)


def test_a_plan_is_reused_when_a_run_goes_on(tmp_path):
    run_campaign(small(4), tmp_path / "r")
    grown = run_campaign(small(8, chunk=None), tmp_path / "r")
    assert grown.plan.chunk == 2 and not grown.notes


def test_a_group_that_does_not_fit_the_memory_is_halved_and_bits_stay(undisturbed, tmp_path, monkeypatch):
    sizes = []

    real = group_trainer.Programs

    class Watched(real):
        def __init__(self, setup, plan, width, *rest):
            sizes.append(width)
            super().__init__(setup, plan, width, *rest)

        def device_bytes(self):
            return self.width

    monkeypatch.setattr(group_trainer, "Programs", Watched)
    monkeypatch.setattr(group_trainer, "free_memory", lambda device: 40)
    cut = run_campaign(small(64, group=64), tmp_path / "r")
    assert sizes == [64, 32]
    assert any("Groups were cut to 32 models" in note for note in cut.notes)
    np.testing.assert_array_equal(cut.signals[:16], undisturbed.signals)


def test_the_compilers_account_of_memory_grows_with_the_group(undisturbed):
    plan = undisturbed.plan
    small_one, large = (
        group_trainer.Programs(undisturbed.setup, plan, width, ("logits",)).device_bytes() for width in (16, 64)
    )
    assert 0 < small_one < large


CHILD = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
from pathlib import Path
from miajax.campaign.run import run_campaign
from tests.studies.helpers import small
run_campaign(small(24, group=4, checkpoint_minutes=0.0), Path(sys.argv[1]))
"""


ASKING = """
import sys, time
import jax
jax.config.update("jax_num_cpu_devices", 2)
from pathlib import Path
from miajax.campaign import planning
from miajax.campaign.interrupt import Stopped
from miajax.campaign.run import run_campaign
from miajax.signals.passes import Passes
from miajax.training.parallel import OverModels
from miajax.training.plan import choose_plan
from tests.studies.helpers import small
import dataclasses
planning.choose_plan = lambda *a, **o: dataclasses.replace(choose_plan(*a, **o), query_block=3)
run, call = OverModels.__call__, Passes.__call__
def slow(self, carried, per_model, shared):
    if len(shared) == 3 and asking:
        time.sleep(.5)
    return run(self, carried, per_model, shared)
asking = False
def asked(self, *args):
    global asking
    asking = True
    Path(sys.argv[2]).touch()
    yield from call(self, *args)
OverModels.__call__, Passes.__call__ = slow, asked
try:
    run_campaign(small(4), Path(sys.argv[1]))
except Stopped:
    sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_process_amid_its_query(tmp_path, number):
    """A hundred blocks of half a second each: 50 seconds that the process would not give up before."""
    began = tmp_path / "began"
    process = subprocess.Popen([sys.executable, "-c", ASKING, str(tmp_path / "r"), str(began)], cwd=ROOT)
    while process.poll() is None and not began.exists():
        time.sleep(0.05)
    time.sleep(1.2)  # in one of the first blocks
    process.send_signal(number)
    sent = time.perf_counter()
    assert process.wait(timeout=120) == 130
    assert time.perf_counter() - sent < 20
    assert list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))
    assert not RunFolder.open(tmp_path / "r").done()


def written(folder: Path) -> set[Path]:
    """What a campaign has stored of its models so far, unfinished files too; a folder may vanish while it is read."""
    return {Path(at) / name for at, _, names in os.walk(folder) for name in names if Path(at) != folder}


@pytest.mark.slow
def test_a_campaign_killed_at_random_moments_ends_with_the_same_bits(tmp_path):
    uncached = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}  # else the runs to kill are over too soon

    def child(path):
        command = [sys.executable, "-c", CHILD, str(path)]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, env=uncached)

    assert child(tmp_path / "whole").wait(timeout=300) == 0
    reference = bits(tmp_path / "whole")
    draws = random.Random(0)
    begun = 0  # how many processes have trained something before they were killed
    for _ in range(8):
        before, process = written(tmp_path / "killed"), child(tmp_path / "killed")
        while process.poll() is None and written(tmp_path / "killed") == before:
            time.sleep(0.01)  # it imports, compiles, or trains towards the next thing to store
        try:
            process.wait(timeout=draws.uniform(0.0, 0.2))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            begun += 1
        if process.wait() == 0:
            break
    else:
        assert child(tmp_path / "killed").wait(timeout=300) == 0
    assert begun >= 1
    assert bits(tmp_path / "killed") == reference
    leftovers = [p for p in (tmp_path / "killed").rglob("*") if ".partial-" in p.name or "checkpoint-tmp" in p.name]
    assert not [p for p in leftovers if p.parent.name != "killed"]


@pytest.mark.slow
def test_two_processes_share_one_campaign(tmp_path):
    whole = run_campaign(small(24, group=4), tmp_path / "whole")
    both = [subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "shared")], cwd=ROOT) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    np.testing.assert_array_equal(np.load(tmp_path / "shared" / "signals.npy"), whole.signals)
