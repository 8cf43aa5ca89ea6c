"""Shadow forests on a table: a campaign beside the same fits in a plain joblib loop.

    python -m benchmarks.estimators --data_path adult.csv --label_column Salary [--json FILE] [--quick]

The rival fits the same forests on the same rows with the same seeds and asks them about the whole table, in as many
processes, one thread each. It keeps nothing. Ours also checks, hashes and stores what the models say.
"""

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import miajax as mj
from benchmarks import _flags
from benchmarks._rows import Row, print_rows, write_json
from miajax.campaign.estimators import random_state

_MODEL = "sklearn.ensemble:RandomForestClassifier"


def main(
    data_path: str, label_column: str, trees: int = 100, models: int = 64, repeats: int = 3,
    json: Path | None = None, quick: bool = False,
) -> None:  # fmt: skip
    """Times campaigns of random forests against a joblib loop, alternating.

    Args:
      data_path: the table, as --data_path takes it.
      label_column: its label.
      trees: of a forest.
      models: forests of a campaign.
      repeats: of each side.
      json: where to write the rows.
      quick: 4 forests of 10 trees, once.
    """
    trees, models, repeats = (10, 4, 1) if quick else (trees, models, repeats)
    data = mj.load_dataset("table", data_path=Path(data_path), label_column=label_column, encoding="trees")
    cores = len(os.sched_getaffinity(0))
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
            begin = time.perf_counter()
            run = mj.run_campaign(
                data, _MODEL, models, f"{place}/run", model_args=f'{{"n_estimators": {trees}}}', keep=("logits",)
            )
            ours.append(time.perf_counter() - begin)
            member = np.asarray(run.member)
        assert data.tree_features is not None
        rows = np.where(np.isnan(data.tree_features), -1, data.tree_features)
        begin = time.perf_counter()
        jobs = (joblib.delayed(_fitted)(rows, data.labels, np.flatnonzero(member[k]), trees, k) for k in range(models))
        answers = np.stack(list(cast(Iterable[np.ndarray], joblib.Parallel(n_jobs=cores)(jobs))))
        theirs.append(time.perf_counter() - begin)
        assert answers.shape == (models, data.num_examples, data.num_classes)
    rows_of = [
        Row(f"{models} forests of {trees} trees, {data.num_examples:,} rows", "s", ours,
            {f"joblib, {cores} processes of one thread": theirs}),
    ]  # fmt: skip
    print_rows("Shadow forests", rows_of)
    if json:
        write_json(json, rows_of)


def _fitted(rows: np.ndarray, labels: np.ndarray, members: np.ndarray, trees: int, model: int) -> np.ndarray:
    forest = RandomForestClassifier(n_estimators=trees, random_state=random_state(0, model), n_jobs=1)
    return forest.fit(rows[members], labels[members]).predict_proba(rows)


if __name__ == "__main__":
    _flags.call(main)
