"""Runs in object stores: in memory, and in a real S3 server where moto is installed."""

import json
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.runs import inspection, mounts
from miajax.runs.atomic import write_sealed
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import Damaged
from miajax.runs.mirror import Mirror
from miajax.runs.objects import Store
from tests.runs import uploads

URL = "memory://stores/run"
FIRST, SECOND = range(4), range(4, 8)


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """Another machine: working copies of its own."""
    number = iter(range(100))

    def other():
        mounts.forget()
        monkeypatch.setenv("MIAJAX_STORES", str(tmp_path / f"machine-{next(number)}"))

    other()
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield other
    mounts.forget()
    files.store.clear()


def opened(wanted="whole", url=URL):
    return RunFolder.open(mounts.mounted("--run", url, wanted))


def made(url=URL):
    run = RunFolder.create(mounts.mounted("--out", url, "files"), {"a": 1}, {})
    run.enter()
    write_sealed(run.path / "config.json", {})
    mounts.publish()
    return run


def values(models):
    return np.arange(20.0).reshape(4, 5) + models.start


def stored(run, models, parameters=None):
    with run.lock(models) as ours:
        assert ours
        run.save_group(models, {"signals": values(models)}, {"logits": values(models)}, parameters, {})


def objects(under="/stores/run"):
    return {name.removeprefix(f"{under}/") for name in fsspec.filesystem("memory").find(under)}


def test_a_group_that_one_machine_stored_is_read_by_another_to_the_bit(machine):
    run = made()
    stored(run, FIRST, {"w": np.ones(3)})
    machine()
    other = opened()
    assert other.done() == [FIRST]
    other.verify(FIRST)
    for kind in ("signals", "logits"):
        ((models, array),) = other.parts(kind, 4)
        assert models == FIRST
        assert np.array_equal(array, values(FIRST))
    assert len(other.checkpoints(4)) == 1
    assert inspection.problems(other.path) == []


def test_a_group_without_its_commit_is_not_there(machine):
    run = made()
    stored(run, FIRST)
    stored(run, SECOND)
    fsspec.filesystem("memory").rm("/stores/run/.store/commits/00004-00007.json")
    assert any(name.startswith(".store/uploads/00004-00007/") for name in objects())
    machine()
    other = opened()
    assert other.done() == [FIRST]
    assert not (other.groups / "00004-00007").exists()
    assert other.missing(range(8), 4) == [SECOND]


