"""One validated data set: the pool that members are drawn from, and what stands beside it."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from miajax.data.groups import group_codes
from miajax.data.pictures import refuse_channels_first, refuse_unscaled
from miajax.errors import UserError

_PARTS = ("", "test_", "population_", "validation_")  # prefixes of the fields; "" is the pool


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled examples in up to four parts, validated when made.

    Attributes:
      features: pool examples ``[N, ...]``: uint8 pictures ``[N, H, W, K]``, or float32 (flat uint8 rows become float32,
        unscaled: they are counts or bits, not pixels).
      labels: ``int32[N]`` in ``0..num_classes-1``.
      num_classes: C; one more than the largest label where it is not given.
      name: what reports call it.
      test_features, test_labels: the data set's own test split, or None; never members.
      population_features, population_labels: reference examples for RMIA and kin, or None for the pool's non-members.
      validation_features, validation_labels: what a recipe may select on, carved from the pool before any split, or
        None; never an attack's non-members.
      tree_features: ``float64[N, F']``, the pool as trees are to read it, or None: a feature a column of a table,
        categories as numbers, NaN where a value is missing. Everything but such models reads ``features``.
      groups: ``int32[N]``, each pool row's group (the person it is about), 0..G-1: given as whole numbers or texts, one
        key a row. Members are then drawn by group. None where every row stands for itself.
      group_keys: G texts, the group's own keys; taken from ``groups`` where not given.
      group_name: what reports call a group.
      source_rows: ``int[N]``, the row of the source that each pool row is, where some were set aside; None for all in
        order.
      class_names: one string a class, for reports.
      image_shape: ``(H, W, K)`` where a row is a picture (flat rows of pixels included), else None.
      shippable: whether reports may show records (pictures, rows) unasked: data that ships with the tools.
      synthetic: said wherever the data set appears.
      unlikely: what is meant so, unlikely as it looks: ``channels``, pictures that seem to have channels first;
        ``scale``, inputs that seem unscaled.
      provenance: where it came from and what was done to it; goes into the manifest.

    Raises:
      UserError: wrong shapes, NaN or infinite features, labels outside the range, fewer than 2 classes, rows without
        a group or fewer than 2 groups; pictures with channels first and inputs that were not scaled, unless
        ``unlikely``.

    Example:
      >>> Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), name="squares")
      Dataset(squares: 4 float32 rows of 4, 2 classes)
    """

    features: np.ndarray
    labels: np.ndarray
    num_classes: int = 0
    name: str = "data"
    test_features: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    population_features: np.ndarray | None = None
    population_labels: np.ndarray | None = None
    validation_features: np.ndarray | None = None
    validation_labels: np.ndarray | None = None
    tree_features: np.ndarray | None = None
    groups: np.ndarray | None = None
    group_keys: tuple[str, ...] = ()
    group_name: str = "group"
    source_rows: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    shippable: bool = False
    synthetic: bool = False
    unlikely: tuple[Literal["channels", "scale"], ...] = ()
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        where = f"data set {self.name}"
        if "source" in self.provenance:
            where += f" ({self.provenance['source']})"
        if not self.num_classes:
            object.__setattr__(self, "num_classes", _counted_classes(where, np.asarray(self.labels)))
        if self.num_classes < 2:
            raise UserError(
                f"{where}: {self.num_classes} class found",
                expected="at least 2 classes",
                remedy="Check the label column; an attack on a one-class classifier has nothing to measure",
            )
        if len(self.class_names) not in (0, self.num_classes):
            raise UserError(f"{where}: {len(self.class_names)} class names", expected=f"{self.num_classes}")
        set_ = functools.partial(object.__setattr__, self)
        for part in _PARTS:
            features, labels = getattr(self, part + "features"), getattr(self, part + "labels")
            if features is None and labels is None and part:
                continue
            if features is None or labels is None:
                raise UserError(f"{where}: {part}features and {part}labels must come together")
            features, labels = _validated(where, part, features, labels, self.num_classes)
            if "channels" not in self.unlikely:
                refuse_channels_first(f"{where}: {part}features", features)
            if "scale" not in self.unlikely:
                refuse_unscaled(f"{where}: {part}features", features)
            if part and (features.shape[1:], features.dtype) != (self.features.shape[1:], self.features.dtype):
                raise UserError(
                    f"{where}: {part}features has {features.dtype} rows of shape {features.shape[1:]}",
                    expected=f"{self.features.dtype} rows of shape {self.features.shape[1:]}, as in the pool",
                )
            set_(part + "features", features)
            set_(part + "labels", labels)
        if self.tree_features is not None and len(self.tree_features) != self.num_examples:
            raise UserError(f"{where}: {len(self.tree_features)} tree_features", expected=f"{self.num_examples} rows")
        if self.groups is not None:
            groups, keys = group_codes(where, self.groups, self.num_examples, self.group_keys)
            set_("groups", groups)
            set_("group_keys", keys)
        if self.image_shape is not None:
            row = self.features.shape[1:]
            if math.prod(self.image_shape) != math.prod(row) or (len(row) == 3 and row != self.image_shape):
                raise UserError(f"{where}: rows of shape {row}", expected=f"pictures of shape {self.image_shape}")
        present = np.unique(self.labels)
        if len(present) < self.num_classes:
            gaps = np.flatnonzero(present != np.arange(len(present)))
            absent = int(gaps[0]) if gaps.size else len(present)
            class_name = self.class_names[absent] if self.class_names else str(absent)
            known_as = f" ({class_name})" if class_name != str(absent) else ""
            raise UserError(
                f"{where}: class {absent}{known_as} has no example in the pool",
                expected=f"every class 0..{self.num_classes - 1} to appear",
                remedy="Renumber the labels from 0 without gaps, or raise --max_examples",
            )
        if not self.class_names:
            set_("class_names", tuple(str(c) for c in range(self.num_classes)))

    def __repr__(self) -> str:
        row = "×".join(map(str, self.features.shape[1:]))
        rows = f"{self.num_examples} {self.features.dtype} rows of {row}"
        by = "" if self.groups is None else f", {len(self.group_keys)} groups by {self.group_name}"
        return f"Dataset({self.name}: {rows}, {self.num_classes} classes{by})"

    @property
    def num_examples(self) -> int:
        """N, the size of the pool."""
        return len(self.labels)

    @functools.cached_property
    def content_hash(self) -> str:
        """SHA-256 over every array that membership, training or querying reads, with dtypes and shapes."""
        digest = hashlib.sha256()
        for name in (part + kind for part in _PARTS for kind in ("features", "labels")):
            array = getattr(self, name)
            if array is None:
                continue
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        if self.groups is not None:
            digest.update(f"groups:{self.groups.shape};".encode())
            digest.update(self.groups.view(np.uint8).data)
        return digest.hexdigest()


