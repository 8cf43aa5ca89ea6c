"""What the report on outliers is made from."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from miajax.studies.outliers.figures import Outliers
from miajax.studies.results import Record


class ClassPanel(Protocol):
    """One class of one model's training set; ``studies.outlier_views.Panel`` is one."""

    @property
    def label(self) -> int: ...
    @property
    def examples(self) -> Int[np.ndarray, " members"]: ...
    @property
    def named(self) -> Mapping[float, Bool[np.ndarray, " members"]]: ...
    @property
    def points(self) -> Mapping[str, Float[np.ndarray, "members 2"]]: ...
    @property
    def ends(self) -> tuple[Int[np.ndarray, " shown"], Int[np.ndarray, " shown"]]: ...


@dataclasses.dataclass(frozen=True)
class OutliersReportInputs:
    """What the report is made from.

    Attributes:
      found: by the study.
      config, manifest: the resolved configuration; fingerprint, hashes, plan, seeds.
      command: what was typed.
      panels: classes of one model's training set; empty where nothing was kept to show them.
      metrics: by name, ``[N]`` from all models.
      separation, fit: ``[N]`` from all models: vulnerability, and mean scaled logit when trained on.
      pictures: all examples as pictures, or None.
      labels, class_names: of the examples.
      redacted: whether examples may appear by number only.
    """

    found: Outliers
    config: Record
    manifest: Record
    command: str
    panels: Sequence[ClassPanel]
    metrics: Mapping[str, Float[np.ndarray, " examples"]]
    separation: Float[np.ndarray, " examples"]
    fit: Float[np.ndarray, " examples"]
    pictures: Num[np.ndarray, "examples height width *channels"] | None
    labels: Int[np.ndarray, " examples"]
    class_names: Sequence[str]
    redacted: bool
