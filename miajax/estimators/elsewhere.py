"""Models that were trained elsewhere, from a plan: what stands for them where an estimator would."""

from miajax.errors import UserError
from miajax.estimators.reference import Estimator, read_args

ELSEWHERE = "elsewhere"
"""``--model`` of a run whose answers came back from a plan."""
_NAMES = ("name", "plan", "answers")


def trained_elsewhere(text: str | None) -> Estimator:
    """What a run's ``--model_args`` say of models that were trained elsewhere.

    Args:
      text: JSON of ``name`` (what reports call the models), ``plan`` (its id) and ``answers`` (a SHA-256 over all that
        came back; empty before anything has).

    Raises:
      UserError: it was not written by ``plan`` or ``import_signals``.
    """
    told = read_args(text)
    if set(told) != set(_NAMES) or not all(isinstance(value, str) for value in told.values()):
        raise UserError(
            f"--model {ELSEWHERE} is what a run of models trained elsewhere holds, and nothing that can be trained",
            expected="a network, module:Class or path/to/file.py:factory",
            remedy="miajax plan hands models out, miajax import_signals --plan takes their answers in",
        )
    return Estimator(
        reference=ELSEWHERE,
        args=told,
        name=told["name"],
        config={"plan": told["plan"], "answers": told["answers"]},
        packages="",
        grows_trees=False,
        takes_nan=False,
        voters=(),
    )
