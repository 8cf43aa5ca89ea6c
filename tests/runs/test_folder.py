"""The run folder: whole groups or none, other configurations refused, damage found."""

import errno
import json
import multiprocessing
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miajax.errors import UserError
from miajax.runs import atomic
from miajax.runs.folder import RunFolder, differences, fingerprint, range_name, with_space_for

IDENTITY = {"dataset": "d", "recipe": {"epochs": 3, "learning_rate": 0.1}, "seed": 0}


def a_run(path, models=range(4)):
    run = RunFolder.create(path, IDENTITY, {"plan": {}})
    run.save_group(
        models,
        {"signals": np.arange(len(models) * 6, dtype=np.float32).reshape(-1, 3, 2)},
        {"logits": np.ones((len(models), 3), np.float32)},
        {"w": np.full((len(models), 2), 7.0, np.float32)},
        {"plan": {}},
    )
    return run


def test_a_finished_group_reads_back(tmp_path):
    run = a_run(tmp_path / "r")
    run.verify(range(4))
    assert run.done() == [range(4)]
    np.testing.assert_array_equal(run.gather("signals", 4), np.arange(24, dtype=np.float32).reshape(4, 3, 2))
    np.testing.assert_array_equal(run.gather("logits", 2), np.ones((2, 3)))


def test_assembled_arrays_are_cut_at_the_models_asked_for(tmp_path):
    run = a_run(tmp_path / "r")
    whole = run.assemble("signals", 3)
    np.testing.assert_array_equal(whole, np.arange(18, dtype=np.float32).reshape(3, 3, 2))
    np.testing.assert_array_equal(np.load(tmp_path / "r" / "signals.npy"), whole)


@pytest.mark.parametrize("field", ["dataset", "seed", "recipe.epochs", "recipe.learning_rate"])
def test_another_configuration_is_refused_by_the_name_of_the_field(tmp_path, field):
    a_run(tmp_path / "r")
    changed = json.loads(json.dumps(IDENTITY))
    inner = changed
    *path, last = field.split(".")
    for name in path:
        inner = inner[name]
    inner[last] = 99
    assert fingerprint(changed) != fingerprint(IDENTITY)
    with pytest.raises(UserError, match=field.replace(".", r"\.")):
        RunFolder.create(tmp_path / "r", changed, {})


def test_the_same_configuration_opens_the_run(tmp_path):
    a_run(tmp_path / "r")
    assert RunFolder.create(tmp_path / "r", IDENTITY, {"plan": {"other": 1}}).manifest["plan"] == {}


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder.create(tmp_path, IDENTITY, {})
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("file", ["groups/00000-00003/signals.npy", "logits/00000-00003.npy"])
def test_damage_is_found_and_named(tmp_path, file):
    run = a_run(tmp_path / "r")
    path = run.path / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=file):
        run.verify(range(4))


def test_a_missing_checkpoint_is_found(tmp_path):
    run = a_run(tmp_path / "r")
    shutil.rmtree(run.path / "checkpoints" / "00000-00003")
    with pytest.raises(UserError, match="missing"):
        run.verify(range(4))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    atomic.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), atomic.atomic_file(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    atomic.write_npy(path, np.zeros(3))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match="no space left on the disk"):
        atomic.write_npy(path, np.ones(3))
    np.testing.assert_array_equal(np.load(path), np.zeros(3))


def test_a_campaign_too_large_for_the_disk_is_refused_before_it_begins(tmp_path):
    with_space_for(tmp_path / "new" / "run", 1, lambda: "signals")
    with pytest.raises(UserError, match=r"needs .* GB for logits"):
        with_space_for(tmp_path / "new" / "run", 1 << 60, lambda: "logits")


@given(
    done=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=4),
    count=st.integers(1, 40),
    group=st.integers(1, 9),
)
def test_missing_ranges_cover_exactly_what_is_missing(tmp_path_factory, done, count, group):
    run = RunFolder(tmp_path_factory.mktemp("r"))
    have = set()
    for first, size in done:
        (run.groups / range_name(range(first, first + size))).mkdir(parents=True, exist_ok=True)
        have |= set(range(first, first + size))
    ranges = run.missing(range(count), group)
    assert [i for r in ranges for i in r] == [i for i in range(count) if i not in have]
    assert all(len(r) <= group and r.start // group == (r.stop - 1) // group for r in ranges)


def _try_lock(path, models, result):
    with RunFolder(path).lock(models) as ours:
        result.put(ours)


def test_locks_exclude_overlapping_ranges_of_other_processes_and_end_with_the_process(tmp_path):
    context = multiprocessing.get_context("spawn")
    result = context.Queue()

    def another(models):
        process = context.Process(target=_try_lock, args=(tmp_path, models, result))
        process.start()
        answer = result.get(timeout=60)
        process.join()
        return answer

    run = RunFolder(tmp_path)
    with run.lock(range(4, 8)) as ours:
        assert ours
        assert another(range(8, 12))
        assert not another(range(5))
        with run.lock(range(7, 9)) as again:
            assert not again
    assert another(range(5))


def test_differences_name_nested_fields_and_both_values():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": None}) == ["a.c: 2 there, 3 asked for"]
