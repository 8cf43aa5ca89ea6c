"""A plan for whoever trains elsewhere: a folder that says which model trains on which rows, and where answers go."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

import miajax
from miajax.array_files import load_npy
from miajax.campaign.config import CampaignConfig, Setup, plain
from miajax.campaign.stored import rebuilt_config
from miajax.data.registry import DataOptions
from miajax.data.splits import Split
from miajax.data.table import column_values
from miajax.errors import UserError
from miajax.estimators.elsewhere import ELSEWHERE
from miajax.models.registry import ModelOptions
from miajax.runs import handed_out
from miajax.runs.atomic import read_sealed, write_npy, write_sealed, write_text
from miajax.runs.integrity import array_hash

FORMAT = 1
"""Of ``plan.json``."""
EXAMPLES = ("sklearn", "pytorch", "keras")
_FILES = Path(handed_out.__file__).parent


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A plan as its folder holds it.

    Attributes:
      folder: where it lies.
      id: of what it says; answers name it.
      config: of the campaign that its answers become.
      member: ``bool[M, N]``.
      classes: names, in the order of an answer's columns.
      content_hash: of the data set that it was made of.
      key_column: that names rows, or None.
    """

    folder: Path
    id: str
    config: CampaignConfig
    member: Bool[np.ndarray, "models examples"]
    classes: tuple[str, ...]
    content_hash: str
    key_column: str | None


def labels_hash(labels: Int[np.ndarray, " examples"]) -> str:
    """SHA-256 over labels as 32-bit numbers, lowest byte first: what a training script compares its own with."""
    return hashlib.sha256(labels.astype("<i4").tobytes()).hexdigest()


def campaign_of(
    dataset: str,
    data: DataOptions,
    num_shadows: int,
    seed: int,
    split: Split,
    member_fraction: float,
    key_column: str | None = None,
) -> CampaignConfig:
    """The campaign whose models somebody else trains; the key column names rows and is no feature."""
    if data.canaries:
        raise UserError(f"--canaries {data.canaries} in a plan", expected="the data as whoever trains has them")
    if key_column is not None:
        if dataset != "table":
            raise UserError(
                f"--key_column {key_column} has no effect on --dataset {dataset}", expected="--dataset table"
            )
        if key_column in (data.label_column, *data.keep_columns):
            raise UserError(f"--key_column {key_column} is the label or a feature", expected="a column that names rows")
        if key_column not in (*data.drop_columns, data.group_column):
            data = dataclasses.replace(data, drop_columns=(*data.drop_columns, key_column))
    return CampaignConfig(
        dataset=dataset,
        data=data,
        model=ELSEWHERE,
        model_options=named(ELSEWHERE, "", ""),
        num_shadows=num_shadows,
        seed=seed,
        split=split,
        member_fraction=member_fraction,
    )


def named(name: str, plan: str, answers: str) -> ModelOptions:
    """What a run of models trained elsewhere says of them; see ``trained_elsewhere``."""
    return ModelOptions(model_args=json.dumps({"name": name, "plan": plan, "answers": answers}))


