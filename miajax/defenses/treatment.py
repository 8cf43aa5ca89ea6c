"""What example-specific protection does to a data set before training; queries and attacks keep to the original.

Khalil et al. 2025 (arXiv 2511.16792) propose to protect the examples that are vulnerable instead of all. Removing them
may expose the ones beneath (the onion effect, Carlini et al. 2022, arXiv 2206.10469), so survivors are measured again.
"""

import dataclasses
import hashlib
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclasses.dataclass(frozen=True, eq=False)
class Treatment:
    """How training differs from the data set; fields that are None leave it as it is.

    Attributes:
      name: what is done.
      labels: ``int32[N]``, what examples are trained as.
      weights: ``float32[N]``, of each example in the loss.
      excluded: ``bool[N]``, examples that no model trains on.
    """

    name: str
    labels: Int[np.ndarray, " examples"] | None = None
    weights: Float[np.ndarray, " examples"] | None = None
    excluded: Bool[np.ndarray, " examples"] | None = None

    def identity(self) -> dict[str, Any]:
        """JSON that tells one treatment from another: the name, and a SHA-256 over all arrays."""
        digest = hashlib.sha256()
        for array in (self.labels, self.weights, self.excluded):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return {"name": self.name, "sha256": digest.hexdigest()}


def drop(flagged: Bool[np.ndarray, " examples"]) -> Treatment:
    """No model trains on the flagged examples."""
    return Treatment("drop", excluded=np.asarray(flagged, bool))


def relabel(labels: Int[np.ndarray, " examples"]) -> Treatment:
    """Examples are trained as these labels; see ``selection.relabelled``."""
    return Treatment("relabel", labels=np.asarray(labels, np.int32))


def down_weight(flagged: Bool[np.ndarray, " examples"], weight: float) -> Treatment:
    """The flagged examples count ``weight``, between 0 and 1, in the loss; the others 1."""
    return Treatment("down_weight", weights=np.where(flagged, weight, 1.0).astype(np.float32))
