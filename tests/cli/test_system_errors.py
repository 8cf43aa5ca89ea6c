"""What the operating system refuses is one line and status 2."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from miajax.cli import command
from miajax.training.devices import use_compilation_cache
from tests.studies.helpers import ROOT


@pytest.mark.parametrize("code", [errno.ENAMETOOLONG, errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.EIO])
def test_a_system_error_is_one_line_with_the_path(code, capsys):
    def refused(_):
        raise OSError(code, os.strerror(code), "some/path")

    with pytest.raises(SystemExit) as end:
        command.main(refused, [])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1
    assert said.startswith(f"error: some/path: {os.strerror(code)}")


def test_output_that_cannot_be_written_is_told(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    call = [sys.executable, "-m", "miajax", "epsilon", "--num_examples", "1000", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: output cannot be written (No space left on device)")
    assert done.stderr.count("\n") == 1


def test_a_user_without_a_home_computes_without_a_cache(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR", "MIAJAX_COMPILATION_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert use_compilation_cache() is None