def _counted_classes(where: str, labels: np.ndarray) -> int:
    if labels.ndim != 1 or not labels.size or labels.dtype.kind not in "biu":
        raise UserError(
            f"{where}: labels of shape {labels.shape} and dtype {labels.dtype}",
            expected="whole numbers [examples] from 0, or num_classes beside them",
        )
    return int(labels.max()) + 1


def _validated(where: str, part: str, features: Any, labels: Any, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    features = _validated_features(where, part + "features", np.asarray(features))
    labels = np.asarray(labels)
    if labels.shape != (len(features),):
        raise UserError(
            f"{where}: {part}labels has shape {labels.shape} beside {len(features)} rows of {part}features",
            expected=f"one label a row, shape ({len(features)},)",
        )
    return features, _validated_labels(where, part + "labels", labels, num_classes)


def _validated_features(where: str, part: str, features: np.ndarray) -> np.ndarray:
    if features.ndim < 2 or 0 in features.shape[1:]:
        raise UserError(f"{where}: {part} has shape {features.shape}", expected="[examples, ...] with 2 or more axes")
    if features.dtype == np.uint8 and features.ndim > 2:
        return np.ascontiguousarray(features)
    if features.dtype.kind not in "biuf":
        raise UserError(f"{where}: {part} has dtype {features.dtype}", expected="real numbers")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is named below
        features = np.ascontiguousarray(features, np.float32)
    finite = np.isfinite(features)
    if not finite.all():
        at = np.unravel_index(finite.argmin(), finite.shape)
        raise UserError(
            f"{where}: {part}{list(map(int, at))} is {features[at]}",
            expected="numbers that float32 can hold",
            remedy="Impute or drop such rows first",
        )
    return features


def _validated_labels(where: str, part: str, labels: np.ndarray, num_classes: int) -> np.ndarray:
    expected, remedy = f"whole numbers 0..{num_classes - 1}", "Renumber the classes from 0"
    if labels.dtype.kind not in "biuf":
        raise UserError(f"{where}: {part} has dtype {labels.dtype}", expected=expected, remedy=remedy)
    fine = (labels >= 0) & (labels < num_classes)
    if labels.dtype.kind == "f":
        fine &= labels == np.floor(labels)
    if not fine.all():
        first = fine.argmin()
        raise UserError(
            f"{where}: {part}[{first}] is {labels[first]} ({(~fine).sum()} such labels)",
            expected=expected,
            remedy=remedy,
        )
    return np.ascontiguousarray(labels, np.int32)
