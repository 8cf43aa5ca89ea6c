"""From ``module:Class`` or ``file.py:factory`` and JSON arguments to an unfitted classifier, and its identity."""

import dataclasses
import importlib
import importlib.metadata
import inspect
import json
from collections.abc import Mapping
from typing import Any

from miajax.errors import UserError
from miajax.parsing import reason
from miajax.plugins import load_object

_PAGE = 'docs/models.md, "Estimators", shows each form'
_TREE_PACKAGES = ("sklearn.ensemble", "sklearn.tree", "xgboost", "lightgbm", "catboost")


@dataclasses.dataclass(frozen=True)
class Estimator:
    """A classifier with ``fit`` and ``predict_proba`` or ``decision_function``, by name.

    Attributes:
      reference: ``module:Class`` or ``path/to/file.py:factory``.
      args: keyword arguments of the class or factory.
      name: what reports call it, the name of the fitted thing's class.
      config: what tells it from others of that name, for the fingerprint.
      packages: the packages whose versions its models depend on, ``"scikit-learn 1.7.0, numpy 2.3.1"``.
      grows_trees: whether it splits on single features, so that codes of categories need no other form.
      takes_nan: whether it says that missing values may be NaN.
      voters: what its settings say of how many votes an answer may be the mean of.
    """

    reference: str
    args: Mapping[str, Any]
    name: str
    config: Mapping[str, Any]
    packages: str
    grows_trees: bool
    takes_nan: bool
    voters: tuple[int, ...]

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"--model {self.reference}"


def names_estimator(reference: str, args: str | None) -> bool:
    """Whether ``--model`` names an estimator rather than a network of one's own.

    ``module:Class`` does. An object in a file does where it has ``fit``, or is a function that takes the arguments and
    returns something that has. Whatever is wrong with the file is left to whoever loads it next.

    Args:
      reference: ``--model``.
      args: ``--model_args``.

    Raises:
      UserError: the arguments are no JSON object.
    """
    if ".py:" not in reference:
        return ":" in reference
    try:
        thing, _ = load_object(reference, "--model")
    except UserError:
        return False
    if hasattr(thing, "fit"):
        return True
    given = read_args(args)
    if not inspect.isfunction(thing) or not _takes(thing, given):
        return False
    try:
        return hasattr(thing(**given), "fit")
    except Exception:  # the user's own code: told when it is built
        return bool(given)


def read_args(text: str | None) -> dict[str, Any]:
    """``--model_args``.

    Raises:
      UserError: no JSON object.
    """
    try:
        args = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise _wrong_args(text, f"no JSON ({error.msg} at character {error.pos})") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists in thousands of lists
        raise _wrong_args(text, f"no JSON that can be read ({reason(error)})") from None
    if not isinstance(args, dict):
        raise _wrong_args(text, "no JSON object")
    return args


def _wrong_args(text: str | None, what: str) -> UserError:
    return UserError(f"--model_args {text} is {what}", expected="""an object such as '{"n_estimators": 50}'""")


def load_estimator(reference: str, text: str | None) -> Estimator:
    """The estimator that ``--model`` and ``--model_args`` name.

    Raises:
      UserError: it cannot be imported or built, or it is no classifier that answers.
    """
    args = read_args(text)
    for own in ("random_state", "seed"):
        if own in args:
            raise UserError(
                f"--model_args {own}: every shadow model draws from a state of its own, made of --seed and its number",
                expected=f"arguments without {own}",
            )
    made = built(reference, args)
    _check(made, reference)
    kind, settings = type(last_step(made)), settings_of(made)
    origin = load_object(reference, "--model")[1] if ".py:" in reference else {"class": reference}
    whole = [value for name, value in settings.items() if name.split("__")[-1] in ("n_estimators", "n_neighbors")]
    return Estimator(
        reference=reference,
        args=args,
        name=kind.__name__,
        config={**origin, "args": args},
        packages=_packages(kind.__module__),
        grows_trees=kind.__module__.startswith(_TREE_PACKAGES),
        takes_nan=_takes_nan(made),
        voters=tuple(sorted({value for value in whole if isinstance(value, int) and value > 0})),
    )


