"""Every command that reads a finished run, on simulated answers: figures, sentences and files stay what they were."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.golden.fixed_run import fixed_arrays, fixed_run, fixed_target
from tests.golden.snapshot import files_of, hold_against_kept, printed, results_of

COMMANDS = {
    "lira": ["--run", "RUN"],
    "attacks": ["--run", "RUN"],
    "low_budget": ["--run", "RUN", "--fpr", "0.01"],
    "stability": ["--run", "RUN", "--fpr", "0.05", "--top", "0.05", "--targets", "6"],
    "overfitting": ["--run", "RUN"],
    "outliers": ["--run", "RUN", "--resamples", "50"],
    "audit_target": ["--run", "RUN", "--target", "TARGET"],
    "import_signals": ["--source", "ARRAYS", "--format", "arrays", "--out", "OUT"],
    "audit_report": ["--run", "RUN"],
    "export": ["--run", "RUN", "--format", "privacy_meter", "--out", "OUT"],
    "epsilon": ["--members", "898", "--batch_size", "128", "--epochs", "30", "--epsilon", "8"],
}
RESULTS = {"attacks": "RUN/attacks", "low_budget": "RUN/low_budget", "stability": "RUN/stability",
           "outliers": "RUN/outliers", "overfitting": "RUN/overfitting", "audit_target": "RUN/targets/target",
           "lira": "RUN", "import_signals": "OUT", "audit_report": "RUN/audit_report"}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_command_does_what_it_did(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, update_golden: bool
):
    monkeypatch.setenv("COLUMNS", "200")
    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    monkeypatch.setattr("miajax.studies.attacked.entries.time", clock)  # seconds stand in a table
    places = {key: str(tmp_path / what) for key, what in
              {"RUN": "run", "OUT": "out", "TARGET": "target.npz", "ARRAYS": "arrays.npz"}.items()}  # fmt: skip

    def placed(text: str) -> str:
        for key, path in places.items():
            text = text.replace(key, path)
        return text

    argv = [placed(each) for each in COMMANDS[name]]
    if "RUN" in COMMANDS[name]:
        fixed_run(tmp_path / "run")
    if "TARGET" in COMMANDS[name]:
        fixed_target(tmp_path / "target.npz", tmp_path / "run")
    if "ARRAYS" in COMMANDS[name]:
        fixed_arrays(tmp_path / "arrays.npz")
    if name in ("export", "audit_report"):
        importlib.import_module("experiments.lira").run(["--run", places["RUN"]])
    before = set(files_of(tmp_path))
    capsys.readouterr()
    importlib.import_module(f"experiments.{name}").run(argv)
    out = capsys.readouterr().out
    found = {
        "printed": printed(out, tmp_path),
        "files": sorted(set(files_of(tmp_path)) - before),
        "results": results_of(Path(placed(RESULTS[name]))) if name in RESULTS else None,
    }
    assert not hold_against_kept(name, found, update_golden)
