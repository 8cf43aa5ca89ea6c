"""From the name of a data set, and the flags beside it, to the validated data set."""

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from miajax.data.bounds import FeatureBounds, bounded
from miajax.data.canaries import CanaryKind, planted
from miajax.data.cifar import load_cifar
from miajax.data.csv_text import Header
from miajax.data.dataset import Dataset
from miajax.data.digits import load_digits
from miajax.data.fashion_mnist import load_fashion_mnist
from miajax.data.frozen import with_features
from miajax.data.images import load_images
from miajax.data.npz import load_npz
from miajax.data.pictures import Channels
from miajax.data.published_bits import load_location30, load_purchase100, load_texas100
from miajax.data.purchase_like import load_purchase_like
from miajax.data.table import load_table
from miajax.data.text_columns import StrayCells
from miajax.data.tfds import load_tfds
from miajax.errors import UserError
from miajax.plugins import Registry

Encoding = Literal["networks", "trees"]


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Where a data set lies and which part of it is attacked.

    Attributes:
      data_path: file or folder to read; None for the data set's usual place.
      pool: ``train`` draws members from the official training split and keeps the test split as the test part;
        ``all`` merges both into the pool, as the paper does before it reshuffles.
      max_examples: at most this many examples, the first of the official order; None for all. Of synthetic data, how
        many to draw.
      label_column: the column of a table to predict.
      group_column: the column of a table that says whose row it is: members are drawn by its values, and it is no
        feature. An npz archive has an array ``groups`` for it.
      keep_keys: whether what is written of single groups names them by that column's own values; not given: by a hash
        whose salt stays in the run folder.
      drop_columns: columns of a table that are not read.
      keep_columns: columns of a table taken as they are: identifiers as features, texts that look like numbers as
        categories.
      stray_cells: cells that are no number, in a table's column of numbers: an error, or missing.
      separator: between the cells of a text table, one character or "tab".
      decimal: decimal point of a text table.
      header: whether the first line of a text table names its columns ("line"), or is a record ("none").
      encoding: how models read a table. ``networks``: numbers standardised and categories one-hot; ``trees``: numbers
        as they are and categories as codes. Not given: the encoding that the model is made for.
      channels: where pictures of one's own have their channels, first or last; not given: last, and pictures that look
        otherwise are refused.
      pixel_scale: divides features of one's own, such as pixels up to 255; not given: 1, and inputs that look unscaled
        are refused.
      image_size: pixels a side that a folder's pictures are cut and resized to; not given: all must be of one size.
      features: .npz archive of features that somebody's network computed of the data set's rows, in their order, which
        heads train on instead of the rows; docs/data.md has the arrays.
      feature_bounds: public bounds that inputs are scaled by, instead of values computed from the records. Give
        "LOW,HIGH", or a CSV file with the header column,low,high and a row a column; see docs/privacy.md.
      data_seed: draws synthetic data; not the seed of the run, so that runs with several seeds attack the same data.
      canaries: how many examples of the pool are planted for an audit; 0 for none.
      canary_kind: ``mislabelled``, ``out_of_distribution``, or ``natural``, which changes nothing.
      canary_seed: draws the canaries; not the seed of the run.
    """

    data_path: str | None = None
    pool: Literal["train", "all"] = "train"
    max_examples: int | None = None
    label_column: str | None = None
    group_column: str | None = None
    keep_keys: bool = False
    drop_columns: tuple[str, ...] = ()
    keep_columns: tuple[str, ...] = ()
    stray_cells: StrayCells = "error"
    separator: str = ","
    decimal: str = "."
    header: Header = "line"
    encoding: Encoding | None = None
    channels: Channels | None = None
    pixel_scale: float | None = None
    image_size: int | None = None
    features: str | None = None
    feature_bounds: str | None = None
    data_seed: int = 0
    canaries: int = 0
    canary_kind: CanaryKind = "mislabelled"
    canary_seed: int = 0


@dataclasses.dataclass(frozen=True)
class _Reader:
    read: Callable[[DataOptions], Dataset]
    uses: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()


_TABLE = ("group_column", "drop_columns", "keep_columns", "stray_cells", "separator", "decimal", "header")


def _table(options: DataOptions) -> Dataset:
    settings = {field: getattr(options, field) for field in (*_TABLE, "max_examples")}
    bounds = None if options.feature_bounds is None else FeatureBounds.read(options.feature_bounds)
    settings |= {"bounds": bounds, "for_trees": options.encoding == "trees"}
    return load_table(options.data_path or "", options.label_column or "", **settings)


_PICTURES = ("channels", "pixel_scale")


def _npz(options: DataOptions) -> Dataset:
    return load_npz(options.data_path or "", options.channels, options.pixel_scale)


def _purchase_like(options: DataOptions) -> Dataset:
    size = {} if options.max_examples is None else {"num_examples": options.max_examples}
    return load_purchase_like(seed=options.data_seed, **size)


_PATH = frozenset({"data_path"})
_TFDS = "tfds:"
_READERS = {
    "digits": _Reader(lambda options: load_digits()),
    "fashion_mnist": _Reader(lambda options: load_fashion_mnist(options.data_path), uses=_PATH),
    "cifar10": _Reader(lambda options: load_cifar("cifar10", options.data_path), uses=_PATH),
    "cifar100": _Reader(lambda options: load_cifar("cifar100", options.data_path), uses=_PATH),
    "purchase100": _Reader(lambda options: load_purchase100(options.data_path), uses=_PATH),
    "location30": _Reader(lambda options: load_location30(options.data_path), uses=_PATH),
    "texas100": _Reader(lambda options: load_texas100(options.data_path), uses=_PATH),
    "purchase_like": _Reader(_purchase_like, uses=frozenset({"data_seed"})),
    "images": _Reader(
        lambda options: load_images(options.data_path, options.image_size),
        uses=frozenset({"image_size"}),
        needs=_PATH,
    ),
    "npz": _Reader(_npz, uses=frozenset(_PICTURES), needs=_PATH),
    "table": _Reader(_table, uses=frozenset({*_TABLE, "encoding"}), needs=_PATH | {"label_column"}),
}


def _as_reader(thing: Any, name: str, origin: Mapping[str, str]) -> _Reader:
    if isinstance(thing, Dataset):
        return _Reader(lambda options: thing)
    if not callable(thing):
        raise UserError(
            f"dataset {name} is a {type(thing).__name__}",
            expected="a Dataset, or a function that returns one, of data_path or of nothing",
            remedy="CONTRIBUTING.md shows both",
        )
    if "data_path" in inspect.signature(thing).parameters:
        return _Reader(lambda options: _made(name, thing(data_path=options.data_path)), uses=_PATH)
    return _Reader(lambda options: _made(name, thing()))


def _made(name: str, made: Any) -> Dataset:
    if not isinstance(made, Dataset):
        raise UserError(f"dataset {name}: its reader returned a {type(made).__name__}", expected="a miajax.Dataset")
    return made


DATASETS: Registry[_Reader] = Registry("dataset", "--dataset", _READERS.items(), _as_reader)


def dataset_names() -> tuple[str, ...]:
    """What ``--dataset`` takes by name."""
    return (*DATASETS, f"{_TFDS}NAME")


def register_dataset(name: str, reader: Dataset | Callable[..., Dataset]) -> None:
    """Adds a data set from outside the package under a name for ``--dataset`` and ``load_dataset``.

    Args:
      name: of its own.
      reader: a ``Dataset``, or a function that returns one, with ``features [N, ...]`` and ``labels [N]``; it is given
        ``data_path`` where it has such a parameter.

    Raises:
      UserError: the name is taken.

    Example:
      >>> import numpy as np
      >>> from miajax import Dataset, load_dataset
      >>> squares = Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), name="squares")
      >>> register_dataset("squares", squares)
      >>> load_dataset("squares")
      Dataset(squares: 4 float32 rows of 4, 2 classes)
    """
    DATASETS.register(name, reader)


def load_dataset(name: str, options: DataOptions = DataOptions()) -> Dataset:
    """The data set of that name, its pool chosen and cut as the options say.

    Args:
      name: one of `dataset_names()`, or ``path/to/file.py:reader``, which is run.
      options: see `DataOptions`.

    Raises:
      UserError: unknown name; an option that the data set does not use, or lacks; a missing or malformed file;
        a pool without examples of some class.
    """
    reader = _reader(name)
    _check_options(name, reader, options)
    frozen, bounds = options.features is not None, options.feature_bounds
    dataset = reader.read(dataclasses.replace(options, feature_bounds=None) if frozen else options)
    if options.features is not None:
        dataset = with_features(dataset, options.features, scaled=bounds is None)
    if bounds is not None and (name != "table" or frozen) and dataset.features.dtype != np.uint8:
        dataset = bounded(dataset, FeatureBounds.read(bounds))
    if dataset.groups is None and options.keep_keys:
        raise UserError("--keep_keys without groups", expected="--group_column, or an archive with the array groups")
    if options.pool == "all":
        dataset = _merge_test_into_pool(dataset)
    if options.max_examples is not None:
        dataset = _first(dataset, options.max_examples)
    if options.canaries:
        if options.canary_kind == "out_of_distribution" and dataset.tree_features is not None:
            raise UserError(
                "--canary_kind out_of_distribution with --encoding trees",
                expected="--encoding networks, whose features can be replaced, or --canary_kind mislabelled",
            )
        dataset = planted(dataset, options.canary_kind, options.canaries, options.canary_seed)
    return dataset


def _reader(name: str) -> _Reader:
    if name.startswith(_TFDS) and name != _TFDS:
        return _Reader(lambda options: load_tfds(name.removeprefix(_TFDS), options.data_path), uses=_PATH)
    if ".py:" not in name and name not in DATASETS:
        close = difflib.get_close_matches(name, dataset_names(), n=1)
        raise UserError(
            f"--dataset {name} is unknown",
            expected=f"one of {', '.join(dataset_names())}, or path/to/file.py:reader",
            remedy=f"Did you mean {close[0]}?" if close else "",
        )
    return DATASETS[DATASETS.name_of(name)]


def _check_options(name: str, reader: _Reader, options: DataOptions) -> None:
    defaults = DataOptions()
    if options.features is not None and options.encoding == "trees":
        raise UserError("--features with --encoding trees", expected="--encoding networks, or no --features")
    for field in ("data_path", "label_column", *_TABLE, "encoding", *_PICTURES, "image_size", "data_seed"):
        is_set = getattr(options, field) != getattr(defaults, field)
        if is_set and field not in reader.uses | reader.needs:
            users = [other for other, entry in DATASETS.items() if field in entry.uses | entry.needs]
            raise UserError(
                f"--{field} {getattr(options, field)} has no effect on --dataset {name}",
                expected=f"--dataset {' or '.join(users)} beside it",
            )
        if field in reader.needs and not is_set:
            raise UserError(f"--dataset {name} was given no --{field}", remedy=f"Add --{field}")
    for field in ("canary_kind", "canary_seed"):
        if not options.canaries and getattr(options, field) != getattr(defaults, field):
            raise UserError(f"--{field} {getattr(options, field)} without canaries", expected="--canaries beside it")
    if options.pool not in ("train", "all"):
        raise UserError(f"--pool {options.pool} is unknown", expected="train or all")
    if options.max_examples is not None and options.max_examples < 1:
        raise UserError(f"--max_examples {options.max_examples}", expected="at least 1")


def _merge_test_into_pool(dataset: Dataset) -> Dataset:
    if dataset.test_features is None or dataset.test_labels is None:
        return dataset
    if dataset.groups is not None:
        raise UserError(
            "--pool all of data with groups",
            expected="--pool train, since nothing says whose the rows of the test part are",
        )
    return dataclasses.replace(
        dataset,
        features=np.concatenate([dataset.features, dataset.test_features]),
        labels=np.concatenate([dataset.labels, dataset.test_labels]),
        test_features=None,
        test_labels=None,
        provenance={**dataset.provenance, "pool": "official training split, then official test split"},
    )


def _first(dataset: Dataset, count: int) -> Dataset:
    if count >= dataset.num_examples:
        return dataset
    return dataclasses.replace(
        dataset,
        features=dataset.features[:count],
        labels=dataset.labels[:count],
        tree_features=None if dataset.tree_features is None else dataset.tree_features[:count],
        groups=None if dataset.groups is None else dataset.groups[:count],
        source_rows=None if dataset.source_rows is None else dataset.source_rows[:count],
        provenance={**dataset.provenance, "max_examples": f"first {count} of {dataset.num_examples}"},
    )
