"""What the report on outliers is made from."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int, Num

from miajax.studies.campaign_page import Run
from miajax.studies.outliers.figures import Outliers
from miajax.studies.outliers.views import Panel


@dataclasses.dataclass(frozen=True)
class OutliersReportInputs:
    """What the report is made from.

    Attributes:
      found: by the study.
      run: whose models they are.
      panels: classes of one model's training set; empty where nothing was kept to show them.
      metrics: by name, ``[N]`` from all models.
      separation, fit: ``[N]`` from all models: vulnerability, and mean scaled logit when trained on.
      pictures: all examples as pictures, or None.
      labels, class_names: of the examples.
      redacted: whether examples may appear by number only.
    """

    found: Outliers
    run: Run
    panels: Sequence[Panel]
    metrics: Mapping[str, Float[np.ndarray, " examples"]]
    separation: Float[np.ndarray, " examples"]
    fit: Float[np.ndarray, " examples"]
    pictures: Num[np.ndarray, "examples height width *channels"] | None
    labels: Int[np.ndarray, " examples"]
    class_names: Sequence[str]
    redacted: bool
