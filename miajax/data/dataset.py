"""One validated data set: the pool that members are drawn from, and what stands beside it."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from miajax.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples in up to four parts, validated when made.

    Attributes:
      name: what reports call it.
      features: pool examples ``[N, ...]``, uint8 images ``[N, H, W, K]`` or float32 rows ``[N, F]``.
      labels: ``int32[N]`` in ``0..num_classes-1``.
      num_classes: C.
      test_features, test_labels: the data set's own test split, or None; never members.
      population_features, population_labels: reference examples for RMIA and kin, or None for the pool's non-members.
      class_names: one string a class, for reports.
      image_shape: ``(H, W, K)`` where a row is a picture (flat rows of pixels included), else None.
      shippable: whether reports may show records (pictures, rows) unasked: data that ships with the tools.
      synthetic: said wherever the data set appears.
      provenance: where it came from and what was done to it; goes into the manifest.

    Raises:
      UserError: wrong shapes, NaN or infinite features, labels outside the range, fewer than 2 classes.
    """

    name: str
    features: np.ndarray
    labels: np.ndarray
    num_classes: int
    test_features: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    population_features: np.ndarray | None = None
    population_labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    shippable: bool = False
    synthetic: bool = False
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.num_classes < 2:
            raise UserError(
                f"data set {self.name}: {self.num_classes} class found", expected="at least 2 classes",
                remedy="Check the label column; an attack on a one-class classifier has nothing to measure",
            )
        set_ = functools.partial(object.__setattr__, self)
        for part in ("", "test_", "population_"):
            features, labels = getattr(self, part + "features"), getattr(self, part + "labels")
            if features is None and labels is None and part:
                continue
            if features is None or labels is None:
                raise UserError(f"data set {self.name}: {part}features and {part}labels must come together")
            features, labels = _validated(f"data set {self.name}", part, features, labels, self.num_classes)
            if part and features.shape[1:] != self.features.shape[1:]:
                raise UserError(
                    f"data set {self.name}: {part}features has rows of shape {features.shape[1:]}",
                    expected=f"{self.features.shape[1:]}, as in the pool",
                )
            set_(part + "features", features)
            set_(part + "labels", labels)
        counts = np.bincount(self.labels, minlength=self.num_classes)
        if (counts == 0).any():
            missing = ", ".join(map(str, np.flatnonzero(counts == 0)[:5]))
            raise UserError(
                f"data set {self.name}: class {missing} has no example in the pool",
                expected=f"every class 0..{self.num_classes - 1} to appear",
                remedy="Renumber the labels from 0 without gaps, or raise --max_examples",
            )
        if not self.class_names:
            set_("class_names", tuple(str(c) for c in range(self.num_classes)))

    @property
    def num_examples(self) -> int:
        """N, the size of the pool."""
        return len(self.labels)

    @functools.cached_property
    def content_hash(self) -> str:
        """SHA-256 over every array that training or querying reads, with dtypes and shapes."""
        digest = hashlib.sha256()
        for part in ("features", "labels", "test_features", "test_labels", "population_features", "population_labels"):
            array = getattr(self, part)
            if array is None:
                continue
            digest.update(f"{part}:{array.dtype.str}:{array.shape};".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()


def _validated(where: str, part: str, features: Any, labels: Any, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim < 2:
        raise UserError(f"{where}: {part}features has shape {features.shape}", expected="[examples, ...] with 2 or more axes")
    if labels.ndim != 1 or len(labels) != len(features):
        raise UserError(
            f"{where}: {part}labels has shape {labels.shape} beside {len(features)} rows of {part}features",
            expected=f"one label a row, shape ({len(features)},)",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        whole = np.issubdtype(labels.dtype, np.floating) and np.isfinite(labels).all() and (labels == np.round(labels)).all()
        if not whole:
            raise UserError(f"{where}: {part}labels has dtype {labels.dtype}", expected=f"whole numbers 0..{num_classes - 1}")
    bad = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if bad.size:
        raise UserError(
            f"{where}: {part}labels[{bad[0]}] is {labels[bad[0]]} ({bad.size} such labels)",
            expected=f"whole numbers 0..{num_classes - 1}",
            remedy="Renumber the classes from 0",
        )
    if features.dtype != np.uint8:
        if not (np.issubdtype(features.dtype, np.number) or features.dtype == np.bool_):
            raise UserError(f"{where}: {part}features has dtype {features.dtype}", expected="numbers")
        features = features.astype(np.float32)
        if not np.isfinite(features).all():
            row = np.argwhere(~np.isfinite(features))[0]
            raise UserError(
                f"{where}: {part}features{list(map(int, row))} is {features[tuple(row)]}", expected="finite numbers",
                remedy="Impute or drop such rows first",
            )
    return np.ascontiguousarray(features), np.ascontiguousarray(labels.astype(np.int32))
