"""Do members differ from non-members for other reasons than training? A blind baseline, and a search for near-copies.

Where membership was not drawn at random (a model trained elsewhere, non-members collected later or somewhere else), an
attack may only tell two sources of data apart. The blind baseline guesses membership from features and label, no model
asked: an AUC away from .5 is what any attack gets for nothing. A non-member that nearly copies a member is one in all
but name. Arrays in, plain figures out; scikit-learn trains, so nothing here is a pure JAX function.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from miajax.metrics.clusters import by_group, renumbered, rows_a_draw
from miajax.metrics.figures import Figure
from miajax.metrics.intervals import CONFIDENCE, critical_value
from miajax.metrics.without_models import Blind, Copied, Copies, Guesser
from miajax.outliers.density import places

CHECKS = 2
"""The number of this version of both checks; figures of another are not taken for these."""
_FOLDS = 5
_DIMENSIONS = 256  # rows are projected to so many, where they have more, before ridge regression
_QUICK_EXAMPLES = 1000
_MOST_EXAMPLES = 10_000  # five times a hundred trees of 10,000 images: half a minute on two cores
_NEAR = 0.25  # of the median distance from a non-member to its nearest member
_MEDIAN_OF = 1000  # non-members that the median is taken over
_FILTER_DIMENSIONS = 64  # of the projection in which most rows are seen to be near no member
_MOST_PAIRS = 4 * 10**9  # (example, member) that are compared there: about ten seconds on two cores
_BLOCK = 1024  # rows whose distances to all members are held at once
_TILE = 4096  # members at a time
_BASIS_ROWS = 1000  # that a projection is fitted to
_SHOWN = 20
_STREAM = 0xB11D  # of random numbers, apart from the draw of members with the same seed


def blind_baseline(
    features: Num[np.ndarray, "examples *row"],
    labels: Int[np.ndarray, " examples"],
    member: Bool[np.ndarray, " examples"],
    *,
    quick: bool = False,
    seed: int = 0,
    groups: Int[np.ndarray, " examples"] | None = None,
) -> Blind:
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
      quick: at most 1,000 examples and the linear one only, for where membership is random by design; else at most
        10,000 examples.
      seed: of folds, sample and trees.
      groups: of each example, where they are members together: a group's rows are judged by classifiers that saw none
        of them, and are one draw. Without that, its other rows would give each row away.
    """
    rng = np.random.default_rng([seed, _STREAM])
    rows, total = np.arange(len(member)), len(member)
    most = _QUICK_EXAMPLES if quick else _MOST_EXAMPLES
    if total > most:
        rows = rng.permutation(total)[:most]
    member, labels = np.asarray(member)[rows], np.asarray(labels)[rows]
    groups = renumbered(groups, rows)
    flat = np.asarray(features)[rows].reshape(len(rows), -1).astype(np.float32)
    sides = {"num_members": int(member.sum()), "num_non_members": int((~member).sum())}
    drawn = sides if groups is None else {
        name: len(np.unique(groups[side])) for name, side in zip(sides, (member, ~member), strict=True)
    }  # fmt: skip
    counts, folds = {**sides, "num_examples": total}, min(_FOLDS, *drawn.values())
    if folds < 2:
        reason = f"{counts['num_members']} members and {counts['num_non_members']} non-members are too few to compare."
        return Blind(classifiers={}, leaves_half=None, reason=reason, **counts, folds=0)
    fold = np.empty(len(member), np.int64)
    for side in (member, ~member):
        if groups is None:
            fold[side] = rng.permutation(int(side.sum())) % folds
        else:
            whose, place = np.unique(groups[side], return_inverse=True)
            fold[side] = (rng.permutation(len(whose)) % folds)[place]
    one_hot = (labels[:, None] == np.unique(labels)).astype(np.float32)
    inputs = {"linear": np.hstack([_projected(flat, seed), one_hot])}
    if not quick:
        inputs["trees"] = np.hstack([flat, one_hot])
    confidence = 1 - (1 - CONFIDENCE) / len(inputs)
    aucs = {name: _cross_fitted(name, x, member, fold, confidence, seed, groups) for name, x in inputs.items()}
    leaves = any(not auc.interval[0] <= 0.5 <= auc.interval[1] for auc in aucs.values())
    found = {name: Guesser(auc) for name, auc in aucs.items()}
    return Blind(classifiers=found, leaves_half=leaves, reason=None, **counts, folds=folds)


