import os
import subprocess
import sys
import time

import pytest

from miajax.errors import UserError
from miajax.runs import leases as module
from miajax.runs import locks
from miajax.runs.folder import RunFolder
from miajax.runs.leases import Leases, Lost
from miajax.runs.objects import Folder

MODELS = range(4)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("MIAJAX_LEASE_SECONDS", "1.5")
    return Folder(tmp_path / "leases")


def test_a_lease_excludes_ranges_that_overlap_and_no_others(shelf):
    one, other = Leases(shelf), Leases(shelf)
    with one.hold(MODELS) as ours:
        assert ours
        for models, free in ((MODELS, False), (range(2, 6), False), (range(1), False), (range(4, 8), True)):
            with other.hold(models) as theirs:
                assert theirs == free
    with other.hold(MODELS) as theirs:
        assert theirs
    assert shelf.names("") == {}


def test_a_lease_that_is_renewed_stays_and_one_that_is_not_is_taken_over_and_said(shelf, monkeypatch):
    told = []
    one, other = Leases(shelf), Leases(shelf, say=told.append)
    with one.hold(MODELS) as ours:
        assert ours
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            with other.hold(MODELS) as theirs:
                assert not theirs
            time.sleep(0.1)
        assert told == []
        monkeypatch.setattr(Leases, "_content", lambda self, beat: b"{}")  # as if nobody renewed it
        until = time.monotonic() + 10
        while time.monotonic() < until and not told:
            with other.hold(MODELS) as theirs:
                time.sleep(0.1)
        assert "took over models 00000-00003: the lease of" in told[0]


def test_a_process_that_was_suspended_does_not_store_what_another_took_over(shelf, monkeypatch):
    told = []
    one, other = Leases(shelf), Leases(shelf, say=told.append)
    monkeypatch.setattr(one, "_renew", lambda *_: None)
    with one.hold(MODELS) as ours:
        assert ours
        one.check(MODELS)
        begun = time.monotonic()
        while not told:
            with other.hold(range(2)) as theirs:  # cut differently
                if theirs:
                    with pytest.raises(Lost, match="went to another process"):
                        one.check(MODELS)
            assert time.monotonic() - begun < 20
            time.sleep(0.1)
    assert time.monotonic() - begun > 0.5


def test_a_dead_process_of_this_machine_holds_nothing(shelf):
    code = (
        "import os, sys; from pathlib import Path; from miajax.runs.leases import Leases\n"
        "from miajax.runs.objects import Folder\n"
        f"held = Leases(Folder(Path({str(shelf.path)!r}))).hold(range(0, 4)); assert held.__enter__(); os._exit(0)"
    )
    environment = {**os.environ, "MIAJAX_LEASE_SECONDS": "3600"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    told = []
    with Leases(shelf, say=told.append).hold(MODELS) as ours:
        assert ours
        assert len(told) == 1


def test_one_of_several_takes_a_stale_lease_over(shelf):
    many = [Leases(shelf) for _ in range(5)]
    shelf.put("00000-00003.1", b"{}")
    for each in many:
        each._seen["00000-00003.1"] = b"{}", time.monotonic() - 10
    held = [each.hold(MODELS) for each in many]
    assert sum(each.__enter__() for each in held) == 1
    for each in held:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("seconds", ["0", "nan", "x", "1e9"])
def test_a_lease_of_no_time_is_refused(seconds, monkeypatch):
    monkeypatch.setenv("MIAJAX_LEASE_SECONDS", seconds)
    with pytest.raises(UserError, match="MIAJAX_LEASE_SECONDS"):
        module.lease_seconds()


def mounts_file(tmp_path, kind, options):
    file = tmp_path / "mounts"
    file.write_text(f"dev / ext4 rw 0 0\nserver:/x {tmp_path} {kind} {options} 0 0\n")
    return file


@pytest.mark.parametrize(
    ("kind", "options", "known"),
    [
        ("nfs4", "rw,vers=4.2,local_lock=none", True), ("nfs", "rw,vers=3,local_lock=none", True),
        ("nfs", "rw,vers=3,nolock,local_lock=all", False), ("nfs4", "rw,local_lock=posix", False),
        ("lustre", "rw,flock", True), ("lustre", "rw,localflock", False), ("fuse.sshfs", "rw", False),
        ("ext4", "rw", True),
    ],
)  # fmt: skip
def test_mounts_whose_locks_stay_on_one_machine_are_told(tmp_path, kind, options, known):
    assert locks._known_elsewhere(tmp_path / "run", mounts_file(tmp_path, kind, options)) == known


def test_where_the_file_system_has_no_locks_leases_keep_processes_apart(tmp_path, monkeypatch):
    import errno

    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "lockf", refused)
    one, other = (RunFolder.create(tmp_path, {"a": 1}, {}) for _ in range(2))
    with one.lock(MODELS) as ours, other.lock(MODELS) as theirs:
        assert ours
        assert not theirs
    with other.lock(MODELS) as ours:
        assert ours


def test_a_folder_with_leases_keeps_them_for_every_process(tmp_path):
    (tmp_path / locks.LEASES).mkdir()
    run = RunFolder.create(tmp_path, {"a": 1}, {})
    with run.lock(MODELS) as ours:
        assert ours
        assert [each.name for each in (tmp_path / locks.LEASES).iterdir()] == ["00000-00003.1"]