def test_an_upload_that_fails_leaves_nothing_to_see_and_is_sent_by_the_next_command(machine, monkeypatch):
    run = made()
    stored(run, FIRST)

    def fails(self, name, data):
        raise UserError("the store does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "put", fails)
        with pytest.raises(UserError, match="does not answer"):
            stored(run, SECOND)
    mounts.forget()
    told = []
    again = RunFolder.create(mounts.mounted("--out", URL, "files"), {"a": 1}, {})
    assert again.done() == [FIRST]
    again.tell(told.append)
    again.enter()
    assert again.done() == [FIRST, SECOND]
    assert "00004-00007 were finished before and are sent now" in told[0]
    machine()
    assert opened().done() == [FIRST, SECOND]
    opened().verify(SECOND)


@pytest.mark.parametrize("kind", ["groups/00000-00003/signals.npy", "logits/00000-00003.npy"])
def test_damage_in_the_store_is_named_and_set_aside_and_the_copy_on_this_machine_is_no_excuse(kind, machine):
    run = made()
    stored(run, FIRST)
    files = fsspec.filesystem("memory")
    (name,) = (name for name in objects() if name.endswith(kind))
    content = bytearray(files.cat_file(f"/stores/run/{name}"))
    content[-1] ^= 1
    files.pipe_file(f"/stores/run/{name}", bytes(content))
    mounts.forget()
    for _ in range(2):
        path = mounts.mounted("--run", URL, "afresh")
        assert "was changed or damaged" in inspection.problems(path)[0].what
        machine()
    run = made()
    run.fetch(FIRST)
    with pytest.raises(Damaged):
        run.verify(FIRST)
    with run.lock(FIRST) as ours:
        assert ours
        run.set_aside(FIRST)
    assert run.missing(FIRST, 4) == [FIRST]
    stored(run, FIRST)
    machine()
    run = opened("afresh")
    run.verify(FIRST)
    assert any("/damaged/" in name for name in run.garbage_in_store())
    run.collect()
    assert run.garbage_in_store() == {}
    opened("afresh").verify(FIRST)


def test_what_a_working_copy_holds_is_not_believed():
    run = made()
    stored(run, FIRST)
    (run.path / "labels.npy").write_bytes(b"of another time")
    mounts.publish()
    (run.path / "labels.npy").write_bytes(b"tampered with")
    (run.path / "left.json").write_text("{}")
    file = run.groups / "00000-00003" / "signals.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    mounts.forget()
    again = opened()
    assert (again.path / "labels.npy").read_bytes() == b"of another time"
    assert not (again.path / "left.json").exists()
    again.verify(FIRST)


def test_the_first_manifest_counts_where_two_machines_begin_at_once(machine):
    first = made()
    created = first.manifest
    machine()
    path = mounts.mounted("--out", URL, "files")
    for file in path.glob("*.json"):
        file.unlink()  # as if it had looked before the first one wrote
    assert RunFolder.create(path, {"a": 1}, {"plan": "another"}).manifest == created
    (path / "manifest.json").unlink()
    with pytest.raises(UserError, match="another configuration"):
        RunFolder.create(path, {"a": 2}, {})


def test_an_unfinished_group_goes_on_on_another_machine(machine):
    run, state = made(), {"w": np.arange(3.0)}
    with run.lock(FIRST) as ours:
        assert ours
        run.save_progress(FIRST, state, 2.0)
        run.save_progress(FIRST, {"w": state["w"] + 1}, 3.0)
    machine()
    other = made()
    assert other.unfinished() == [FIRST]
    tree, seconds, note = other.load_progress(FIRST, state)
    assert np.array_equal(tree["w"], state["w"] + 1)
    assert (seconds, note) == (3.0, "")
    stored(other, FIRST)
    assert not any("in-progress" in name for name in objects())


def test_two_machines_never_train_the_same_models(machine):
    run = made()
    with run.lock(FIRST) as ours:
        machine()
        other = made()
        with other.lock(range(2, 6)) as theirs:
            assert ours
            assert not theirs
        with pytest.raises(UserError, match="another process is at work"):
            other.collect()
    with other.lock(range(2, 6)) as theirs:
        assert theirs


@pytest.mark.parametrize("name", ["../evil", "/evil", "groups/00004-00007/x.npy", "groups/../x", "manifest.json", ""])
def test_a_commit_writes_nothing_outside_its_own_group(name, machine, tmp_path):
    run = made()
    stored(run, FIRST)
    record = tmp_path / "commit.json"
    fetched = fsspec.filesystem("memory").cat_file("/stores/run/.store/commits/00000-00003.json")
    told = {key: value for key, value in json.loads(fetched).items() if key != "seal"}
    write_sealed(record, {**told, "files": {**told["files"], name: {"sha256": "", "size": 1}}})
    fsspec.filesystem("memory").pipe_file("/stores/run/.store/commits/00000-00003.json", record.read_bytes())
    machine()
    other = opened()
    assert not (other.groups / "00000-00003").exists()
    with pytest.raises(Damaged):
        other.verify(FIRST)


def test_an_object_whose_name_leads_elsewhere_is_refused():
    for name in ("../up", "a/../../up", "a//b", "a\0"):
        with pytest.raises(UserError, match="names that are paths below the URL"):
            mounts._parts(name)


def test_something_that_miajax_did_not_write_is_neither_fetched_nor_written_over():
    fsspec.filesystem("memory").pipe_file("/stores/run/thesis.pdf", b"x")
    with pytest.raises(UserError, match=r"holds 1 objects that miajax did not write \(thesis.pdf"):
        made()
    assert objects() == {"thesis.pdf"}


def test_messages_name_the_url_and_not_the_working_copy():
    run = made()
    assert mounts.shown(f"report: {run.path / 'report.html'}") == f"report: {URL}/report.html"


def test_a_key_that_all_machines_share_is_the_first_ones(machine):
    run = made()
    (run.path / "noise.key").write_bytes(b"first")
    assert not mounts.settled(run.path / "noise.key")
    machine()
    path = mounts.mounted("--out", URL, "files")
    (path / "noise.key").write_bytes(b"second")
    assert mounts.settled(path / "noise.key")
    assert (path / "noise.key").read_bytes() == b"first"
    assert (path / "noise.key").stat().st_mode & 0o077 == 0


def test_runs_below_a_url_are_mirrored_each(machine):
    path = mounts.mounted("--out", "memory://stores/study", "files")
    (path / "one").mkdir()
    run = RunFolder.create(path / "one", {"a": 1}, {})
    run.enter()
    stored(run, FIRST)
    (path / "study.json").write_text("{}")
    mounts.publish()
    machine()
    path = mounts.mounted("--run", "memory://stores/study", "whole")
    RunFolder.open(path / "one").verify(FIRST)
    assert (path / "study.json").read_text() == "{}"
    assert [each.models for each in inspection.found_runs(path)] == [4]


def test_only_records_are_fetched_where_only_they_are_looked_at(machine):
    stored(made(), FIRST)
    machine()
    run = opened("records")
    assert inspection.details(run.path)["groups"][0]["models"] == 4
    assert not (run.groups / "00000-00003" / "signals.npy").exists()
    assert inspection.summary(run.path).size > 300


@pytest.fixture
def s3(machine, monkeypatch):
    pytest.importorskip("moto.server", reason="no S3 server: moto[s3], flask and flask-cors are not installed")
    pytest.importorskip("s3fs", reason="no client of S3: s3fs is not installed")
    with uploads.s3_server():
        yield f"s3://{uploads.BUCKET}/run"


def test_a_real_s3_server_holds_a_run_that_another_machine_reads(s3, machine):
    run = made(s3)
    stored(run, FIRST, {"w": np.ones(3)})
    (run.path / "results.json").write_text("{}")
    mounts.publish()
    machine()
    other = opened("afresh", s3)
    other.verify(FIRST)
    assert (other.path / "results.json").read_text() == "{}"
    with other.lock(SECOND) as ours:
        machine()
        third = made(s3)
        with third.lock(SECOND) as theirs:
            assert ours
            assert not theirs


def test_a_bucket_that_is_not_there_and_a_server_that_does_not_answer_are_one_line(s3, monkeypatch):
    with pytest.raises(UserError, match="s3://nowhere/run: there is no bucket of that name"):
        made("s3://nowhere/run")
    mounts.forget()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{uploads.free_port()}")
    monkeypatch.setattr("miajax.runs.objects._TRANSPORT", {"connect_timeout": 1, "retries": {"max_attempts": 1}})
    with pytest.raises(UserError, match=r"s3://runs/x: .* failed"):
        made("s3://runs/x")


@pytest.mark.slow
def test_a_kill_during_an_upload_leaves_each_group_whole_or_absent():
    pytest.importorskip("moto.server", reason="no S3 server: moto[s3], flask and flask-cors are not installed")
    pytest.importorskip("s3fs", reason="no client of S3: s3fs is not installed")
    # A process of its own: it forks, which one that runs JAX's threads may not.
    command = [sys.executable, "-m", "tests.runs.uploads", "3", "1"]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    assert told["whole_or_absent"] == told["finished"] == 3


def test_a_unit_is_seen_only_by_its_commit(tmp_path):
    store = Store(URL)
    store.put(".store/commits/nonsense.json", b"{}")
    assert Mirror(store, tmp_path).units() == set()
