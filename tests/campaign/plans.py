"""A table, a plan of it, and a client who trains forests by it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from miajax.campaign.handover import Plan, campaign_of, hand_out
from miajax.data.registry import DataOptions

ROWS, MODELS = 240, 8


def table(path: Path, rows: int = ROWS) -> Path:
    """Writes a CSV of three numbers, a text, a key and a class of two names."""
    rng = np.random.default_rng(3)
    numbers, colour = rng.normal(size=(rows, 3)), rng.choice(["red", "green", "blue"], rows)
    sick = numbers[:, 0] + rng.normal(size=rows) > 0
    cells = zip(rng.permutation(rows), numbers, colour, sick, strict=True)
    lines = [
        f"P{key:04d},{a:.6f},{b:.6f},{c:.6f},{word},{'sick' if ill else 'healthy'}"
        for key, (a, b, c), word, ill in cells
    ]
    path.write_text("\n".join(["patient,a,b,c,colour,diagnosis", *lines]) + "\n")
    return path


def planned(folder: Path, key_column: str | None = "patient", **settings) -> Plan:
    """A plan in ``folder/plan`` of a table in ``folder/patients.csv``."""
    data = DataOptions(
        data_path=str(table(folder / "patients.csv")), label_column="diagnosis", drop_columns=("patient",)
    )
    config = campaign_of(
        "table", data, **{"num_shadows": MODELS, "seed": 5, "split": "fixed_size", "member_fraction": 0.5, **settings}
    )
    return hand_out(config, folder / "plan", key_column)


def helper(plan: Path) -> ModuleType:
    """The plan's own ``handover.py``, as a script beside it imports it."""
    spec = importlib.util.spec_from_file_location(f"handover_{abs(hash(plan))}", plan / "handover.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def data_of_client(folder: Path) -> tuple[np.ndarray, list[str], list[str]]:
    """What the client makes of the table: features of its own, labels by name, keys."""
    lines = [line.split(",") for line in (folder / "patients.csv").read_text().splitlines()[1:]]
    features = np.array([[float(line[1]), float(line[2]), float(line[3]), len(line[4])] for line in lines])
    return features, [line[5] for line in lines], [line[0] for line in lines]


def trained(folder: Path) -> list[np.ndarray]:
    """Trains a forest for every model that is missing, leaves its answers, and returns them."""
    handover, (features, labels, _) = helper(folder / "plan"), data_of_client(folder)
    y, answers = handover.codes(labels), []
    for model in handover.missing():
        rows = handover.members(model)
        forest = RandomForestClassifier(10, random_state=model).fit(features[rows], y[rows])
        answers.append(forest.predict_proba(features))
        handover.leave(model, answers[-1], labels)
    return answers
