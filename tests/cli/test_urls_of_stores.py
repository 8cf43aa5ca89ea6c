"""Commands on runs in a store: what they write and print is what they would in a folder."""

import json

import fsspec
import pytest

from miajax.cli.attacks import run as attacks
from miajax.cli.compare import run as compare
from miajax.cli.export import run as export
from miajax.cli.lira import run as lira
from miajax.cli.model_card import run as model_card
from miajax.cli.runs import run as runs
from miajax.errors import UserError
from miajax.runs import mounts

SMALL = (
    "--num_shadows", "8", "--epochs", "1", "--max_examples", "200", "--batch_size", "32", "--group", "4",
    "--chunk", "1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    files = fsspec.filesystem("memory")
    files.store.clear()

    def other(number):
        monkeypatch.setenv("MIAJAX_STORES", str(tmp_path / f"machine-{number}"))

    other(0)
    yield other
    files.store.clear()
    mounts.forget()


def content(name):
    return fsspec.filesystem("memory").cat_file(f"/bucket/{name}")


@pytest.mark.slow
def test_a_run_at_a_url_is_trained_attacked_looked_at_and_exported_as_one_in_a_folder(tmp_path, machine, capsys):
    lira([*SMALL, "--out", str(tmp_path / "run")])
    machine(1)
    capsys.readouterr()
    lira([*SMALL, "--out", "memory://bucket/run"])
    told = capsys.readouterr()
    assert "report: memory://bucket/run/report.html" in told.out
    assert "machine-1" not in told.out + told.err
    assert content("run/signals.npy") == (tmp_path / "run" / "signals.npy").read_bytes()
    machine(2)
    attacks(["--run", "memory://bucket/run", "--attacks", "gap", "lira_online_fixed"])
    attacks(["--run", str(tmp_path / "run"), "--attacks", "gap", "lira_online_fixed"])
    there, here = (json.loads(each) for each in (
        content("run/attacks/results.json"), (tmp_path / "run" / "attacks" / "results.json").read_bytes()
    ))  # fmt: skip
    for name, entry in here["attacks"].items():
        assert {**there["attacks"][name], "seconds": 0} == {**entry, "seconds": 0}
    assert "machine-" not in content("run/results.json").decode() + content("run/config.json").decode()
    machine(3)
    capsys.readouterr()
    assert runs(["list", "memory://bucket", "--json"])["runs"][0]["state"] == "finished"
    assert '"path": "memory://bucket/run"' in capsys.readouterr().out
    assert runs(["verify", "memory://bucket/run"])["runs"][0]["whole"]
    assert runs(["diff", "memory://bucket/run", str(tmp_path / "run"), "--json"])["differences"] == []
    assert runs(["gc", "memory://bucket/run"])["may_go"] == []
    export(["--run", "memory://bucket/run", "--format", "privacy_meter", "--out", "memory://bucket/files"])
    assert json.loads(content("files/export.json"))["models"] == list(range(8))
    with pytest.raises(UserError, match="is not empty"):
        export(["--run", "memory://bucket/run", "--format", "privacy_meter", "--out", "memory://bucket/files"])
    compare(["--run", "memory://bucket/run", "--with", str(tmp_path / "run")])
    assert "compare/results.json" in {name.removeprefix("/bucket/run/") for name in fsspec.filesystem("memory").store}
    assert "lira" in model_card(["--run", "memory://bucket/run"])


def test_a_read_of_what_is_not_there_is_one_line_and_writes_nothing():
    with pytest.raises(UserError, match="is not a run folder"):
        runs(["show", "memory://bucket/none"])
    with pytest.raises(UserError, match="--data_path s3://bucket/x is a URL"):
        lira(["--data_path", "s3://bucket/x"])
    assert fsspec.filesystem("memory").store == {}
