"""Do members differ from non-members for other reasons than training? A blind baseline, and a search for near-copies.

Where membership was not drawn at random (a model trained elsewhere, non-members collected later or somewhere else), an
attack may only tell two sources of data apart. The blind baseline guesses membership from features and label, no model
asked: an AUC away from .5 is what any attack gets for nothing. A non-member that nearly copies a member is one in all
but name. Arrays in, plain figures out; scikit-learn trains, so nothing here is a pure JAX function.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.stats import rankdata

from miajax.metrics.intervals import CONFIDENCE, critical_value

_FOLDS = 5
_DIMENSIONS = 256  # rows are projected to so many, where they have more, before anything quadratic
_NEAR = 0.25  # of the median distance from a non-member to its nearest member
_BLOCK = 1024  # non-members whose distances to all members are held at once
_SHOWN = 20
_QUICK_EXAMPLES = 1000
_STREAM = 0xB11D  # of random numbers, apart from the draw of members with the same seed


def blind_baseline(
    features: Num[np.ndarray, "examples *row"],
    labels: Int[np.ndarray, " examples"],
    member: Bool[np.ndarray, " examples"],
    *,
    quick: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """How well features and label alone tell members from non-members: cross-fitted AUC with its interval.

    Two classifiers judge each example, trained on the other folds: ridge regression and, unless ``quick``,
    extremely randomised trees. Together their intervals hold .5 in at least 95 % of audits where
    membership is random (each has half of the error). A fold's AUC is unbiased then, whatever the classifier, since its
    labels are a random draw given all else; its variance is DeLong's. Folds are dependent: the mean of K fold variances
    counts (1/K + 1/(K-1)) times instead of 1/K (Nadeau and Bengio 2003).

    Args:
      features: as the data set has them.
      labels: classes, given to the classifiers too.
      member: who is a member of the audited model.
      quick: at most 1,000 examples and the linear one only, for where membership is random by design.
      seed: of folds, sample and trees.

    Returns:
      ``{classifiers: {name: {auc, auc_ci}}, leaves_half, num_members, num_non_members, folds}``; with too few members
      or non-members ``classifiers`` is empty, ``leaves_half`` None and ``reason`` says so.
    """
    rng = np.random.default_rng([seed, _STREAM])
    rows = np.arange(len(member))
    if quick and len(rows) > _QUICK_EXAMPLES:
        rows = rng.permutation(len(rows))[:_QUICK_EXAMPLES]
    member, labels = np.asarray(member)[rows], np.asarray(labels)[rows]
    flat = np.asarray(features)[rows].reshape(len(rows), -1).astype(np.float32)
    counts = {"num_members": int(member.sum()), "num_non_members": int((~member).sum())}
    folds = min(_FOLDS, *counts.values())
    if folds < 2:
        reason = f"{counts['num_members']} members and {counts['num_non_members']} non-members are too few to compare."
        return {"classifiers": {}, "leaves_half": None, "reason": reason, **counts, "folds": 0}
    fold = np.empty(len(member), np.int64)
    for side in (member, ~member):
        fold[side] = rng.permutation(int(side.sum())) % folds
    one_hot = (labels[:, None] == np.unique(labels)).astype(np.float32)
    inputs = {"linear": np.hstack([_projected(_standard(flat), seed), one_hot])}
    if not quick:
        inputs["trees"] = np.hstack([flat, one_hot])
    confidence = 1 - (1 - CONFIDENCE) / len(inputs)
    figures = {name: _cross_fitted(name, x, member, fold, confidence, seed) for name, x in inputs.items()}
    leaves = any(not low <= 0.5 <= high for low, high in (figure["auc_ci"] for figure in figures.values()))
    return {"classifiers": figures, "leaves_half": leaves, **counts, "folds": folds}


def _cross_fitted(
    name: str, inputs: np.ndarray, member: np.ndarray, fold: np.ndarray, confidence: float, seed: int
) -> dict[str, Any]:
    folds = int(fold.max()) + 1
    aucs, variances = np.empty(folds), np.empty(folds)
    for k in range(folds):
        held = fold == k
        classifier = _classifier(name, int((~held).sum()), seed).fit(inputs[~held], member[~held])
        linear = hasattr(classifier, "decision_function")
        scores = classifier.decision_function(inputs[held]) if linear else classifier.predict_proba(inputs[held])[:, 1]
        aucs[k], variances[k] = _delong(scores, member[held])
    variance = float(variances.mean()) * (1 / folds + 1 / (folds - 1))
    fewest = int(min(member.sum(), (~member).sum()))
    auc = float(aucs.mean())
    reach = critical_value(fewest - 1, confidence) * variance**0.5  # on the AUC's own scale: .5 is far from its ends
    return {"auc": auc, "auc_ci": [max(auc - reach, 0.0), min(auc + reach, 1.0)]}


def _classifier(name: str, num_examples: int, seed: int) -> Any:
    if name == "linear":
        from sklearn.linear_model import RidgeClassifier

        return RidgeClassifier(alpha=0.1 * num_examples, solver="cholesky")  # features have variance 1
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(100, min_samples_leaf=3, n_jobs=-1, random_state=seed)


def _delong(scores: np.ndarray, member: np.ndarray) -> tuple[float, float]:
    """AUC and its variance from placement values (DeLong, DeLong and Clarke-Pearson 1988); at least half a pair's."""
    ranks = rankdata(scores)
    n_in, n_out = int(member.sum()), int((~member).sum())
    of_members = (ranks[member] - rankdata(scores[member])) / n_out
    of_others = (ranks[~member] - rankdata(scores[~member])) / n_in
    auc = float(of_members.mean())
    variance = sum(float(v.var(ddof=1)) / len(v) if len(v) > 1 else 0.25 for v in (of_members, of_others))
    return auc, max(variance, 0.25 / (n_in * n_out))