def _cross_fitted(
    name: str,
    inputs: np.ndarray,
    member: np.ndarray,
    fold: np.ndarray,
    confidence: float,
    seed: int,
    groups: np.ndarray | None,
) -> Figure:
    folds = int(fold.max()) + 1
    aucs, variances = np.empty(folds), np.empty(folds)
    for k in range(folds):
        held = fold == k
        classifier = _classifier(name, int((~held).sum()), seed).fit(inputs[~held], member[~held])
        linear = hasattr(classifier, "decision_function")
        scores = classifier.decision_function(inputs[held]) if linear else classifier.predict_proba(inputs[held])[:, 1]
        aucs[k], variances[k] = _delong(scores, member[held], renumbered(groups, held))
    variance = float(variances.mean()) * (1 / folds + 1 / (folds - 1))
    fewest = int(min(member.sum(), (~member).sum()) / rows_a_draw(groups))
    auc = float(aucs.mean())
    reach = critical_value(fewest - 1, confidence) * variance**0.5  # on the AUC's own scale: .5 is far from its ends
    return Figure(auc, (max(auc - reach, 0.0), min(auc + reach, 1.0)))


def _classifier(name: str, num_examples: int, seed: int) -> Any:
    if name == "linear":
        from sklearn.linear_model import RidgeClassifier

        return RidgeClassifier(alpha=0.1 * num_examples, solver="cholesky")  # features have variance 1
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(100, min_samples_leaf=3, n_jobs=-1, random_state=seed)


def _delong(scores: np.ndarray, member: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, float]:
    """AUC and its variance from placement values (DeLong, DeLong and Clarke-Pearson 1988); at least half a pair's.

    With groups, values are summed by group first (Obuchowski 1997).
    """
    from scipy.stats import rankdata  # takes a third of a second, which a command's start has not

    ranks = rankdata(scores)
    n_in, n_out = int(member.sum()), int((~member).sum())
    of_members = (ranks[member] - rankdata(scores[member])) / n_out
    of_others = (ranks[~member] - rankdata(scores[~member])) / n_in
    auc = float(of_members.mean())
    sides = ((of_members, member), (of_others, ~member))
    variance = sum(_variance_of_mean(v - v.mean(), renumbered(groups, side)) for v, side in sides)
    return auc, max(variance, 0.25 / (n_in * n_out))


def _variance_of_mean(centred: np.ndarray, groups: np.ndarray | None) -> float:
    sums = by_group(centred, groups)
    if len(sums) < 2:
        return 0.25
    return float(sums @ sums) * len(sums) / (len(sums) - 1) / len(centred) ** 2