def built(reference: str, args: Mapping[str, Any]) -> Any:
    """A new, unfitted estimator.

    Raises:
      UserError: no such module or object, or it refuses the arguments.
    """
    thing = _named(reference)
    if hasattr(thing, "fit") and not inspect.isclass(thing):
        raise UserError(
            f"--model {reference} is one object, which all shadow models would share",
            expected="a class, or a function that returns a new estimator",
            remedy=_PAGE,
        )
    if not callable(thing):
        raise UserError(f"--model {reference} is a {type(thing).__name__}", expected="a class or a function")
    try:
        return thing(**args)
    except Exception as error:  # somebody else's class: whatever it raises is the answer
        raise UserError(
            f"--model {reference} with --model_args {json.dumps(dict(args))}: {type(error).__name__}: {error}",
            expected=f"arguments of {_signature(thing)}",
        ) from error


def _named(reference: str) -> Any:
    if ".py:" in reference:
        return load_object(reference, "--model")[0]
    module_name, _, attribute = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # somebody else's module: whatever it raises is the answer
        raise UserError(
            f"--model {reference}: {module_name} cannot be imported ({type(error).__name__}: {error})",
            expected="module:Class of an installed package, or path/to/file.py:factory",
        ) from None
    thing = getattr(module, attribute, None)
    if thing is None:
        known = [name for name, value in vars(module).items() if inspect.isclass(value) and hasattr(value, "fit")]
        near = f"some of {', '.join(known[:8])}" if known else "a class with fit"
        raise UserError(f"--model {reference}: {module_name} has no {attribute or 'empty name'}", expected=near)
    return thing


def _check(made: Any, reference: str) -> None:
    from sklearn.base import is_classifier

    what = type(made).__name__
    if not callable(getattr(made, "fit", None)):
        raise UserError(f"--model {reference} makes a {what} without fit", expected="a classifier", remedy=_PAGE)
    try:
        classifies = is_classifier(made)
    except Exception:  # it follows scikit-learn's interface only as far as it needs
        classifies = True
    if not hasattr(made, "predict_proba") and not hasattr(made, "decision_function"):
        raise UserError(
            f"--model {reference}: {what} has neither predict_proba nor decision_function",
            expected="a classifier that answers with probabilities or scores of its classes",
            remedy="Wrap it, for example in sklearn.calibration:CalibratedClassifierCV",
        )
    # What says so in the old way alone, as SciKeras does, is one.
    if (not classifies and getattr(made, "_estimator_type", None) not in (None, "classifier")) or _is_other(made):
        raise UserError(f"--model {reference}: {what} is no classifier", expected="a classifier", remedy=_PAGE)


def _is_other(made: Any) -> bool:
    """Whether it says of itself that it is a regressor, a clusterer or an outlier detector."""
    tags = getattr(made, "__sklearn_tags__", None)
    try:
        kind = None if tags is None else tags().estimator_type
    except Exception:
        return False
    return kind not in (None, "classifier")


def last_step(made: Any) -> Any:
    """What answers: of a pipeline its last step, else the estimator itself."""
    steps = getattr(made, "steps", None)
    return steps[-1][1] if isinstance(steps, list) and steps else made


def settings_of(made: Any) -> dict[str, Any]:
    """All parameters, nested ones as ``step__name``; none where it has no ``get_params``."""
    try:
        return dict(made.get_params(deep=True))
    except Exception:  # it follows scikit-learn's interface only as far as it needs
        return {}


def _takes(function: Any, args: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(function).bind(**args)
    except TypeError:
        return False
    return True


def _signature(thing: Any) -> str:
    try:
        names = [name for name in inspect.signature(thing).parameters if name != "self"]
    except (TypeError, ValueError):
        return getattr(thing, "__name__", "it")
    return f"{getattr(thing, '__name__', 'it')} ({', '.join(names[:12])}{', ...' if len(names) > 12 else ''})"


def _takes_nan(made: Any) -> bool:
    try:
        return bool(made.__sklearn_tags__().input_tags.allow_nan)
    except Exception:  # older interfaces, or none
        return type(last_step(made)).__module__.startswith(("xgboost", "lightgbm", "catboost"))


def _packages(module: str) -> str:
    """The versions that fitted models depend on, those of the estimator's own package first."""
    of = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
    names = dict.fromkeys([*of[:1], "scikit-learn", "numpy", "scipy"])
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
