"""The run folder: whole groups or none, other configurations refused, damage found."""

import errno
import json
import multiprocessing
import os
import shutil

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miajax.errors import UserError
from miajax.runs import atomic
from miajax.runs.checkpoints import save_tree
from miajax.runs.folder import RunFolder
from miajax.runs.identity import differences, fingerprint
from miajax.runs.names import range_name

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


def resealed(path, **changes):
    """A record that somebody rewrote, its seal with it."""
    record = atomic.read_sealed(path)
    atomic.write_sealed(path, {**record, **changes})


def test_a_group_copied_over_another_is_refused(tmp_path):
    run = a_run(tmp_path / "r")
    shutil.copytree(run.groups / "00000-00003", run.groups / "00004-00007")
    with pytest.raises(UserError, match=r"group 00004-00007 .*group\.json is that of models \[0, 4\]"):
        run.verify(range(4, 8))
    run.verify(range(4))


def test_a_group_of_another_run_is_refused(tmp_path):
    run = a_run(tmp_path / "r")
    other = RunFolder.create(tmp_path / "other", {**IDENTITY, "seed": 1}, {"plan": {}})
    other.save_group(range(4, 8), {"signals": np.zeros((4, 3, 2), np.float32)}, {}, None, {})
    shutil.copytree(other.groups / "00004-00007", run.groups / "00004-00007")
    with pytest.raises(UserError, match="that of another run"):
        run.verify(range(4, 8))


def test_a_group_that_shares_models_with_another_is_refused(tmp_path):
    run = a_run(tmp_path / "r")
    run.save_group(range(2, 6), {"signals": np.zeros((4, 3, 2), np.float32)}, {}, None, {})
    with pytest.raises(UserError, match="another group holds some of its models"):
        run.verify(range(2, 6))


@pytest.mark.parametrize(
    ("hashes", "reason"),
    [
        ({}, "lists no "),
        (None, "lists no files"),
        ({"groups/00000-00003/signals.npy": "0"}, "lists no "),
        ({"groups/00000-00003/../../../secret": "0"}, "is no file of this group|lists no "),
    ],
)
def test_a_record_that_does_not_name_every_file_of_its_group_is_refused(tmp_path, hashes, reason):
    run = a_run(tmp_path / "r")
    resealed(run.groups / "00000-00003" / "group.json", sha256=hashes)
    with pytest.raises(UserError, match=reason):
        run.verify(range(4))


def test_a_record_whose_kinds_are_fewer_than_the_campaigns_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"lists no groups/00000-00003/correct\.npy"):
        a_run(tmp_path / "r").verify(range(4), ("signals", "correct"))


def test_a_file_outside_the_group_is_no_file_of_it(tmp_path):
    run = a_run(tmp_path / "r")
    hashes = run.group_facts(range(4))["sha256"]
    resealed(run.groups / "00000-00003" / "group.json", sha256={**hashes, "/etc/passwd": "0"})
    with pytest.raises(UserError, match="'/etc/passwd', which is no file of this group"):
        run.verify(range(4))


def test_a_manifest_whose_identity_is_not_that_of_its_fingerprint_is_refused(tmp_path):
    run = a_run(tmp_path / "r")
    resealed(run.path / "manifest.json", identity={**IDENTITY, "seed": 7})
    with pytest.raises(UserError, match="its fingerprint is not that of its identity"):
        RunFolder.open(run.path)


def test_a_manifest_without_a_format_is_of_format_1_and_needs_no_seal(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"identity": IDENTITY, "fingerprint": fingerprint(IDENTITY)}))
    run = RunFolder.open(tmp_path)
    assert run.format == 1
    run.update_manifest(plan={})
    assert "seal" not in json.loads((tmp_path / "manifest.json").read_text()) and run.format == 1


def test_a_manifest_of_this_format_that_lost_its_seal_is_refused(tmp_path):
    run = a_run(tmp_path / "r")
    manifest = atomic.read_sealed(run.path / "manifest.json")
    atomic.write_json(run.path / "manifest.json", manifest)
    with pytest.raises(UserError, match="has lost its seal"):
        RunFolder.open(run.path)


def test_a_run_of_a_later_format_is_refused_with_the_reason(tmp_path):
    run = a_run(tmp_path / "r")
    run.update_manifest(format=3)
    with pytest.raises(UserError, match="has format 3; expected 1 to 2"):
        RunFolder.open(run.path)


def test_all_damaged_groups_are_named_at_once_to_those_who_only_read(tmp_path):
    run = a_run(tmp_path / "r")
    run.save_group(range(4, 8), {"signals": np.zeros((4, 3, 2), np.float32)}, {}, None, {})
    run.verify_all(8)
    (run.path / "logits" / "00000-00003.npy").unlink()
    (run.groups / "00004-00007" / "signals.npy").write_bytes(b"short")
    with pytest.raises(UserError, match=r"00000-00003: logits.* is missing; group 00004-00007: .* was changed"):
        run.verify_all(8)