def near_duplicates(
    features: Num[np.ndarray, "examples *row"],
    member: Bool[np.ndarray, " examples"],
    test_features: Num[np.ndarray, "tests *row"] | None = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """How many non-members, and test examples, copy a member exactly or nearly.

    Distances are Euclidean over standardised features. A copy is near below a quarter of the median distance from
    non-members to their nearest member.

    Args:
      features: as the data set has them.
      member: who is a member of the audited model.
      test_features: examples of the data set's own test split.
      seed: of the projection that finds candidates where rows have more than 256 features; distances are exact.

    Returns:
      ``{non_members: {count, exact, near, closest}, test: the same or None, median_distance, near_below}``; ``closest``
      lists up to 20 ``[example, member, distance]``, ascending.
    """
    member = np.asarray(member)
    flat = np.asarray(features).reshape(len(member), -1).astype(np.float32)
    members, others = np.flatnonzero(member), np.flatnonzero(~member)
    scale = _scale(flat)
    parts = {"non_members": (others, flat[others] / scale)}
    if test_features is not None:
        tests = np.asarray(test_features).reshape(len(test_features), -1).astype(np.float32)
        parts["test"] = (np.arange(len(tests)), tests / scale)
    everything = np.concatenate([flat[members] / scale, *(rows for _, rows in parts.values())])
    low = _projected(everything - everything.mean(0), seed)
    candidates, low, begin = low[: len(members)], low[len(members) :], 0
    nearest, distances = {}, {}
    for name, (_, rows) in parts.items():
        nearest[name] = _nearest(low[begin : begin + len(rows)], candidates)
        begin += len(rows)
        distances[name] = np.linalg.norm(rows - flat[members[nearest[name]]] / scale, axis=1)
    median = float(np.median(distances["non_members"]))

    def found(name: str) -> dict[str, Any]:
        ids, apart = parts[name][0], distances[name]
        order = np.argsort(apart, kind="stable")
        shown = [k for k in order[:_SHOWN] if apart[k] < _NEAR * median or apart[k] == 0]
        return {
            "count": len(ids),
            "exact": int((apart == 0).sum()),
            "near": int((apart < _NEAR * median).sum()),
            "closest": [[int(ids[k]), int(members[nearest[name][k]]), float(apart[k])] for k in shown],
        }

    return {
        "non_members": found("non_members"),
        "test": found("test") if "test" in parts else None,
        "median_distance": median,
        "near_below": _NEAR * median,
    }


def _scale(flat: np.ndarray) -> np.ndarray:
    spread = flat.std(0)
    return np.where(spread > 0, spread, 1).astype(np.float32)


def _standard(flat: np.ndarray) -> np.ndarray:
    return (flat - flat.mean(0)) / _scale(flat)


def _projected(rows: Float[np.ndarray, "rows features"], seed: int) -> Float[np.ndarray, "rows dimensions"]:
    """The rows' leading principal components where they have more features than ``_DIMENSIONS``."""
    if rows.shape[1] <= _DIMENSIONS or len(rows) <= _DIMENSIONS:
        return rows
    from sklearn.decomposition import PCA

    return PCA(_DIMENSIONS, svd_solver="randomized", random_state=seed).fit_transform(rows)


def _nearest(rows: np.ndarray, candidates: np.ndarray) -> Int[np.ndarray, " rows"]:
    squares = (candidates**2).sum(1)
    blocks = [rows[i : i + _BLOCK] for i in range(0, len(rows), _BLOCK)]
    return np.concatenate([np.argmin(squares - 2 * block @ candidates.T, axis=1) for block in blocks])
