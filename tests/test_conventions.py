"""The examples of docs/conventions.md run as they stand, with the real packages where these are installed."""

import re
from pathlib import Path

import numpy as np
import pytest

from miajax.cli.export import run as export
from miajax.cli.lira import run as lira

PAGE = (Path(__file__).parents[1] / "docs" / "conventions.md").read_text()


def ran(title: str, **replaced: str) -> dict:
    """The names that the example below a title leaves behind."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0], re.M | re.S)
    for before, after in replaced.items():
        assert before in code
        code = code.replace(before, after)
    names: dict = {}
    exec(compile(code, title, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every example works in a folder of its own."""
    monkeypatch.chdir(tmp_path)


SMALL = {"num_shadows=64": "num_shadows=4, epochs=2"}


def test_a_run_in_mlflow(monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((Path.cwd() / "mlruns").as_uri())
    mlflow.set_experiment("audits")
    figures = ran("MLflow", **SMALL)["figures"]
    (kept,) = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("audits").experiment_id])
    assert kept.data.metrics["auc"] == figures.auc.value and kept.data.metrics["miajax/models"] == 4.0
    assert [each.path for each in mlflow.MlflowClient().list_artifacts(kept.info.run_id)] == ["report.html"]


def test_a_run_in_wandb():
    pytest.importorskip("wandb")
    assert ran("Weights & Biases", **SMALL)["log"].summary["miajax/models"] == 4.0
    assert list(Path("wandb").glob("offline-run-*"))


def test_logits_from_safetensors():
    pytest.importorskip("safetensors")
    lira(["--num_shadows", "2", "--epochs", "1", "--keep", "logits", "parameters", "--out", "runs/kept"])
    export(["--run", "runs/kept", "--format", "safetensors", "--out", "exported"])
    names = ran("Parameters as safetensors")
    kept = np.asarray(names["run"].signals.logits)[0, :, 0]
    np.testing.assert_allclose(names["logits"], kept, rtol=1e-4, atol=1e-4)
    assert np.abs(kept).max() > 0.1


@pytest.mark.parametrize("own_keys", [False, True])
def test_the_table_of_examples_in_pandas(own_keys):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    person, sick = np.repeat(np.arange(60), 2), np.tile(["no", "yes"], 60)
    columns = {"age": rng.normal(40, 9, 120).round(2), "dose": rng.normal(size=120).round(3)}
    pd.DataFrame({"person": [f"p{i}" for i in person], "sick": sick, **columns}).to_csv("patients.csv", index=False)
    lira([
        "--dataset", "table", "--data_path", "patients.csv", "--label_column", "sick", "--group_column", "person",
        "--keep_keys", str(own_keys), "--num_shadows", "8", "--epochs", "1", "--batch_size", "16",
        "--out", "runs/people",
    ])  # fmt: skip
    names = ran("The table of examples in pandas")
    table = names["table"]
    assert table["class"].tolist() == sick.tolist() and set(names["by_class"].index) == {"no", "yes"}
    assert (table["key"].tolist() == [f"p{i}" for i in person]) == own_keys
    assert table.groupby("key").size().tolist() == [2] * 60 and len(names["exposed"]) == 20
    one = table.iloc[7]
    assert (table.index == np.arange(120)).all() and one["label"] == 1 and one["n_in"] + one["n_out"] == 8