def test_missing_models_are_named_to_those_who_only_read(tmp_path):
    with pytest.raises(UserError, match="lacks models 00004-00005"):
        a_run(tmp_path / "r").verify_all(6)


def test_a_group_set_aside_counts_as_missing_and_nothing_of_it_is_lost(tmp_path):
    run = a_run(tmp_path / "r")
    where = run.set_aside(range(4))
    assert run.missing(range(4), 4) == [range(4)]
    kept = {path.relative_to(where).as_posix() for path in where.rglob("*.npy")}
    assert kept == {"groups/00000-00003/signals.npy", "logits/00000-00003.npy"}
    assert (where / "checkpoints" / "00000-00003").is_dir()


ABSTRACT = {"w": jax.ShapeDtypeStruct((2, 3), np.float32)}


def test_an_unfinished_state_comes_back_with_its_seconds(tmp_path):
    run = RunFolder.create(tmp_path / "r", IDENTITY, {})
    state = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    for seconds in (1.0, 2.5):
        run.save_progress(range(4), state, seconds)
    back = run.load_progress(range(4), ABSTRACT)
    np.testing.assert_array_equal(back.tree["w"], state["w"])
    assert (back.seconds, back.note) == (2.5, "")
    assert run.load_progress(range(4, 8), ABSTRACT) == (None, 0.0, "")


def test_an_unfinished_state_of_other_models_is_set_aside(tmp_path):
    run = RunFolder.create(tmp_path / "r", IDENTITY, {})
    run.save_progress(range(4), {"w": np.ones((2, 3), np.float32)})
    place = run.path / "checkpoints"
    shutil.copytree(place / "in-progress-00000-00003", place / "in-progress-00004-00007")
    back = run.load_progress(range(4, 8), ABSTRACT)
    assert back.tree is None and "of other models" in back.note
    assert (run.path / "damaged" / "in-progress-00004-00007-1").is_dir()


def test_an_unfinished_state_of_an_older_version_is_resumed_with_a_note(tmp_path):
    identity = {"identity": IDENTITY, "fingerprint": fingerprint(IDENTITY), "format": 1}
    atomic.write_json(tmp_path / "manifest.json", identity)
    run, place = RunFolder.open(tmp_path), tmp_path / "checkpoints" / "in-progress-00000-00003"
    save_tree(place, {"w": np.full((2, 3), 5, np.float32)})
    atomic.write_json(place.with_name(f"{place.name}.json"), {"train_s": 3.0})
    back = run.load_progress(range(4), ABSTRACT)
    assert (back.tree["w"] == 5).all() and back.seconds == 3.0 and "without a hash" in back.note


def test_a_state_without_a_record_is_damaged_where_every_state_has_one(tmp_path):
    run = RunFolder.create(tmp_path, IDENTITY, {})
    save_tree(tmp_path / "checkpoints" / "in-progress-00000-00003", {"w": np.ones((2, 3), np.float32)})
    back = run.load_progress(range(4), ABSTRACT)
    assert back.tree is None and "trained from its start" in back.note


def test_leftovers_of_dead_processes_go_and_states_that_may_go_on_stay(tmp_path):
    run = a_run(tmp_path / "r")
    run.save_progress(range(4, 8), {"w": np.ones(2, np.float32)})
    run.save_progress(range(2, 6), {"w": np.ones(2, np.float32)})  # models 2 and 3 are finished: nobody asks for it
    for name in (".partial-manifest.json-1", "groups/.partial-00004-00007-2", "logits/.partial-x.npy-3"):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_bytes(b"half")
    RunFolder.open(run.path).enter()
    assert not list(run.path.rglob(".partial-*"))
    assert [path.name for path in run.path.glob("checkpoints/in-progress-*")] == ["in-progress-00004-00007"]


def _stay(path, ready, end):
    RunFolder(path).enter()
    ready.set()
    end.wait(60)


def test_files_of_a_process_at_work_are_no_leftovers(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    RunFolder.create(tmp_path, IDENTITY, {})
    process = context.Process(target=_stay, args=(tmp_path, ready, end))
    process.start()
    assert ready.wait(60)
    (tmp_path / ".partial-x-1").write_bytes(b"half")
    RunFolder(tmp_path).enter()
    assert (tmp_path / ".partial-x-1").exists()
    end.set()
    process.join()
    RunFolder(tmp_path).enter()
    assert not (tmp_path / ".partial-x-1").exists()


@pytest.mark.parametrize("there", [True, False], ids=["linked", "dangling"])
def test_a_linked_folder_inside_a_run_is_not_written_through(tmp_path, there):
    run = RunFolder.create(tmp_path / "r", IDENTITY, {})
    if there:
        (tmp_path / "elsewhere").mkdir()
    (run.path / "logits").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link to"):
        run.enter()


def test_a_users_umask_holds_for_files_and_folders(tmp_path):
    before = os.umask(0o077)
    try:
        run = a_run(tmp_path / "r")
    finally:
        os.umask(before)
    open_to_others = [path for path in run.path.rglob("*") if path.stat().st_mode & 0o077]
    assert not open_to_others


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