def near_duplicates(
    features: Num[np.ndarray, "examples *row"],
    member: Bool[np.ndarray, " examples"],
    test_features: Num[np.ndarray, "tests *row"] | None = None,
    *,
    seed: int = 0,
) -> Copies:
    """How many non-members, and test examples, copy a member exactly or nearly.

    Distances are Euclidean over standardised features. A copy is near below a quarter of the median distance from
    non-members to their nearest member, or exact. Exact copies are found by sorting. An orthogonal projection shortens
    distances only, so what lies beyond that quarter from all members in 64 dimensions is no near copy, and the few
    others are compared in full.

    Args:
      features: as the data set has them.
      member: who is a member of the audited model.
      test_features: examples of the data set's own test split.
      seed: of the non-members that the median is taken over, where they are more than 1,000, and of those examples that
        are searched for near copies where all would be more than 4e9 comparisons.

    Returns:
      The counts, with up to 20 of the closest pairs.
    """
    rng = np.random.default_rng([seed, _STREAM])
    member, pool = np.asarray(member), rows_of(features)
    members, others = np.flatnonzero(member), np.flatnonzero(~member)
    scale = scale_of(pool)
    against = _Scaled(pool, members, scale)
    parts = {"non_members": _Scaled(pool, others, scale)}
    if test_features is not None:
        tests = rows_of(test_features)
        parts["test"] = _Scaled(tests, np.arange(len(tests)), scale)
    drawn = others if len(others) <= _MEDIAN_OF else np.sort(rng.permutation(others)[:_MEDIAN_OF])
    median = float(np.median(against.nearest(_Scaled(pool, drawn, scale))[1]))
    below = _NEAR * median
    copied = _copied([against, *parts.values()])
    basis = _basis(against.some(_BASIS_ROWS), _FILTER_DIMENSIONS)
    most = max(1, _MOST_PAIRS // (len(members) * len(parts)))

    def found(name: str) -> Copied:
        part, source = parts[name], copied[1 + list(parts).index(name)]
        nearest, apart = source, np.where(source >= 0, 0.0, np.inf)
        looked = np.flatnonzero(source < 0)
        skipped = max(0, len(looked) - most)
        if skipped:
            looked = np.sort(rng.permutation(looked)[:most])
        looked = looked[_may_be_near(part.take(looked), against, basis, below)]
        nearest[looked], apart[looked] = against.nearest(part.take(looked))
        near = (apart < below) | (apart == 0)
        order = np.argsort(apart, kind="stable")
        shown = [k for k in order[:_SHOWN] if near[k]]
        return Copied(
            count=len(apart),
            searched=len(apart) - skipped,
            exact=int((apart == 0).sum()),
            near=int(near.sum()),
            closest=tuple((int(part.ids[k]), int(members[nearest[k]]), float(apart[k])) for k in shown),
        )

    return Copies(
        non_members=found("non_members"),
        test=found("test") if "test" in parts else None,
        median_distance=median,
        median_of=len(drawn),
        near_below=below,
    )


class _Scaled:
    """Some rows in units of the features' spread, scaled a block at a time: whole pools of images would fill memory."""

    def __init__(self, rows: np.ndarray, ids: Int[np.ndarray, " chosen"], scale: Float[np.ndarray, " features"]):
        self.rows, self.ids, self.scale = rows, ids, scale

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, places: Int[np.ndarray, " chosen"]) -> "_Scaled":
        return _Scaled(self.rows, self.ids[places], self.scale)

    def some(self, number: int) -> Float[np.ndarray, "rows features"]:
        """At most so many, evenly spaced."""
        return self.take(np.arange(0, len(self), -(-len(self) // number))).all()

    def all(self) -> Float[np.ndarray, "rows features"]:
        return self.rows[self.ids].astype(np.float32) / self.scale

    def blocks(self):
        for first in range(0, len(self), _BLOCK):
            yield first, self.take(np.arange(first, min(first + _BLOCK, len(self)))).all()

    def nearest(self, queries: "_Scaled") -> tuple[Int[np.ndarray, " queries"], Float[np.ndarray, " queries"]]:
        """The nearest of these rows to each query, as its place here, and the distance."""
        if not len(queries):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        centre, asked = self.some(_BASIS_ROWS).mean(0), queries.all()
        twice = 2 * (asked - centre)  # a common offset would eat the digits of the distances
        best, least = np.zeros(len(queries), np.int64), np.full(len(queries), np.inf, np.float32)
        for first, block in self.blocks():
            moved = block - centre
            squares = (moved**2).sum(1) - twice @ moved.T
            place = squares.argmin(1)
            value = squares[np.arange(len(place)), place]
            closer = value < least
            best[closer], least[closer] = first + place[closer], value[closer]
        return best, np.linalg.norm(asked - self.take(best).all(), axis=1)


def _copied(parts: list[_Scaled]) -> list[Int[np.ndarray, " rows"]]:
    """For each row of each part the place of the first row of the first part that equals it; -1 where none does."""
    first, place = places(np.concatenate([part.rows[part.ids] for part in parts]))
    source = np.where(first < len(parts[0]), first, -1)[place]
    return np.split(source, np.cumsum([len(part) for part in parts])[:-1])


def _may_be_near(
    queries: _Scaled, against: _Scaled, basis: Float[np.ndarray, "features dimensions"], below: float
) -> Bool[np.ndarray, " queries"]:
    """Which queries the projection leaves within ``below`` of some row; none that is within it in full is left out."""
    if not len(queries):
        return np.zeros(0, bool)
    rows = np.concatenate([block @ basis for _, block in against.blocks()])
    centre = rows.mean(0)
    rows -= centre
    squares = (rows**2).sum(1)
    # One product gives |b|^2 - 2 a.b: a second pass over all pairs would cost as much as the product.
    factor = np.ascontiguousarray(np.hstack([-2 * rows, squares[:, None]]).T)
    least = np.empty(len(queries), np.float32)
    for first, block in queries.blocks():
        low = block @ basis - centre
        part = np.hstack([low, np.ones((len(low), 1), np.float32)])
        tiles = [(part @ factor[:, at : at + _TILE]).min(1) for at in range(0, factor.shape[1], _TILE)]
        least[first : first + len(low)] = np.min(tiles, axis=0) + (low**2).sum(1)
    rounding = 1e-5 * float(squares.max())
    return least <= below**2 * 1.01 + rounding


def rows_of(features: np.ndarray) -> Num[np.ndarray, "rows features"]:
    """Examples as flat rows, bytes as they are and all else in single precision."""
    flat = np.asarray(features).reshape(len(features), -1)
    return flat if flat.dtype in (np.dtype(np.uint8), np.dtype(np.float32)) else flat.astype(np.float32)


def scale_of(rows: np.ndarray) -> Float[np.ndarray, " features"]:
    """The features' standard deviations, 1 where a feature is constant; in blocks, since float64 pools fill memory."""
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    centre = rows[:_BLOCK].mean(0, dtype=np.float64)
    for first in range(0, len(rows), _BLOCK):
        moved = rows[first : first + _BLOCK] - centre
        total += moved.sum(0)
        squares += (moved**2).sum(0)
    variance = np.maximum(squares / len(rows) - (total / len(rows)) ** 2, 0)
    spread = np.where((rows == rows[0]).all(0), 0, np.sqrt(variance))
    return np.where(spread > 0, spread, 1).astype(np.float32)


def _projected(flat: Float[np.ndarray, "rows features"], seed: int) -> Float[np.ndarray, "rows dimensions"]:
    """Standardised rows; their leading principal components where they have more features than ``_DIMENSIONS``."""
    rows = (flat - flat.mean(0)) / scale_of(flat)
    if rows.shape[1] <= _DIMENSIONS or len(rows) <= _DIMENSIONS:
        return rows
    chosen = np.random.default_rng([seed, _STREAM, 1]).permutation(len(rows))[:_BASIS_ROWS]
    return rows @ _basis(rows[chosen], _DIMENSIONS)


def _basis(rows: Float[np.ndarray, "rows features"], dimensions: int) -> Float[np.ndarray, "features dimensions"]:
    """Orthonormal leading principal directions of few rows, at most as many as there are; all of space where few."""
    if rows.shape[1] <= dimensions:
        return np.eye(rows.shape[1], dtype=np.float32)
    moved = (rows - rows.mean(0)).astype(np.float64)
    # Of the smaller of both products: thousands of features have large covariances.
    if len(rows) < rows.shape[1]:
        values, vectors = np.linalg.eigh(moved @ moved.T)
        vectors = moved.T @ vectors[:, values > values.max() * 1e-10]
    else:
        vectors = np.linalg.eigh(moved.T @ moved)[1]
    return np.linalg.qr(vectors[:, ::-1][:, :dimensions])[0].astype(np.float32)
