"""scikit-learn's digits: the embedded default, which needs no download."""

import gzip
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np

from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.parsing import parsing

_ROWS, _PIXELS, _HIGHEST_PIXEL = 1797, 64, 16


def load_digits() -> Dataset:
    """The 1,797 handwritten 8×8 digits that scikit-learn ships, as one pool without a test split.

    The packaged table is read directly (10 ms), since ``import sklearn.datasets`` takes 0.6 s.

    Returns:
      features ``float32[1797, 64]`` scaled to 0..1, labels ``int32[1797]``, 10 classes.

    Raises:
      UserError: scikit-learn is not installed, or its table is not the known one.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise UserError("data set digits: scikit-learn is not installed", remedy="pip install scikit-learn")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    expected = f"scikit-learn's table of {_ROWS} rows of {_PIXELS} pixels and a label"
    with parsing(f"data set digits: {path}", expected=expected, remedy="Reinstall scikit-learn"):
        text = gzip.decompress(path.read_bytes()).decode("ascii")
        table = np.array(text.replace("\n", ",").rstrip(",").split(","), np.float32).reshape(_ROWS, _PIXELS + 1)
    return Dataset(
        name="digits",
        features=table[:, :_PIXELS] / _HIGHEST_PIXEL,
        labels=table[:, _PIXELS],
        num_classes=10,
        image_shape=(8, 8, 1),
        shippable=True,
        provenance={
            "source": f"scikit-learn {importlib.metadata.version('scikit-learn')}, digits.csv.gz",
            "preprocessing": f"pixels divided by {_HIGHEST_PIXEL}",
        },
    )