def hand_out(config: CampaignConfig, out: Path, key_column: str | None = None) -> Plan:
    """Draws members and writes the folder to hand over.

    Args:
      config: of ``campaign_of``.
      out: a new or empty folder.
      key_column: of the table, whose values name the rows beside their numbers.

    Raises:
      UserError: whatever is wrong with the data or ``out``; nothing has been written then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out} holds something already", expected="a new or empty folder")
    key_column = key_column or config.data.group_column
    named_by = None if key_column is None else _keys(config.data, key_column)  # first: it is dropped as a feature
    setup = Setup.of(config)
    config, dataset, member = setup.config, setup.dataset, setup.membership()
    if named_by is None and dataset.groups is not None:
        key_column, named_by = dataset.group_name, [dataset.group_keys[int(group)] for group in dataset.groups]
    keys = None if named_by is None or key_column is None else _checked(named_by, key_column, member)
    facts = {
        "dataset": dataset.name,
        "content_hash": dataset.content_hash,
        "num_examples": dataset.num_examples,
        "num_models": len(member),
        "classes": list(dataset.class_names),
        "labels_sha256": labels_hash(dataset.labels),
        "membership_sha256": array_hash(member),
        "seed": config.seed,
        "split": config.split,
        "member_fraction": config.member_fraction,
        "key_column": key_column,
        "unit": "row" if dataset.groups is None else dataset.group_name,
    }
    id = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    write_npy(out / "membership.npy", member)
    for model, row in enumerate(member):
        rows = np.flatnonzero(row)
        write_text(out / "rows" / f"model-{model:04d}.txt", "".join(f"{row}\n" for row in rows))
        if keys is not None:
            own = dict.fromkeys(keys[row] for row in rows)
            write_text(out / "keys" / f"model-{model:04d}.txt", "".join(f"{key}\n" for key in own))
    if keys is not None:
        write_text(out / "keys.txt", "".join(f"{key}\n" for key in keys))
    write_text(out / "handover.py", (_FILES / "handover.py").read_text(encoding="utf-8"))
    for name in EXAMPLES:
        text = (_FILES / f"train_{name}.py.in").read_text(encoding="utf-8")
        imports, data = _reading(config, key_column, dataset.num_examples)
        write_text(out / f"train_{name}.py", text.replace("{imports}", imports).replace("{data}", data))
    write_text(out / "README.md", _readme(facts, id))
    told = {"format": FORMAT, "miajax": miajax.__version__, "id": id, **facts}
    write_sealed(out / "plan.json", {**told, "campaign": plain(dataclasses.asdict(config))})
    return Plan(out, id, config, member, dataset.class_names, dataset.content_hash, key_column)


def _keys(data: DataOptions, key_column: str) -> list[str]:
    """A key for every row of the table that is in the pool.

    Raises:
      UserError: an unknown column, a row without a key, a key of several lines.
    """
    values = column_values(
        data.data_path or "", key_column, data.separator, data.decimal, data.header, flag="key_column"
    )[: data.max_examples]
    for row, value in enumerate(values):
        if value is None or not (text := str(value).strip()) or "\n" in text:
            raise UserError(
                f"--key_column {key_column} of {data.data_path} is {value!r} in row {row}",
                expected="one line of text, or a number, in every row",
            )
    return [str(value).strip() for value in values]


def _checked(keys: list[str], key_column: str, member: Bool[np.ndarray, "models examples"]) -> list[str]:
    """The keys of the pool's rows, each of which is a member wherever its key is.

    Raises:
      UserError: a key names rows of which a model has some and not others.
    """
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        other = first.setdefault(key, row)
        if other != row and (member[:, other] != member[:, row]).any():
            raise UserError(
                f"--key_column {key_column}: {key} names rows {other} and {row}, of which models train on one alone",
                expected="a key of its own for every row, or members drawn by what the key names",
            )
    return keys


def _reading(config: CampaignConfig, key_column: str | None, num_examples: int) -> tuple[str, str]:
    """Imports and lines of an example that read the data: ``X`` and ``labels``."""
    data, file = config.data, Path(config.data.data_path or "").name
    if config.dataset == "table":
        read = (
            f"pd.read_parquet({_text(file)})"
            if file.endswith((".parquet", ".pq"))
            else f"pd.read_csv({_text(file)}{_csv(data)})"
        )
        no_features = (*data.drop_columns, data.group_column, key_column)
        dropped = list(dict.fromkeys(name for name in no_features if name is not None))
        without = f".drop(columns={_text(dropped)})" if dropped else ""
        label = data.label_column if data.header == "line" else int(data.label_column or 0)
        return "import pandas as pd\n", (
            f"table = {read}.head({num_examples}){without}  # where the data of the plan lie\n"
            f"labels = table.pop({_text(label)})\n"
            'X = pd.get_dummies(table).fillna(0).to_numpy("float32")  # as your model needs them'
        )
    if config.dataset == "npz":
        return "import numpy as np\n", (
            f"data = np.load({_text(file)})  # where the data of the plan lie\n"
            f'labels = data["labels"][:{num_examples}]\n'
            f'X = data["features"][:{num_examples}].reshape({num_examples}, -1).astype(np.float32)'
        )
    return "import numpy as np\n", (
        'X = np.load("features.npy").astype(np.float32)  # your data: a row for each row of the plan, in its order\n'
        'labels = np.load("labels.npy")'
    )


def _text(value: Any) -> str:
    """As Python writes it down, with the quotes of the examples."""
    return json.dumps(value, ensure_ascii=False)


def _csv(data: DataOptions) -> str:
    told = ", skipinitialspace=True"
    if data.separator != ",":
        told += ", sep=" + _text("\t" if data.separator == "tab" else data.separator)
    if data.decimal != ".":
        told += f", decimal={_text(data.decimal)}"
    return told + (", header=None" if data.header == "none" else "")


def _readme(facts: dict[str, Any], id: str) -> str:
    keys = ""
    if facts["key_column"] is not None:
        keys = (
            f"\n   The same rows by `{facts['key_column']}` stand in `keys/model-0000.txt`. That column is no feature."
        )
    if facts["unit"] != "row":
        keys += f" All rows of one `{facts['unit']}` go together."
    text = (_FILES / "README.md.in").read_text(encoding="utf-8")
    fields = {
        "num_models": facts["num_models"],
        "last_model": facts["num_models"] - 1,
        "num_examples": f"{facts['num_examples']:,}",
        "classes": ", ".join(f"`{name}`" for name in facts["classes"]),
        "class_columns": ",".join(facts["classes"]),
        "id": id,
        "keys": keys,
    }
    for name, value in fields.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def read_plan(folder: Path, data_path: str | None = None) -> Plan:
    """A plan that ``hand_out`` wrote.

    Args:
      folder: of the plan.
      data_path: where the data lie now, if not where they lay.

    Raises:
      UserError: there is none, it was changed, or it is of another version.
    """
    where = folder / "plan.json"
    if not where.is_file():
        raise UserError(f"{folder} holds no plan.json", expected="a folder that miajax plan wrote")
    told = read_sealed(where, required=lambda _: True)
    if told.get("format") != FORMAT:
        raise UserError(f"{where} has format {told.get('format')}", expected=str(FORMAT))
    kinds = {"id": str, "campaign": dict, "classes": list, "content_hash": str, "membership_sha256": str}
    if wrong := [name for name, kind in kinds.items() if not isinstance(told.get(name), kind)]:
        raise UserError(f"{where} lacks {', '.join(wrong)}", expected="a plan as miajax wrote it")
    member = load_npy(folder / "membership.npy")
    if member.dtype != bool or member.ndim != 2 or array_hash(member) != told["membership_sha256"]:
        raise UserError(f"{folder / 'membership.npy'} is not what the plan says", expected="the file as it was written")
    config = rebuilt_config(where, told["campaign"])
    if data_path is not None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, data_path=data_path))
    classes, key_column = tuple(map(str, told["classes"])), told.get("key_column")
    key_column = None if key_column is None else str(key_column)
    return Plan(folder, told["id"], config, member, classes, told["content_hash"], key_column)


def numbered(models: Sequence[int]) -> str:
    """The first of some models, for messages."""
    return ", ".join(map(str, models[:10])) + (f" and {len(models) - 10} more" if len(models) > 10 else "")
