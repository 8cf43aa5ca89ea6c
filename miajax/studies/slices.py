"""By what figures are broken down: class, right or wrong, an outlier metric, a column of the user's own."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from miajax.array_files import load_npz
from miajax.campaign.gathered import Campaign
from miajax.errors import UserError
from miajax.metrics.slices import quantile_groups
from miajax.outliers.registry import METRICS
from miajax.runs.tables import read_table
from miajax.signals.bundle import Signals
from miajax.studies.outlier_metrics import SPACES, Spaces, estimators, spaces_of

_MOST_CATEGORIES = 50
_FEW_NUMBERS = 12  # a numeric column with more values than these is cut into quarters
_LONGEST_NAME = 200
_MODELS = 8  # whose features or logits an outlier metric looks at, as in the study of outliers
_QUARTERS = ("unknown", "quarter 1, lowest", "quarter 2", "quarter 3", "quarter 4, highest")


def user_column(file: Path, column: str, num_examples: int) -> np.ndarray:
    """One category an example from a table with the columns ``id`` and ``column``, Parquet or npz.

    Numbers with many values are cut into quarters; examples that the table does not name are ``unknown``.

    Args:
      file: the table.
      column: whose values are wanted.
      num_examples: ids lie in ``0..num_examples-1``.

    Returns:
      ``str[N]``.

    Raises:
      UserError: no such file or column, ids that are no examples or come twice, or too many categories.
    """
    table = _read(file)
    for name in ("id", column):
        if name not in table:
            raise UserError(
                f"{file} has no column {name}",
                expected="id and the column of --slice_column, among " + ", ".join(sorted(table)),
            )
    ids, values = np.asarray(table["id"]), np.asarray(table[column])
    if ids.dtype.kind not in "iu" or ids.ndim != 1 or values.shape != ids.shape:
        raise UserError(
            f"{file}: id has dtype {ids.dtype} and shape {ids.shape} beside {column} {values.shape}",
            expected="whole numbers, one a row",
        )
    if len(ids) and not (ids.min() >= 0 and ids.max() < num_examples):
        raise UserError(f"{file}: id runs from {ids.min()} to {ids.max()}", expected=f"0..{num_examples - 1}")
    if len(np.unique(ids)) < len(ids):
        raise UserError(f"{file}: some ids come twice", expected="one row an example")
    categories = np.full(num_examples, "unknown", object)
    categories[ids] = categories_of(str(file), column, values)
    _refuse_many(str(file), column, categories)
    return categories.astype(str)


def categories_of(where: str, column: str, values: np.ndarray) -> np.ndarray:
    """Values as categories, ``str[N]``: numbers with many values by quarters, what is missing ``unknown``.

    Args:
      where: for messages.
      column: its name.
      values: numbers, texts or objects, None or NaN where missing.

    Raises:
      UserError: what is no text, or too many categories.
    """
    if values.dtype.kind == "O":
        missing = np.array([each is None or each != each for each in values], bool)
        known = values[~missing].tolist()
        numeric = bool(known) and all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in known)
        if numeric:
            values = np.array([np.nan if gap else float(each) for each, gap in zip(values, missing, strict=True)])
            whole = np.array_equal(np.floor(values[~missing]), values[~missing])
            if whole and len(np.unique(values[~missing])) <= _FEW_NUMBERS:
                values = np.array(["unknown" if gap else str(int(v)) for v, gap in zip(values, missing, strict=True)])
        else:
            values = np.array(["unknown" if gap else each for each, gap in zip(values, missing, strict=True)], object)
    if values.dtype.kind == "f" or (values.dtype.kind in "iu" and len(np.unique(values)) > _FEW_NUMBERS):
        return np.array(_QUARTERS)[quantile_groups(values.astype(np.float64))]
    categories = np.array([_name(value) for value in values], object)
    _refuse_many(where, column, categories)
    return categories.astype(str)


def _refuse_many(where: str, column: str, categories: np.ndarray) -> None:
    if (found := len(set(categories))) > _MOST_CATEGORIES:
        raise UserError(f"{where}: {column} holds {found} categories", expected=f"at most {_MOST_CATEGORIES}")


def _name(value: Any) -> str:
    """A category as results, figures and pages can show it, whatever bytes the file holds."""
    return str(value).encode("utf-8", "backslashreplace").decode()[:_LONGEST_NAME]


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UserError(f"--slice_file {file} does not exist", expected="a .parquet or .npz file")
    return dict(load_npz(file)) if file.suffix == ".npz" else read_table(file)


def slicings(
    campaign: Campaign, signals: Signals, outlier_metric: str | None, columns: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Categories by name of the slicing, ``str[N]`` or ``str[M, N]``, and notes on what could not be made.

    Args:
      campaign: whose examples they are.
      signals: what it recorded.
      outlier_metric: of ``METRICS``, cut into quarters; None for no such slicing.
      columns: the user's own.
    """
    names = campaign.setup.dataset.class_names
    notes: list[str] = []
    made = {
        "class": np.array(names)[signals.labels],
        "prediction": np.where(np.asarray(signals.correct), "right", "wrong"),
    }
    if outlier_metric is not None:
        values, reason = outlierness(campaign, outlier_metric)
        if values is None:
            notes.append(f"Figures by {outlier_metric} are missing: {reason}.")
        else:
            made[outlier_metric] = np.array(_QUARTERS)[quantile_groups(values)]
    return {**made, **columns}, notes


def outlier_names() -> tuple[str, ...]:
    """What ``outlierness`` knows: the registry's metrics, and its geometry in each space, as the study names it."""
    in_spaces = [f"{space}_{name}" for space in SPACES for name, each in METRICS.items() if each.family == "geometry"]
    return (*METRICS, *in_spaces)


def outlierness(campaign: Campaign, name: str) -> tuple[Float[np.ndarray, " examples"] | None, str]:
    """One outlier metric by all valid models, as the study of outliers estimates it.

    Args:
      campaign: whose examples they are.
      name: of ``outlier_names()``; geometry without a space is that of the inputs.

    Returns:
      ``float64[N]``, NaN where no model says anything; or None and why the run does not allow it.
    """
    geometry = name in METRICS and METRICS[name].family == "geometry"
    full = f"input_{name}" if geometry else name
    if full.startswith(("feature_", "logit_")):
        spaces = spaces_of(campaign, np.flatnonzero(campaign.valid)[:_MODELS])
    else:
        spaces = Spaces(np.arange(0), {}, {})
    found, skipped = estimators(campaign, spaces, wanted=(full,))
    return (found[0].of(campaign.valid), "") if found else (None, f"it {skipped[full]}")
