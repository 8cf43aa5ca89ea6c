"""What the table of outlier metrics says, as sentences. Every claim is computed, and so is its opposite."""

from collections.abc import Sequence

from miajax.metrics.claims import against, difference_of_separate
from miajax.metrics.figures import Estimate
from miajax.report import numbers
from miajax.studies.outliers.figures import Best, MetricFound, Name, Outliers, Share

FIGURES: dict[Name, str] = {
    "spearman": "Spearman", "precision_at_1pct": "Precision at 1 %", "auc_top_1pct": "AUC for the top 1 %",
}  # fmt: skip
_SPACES = {"input": "inputs", "feature": "penultimate features", "logit": "logits"}
_OWN = {
    "el2n": "EL2N", "grand": "GraNd", "loss_trace_iqr": "loss trace IQR",
    "negative_margin": "negated area under the margin",
}  # fmt: skip
_FEW = 6  # metrics that a sentence names


def label(name: str) -> str:
    """A metric's name for readers."""
    return _OWN.get(name) or name.replace("_", " ").replace("knn", "kNN")


def with_interval(figure: Estimate) -> str:
    """``0.61 [0.58, 0.64]``, with real minus signs."""
    if figure.value is None or figure.interval is None:
        return numbers.DASH
    return str(numbers.shown(figure, 2)).replace("-", "−")


def best_finding(found: Outliers) -> str:
    """Which metrics foretell vulnerability best, in one line: the best and those not told apart from it."""
    of_rank, of_top = found.best["all"]["spearman"], found.best["all"]["precision_at_1pct"]
    others = len(found.metrics) - 1
    if others and len(of_top.not_told_apart) == others:
        top = f"which of {others + 1} metrics finds the most of the top 1\u00a0% is not shown"
        if len(of_rank.not_told_apart) == others:
            return f"No metric is shown to rank vulnerability better than another, and {top}"
        return f"Vulnerability is ranked best by {_group(of_rank)}; {top}"
    by_rank, by_top = _group(of_rank), _group(of_top)
    if by_rank == by_top:
        return f"Vulnerability is ranked best, and the most of the top 1\u00a0% found, by {by_rank}"
    return f"Vulnerability is ranked best by {by_rank}; the most of the top 1\u00a0% is found by {by_top}"


def ranking_finding(found: Outliers) -> str:
    """The best rank correlation, and how many metrics might be as good."""
    of, count = found.best["all"]["spearman"], len(found.metrics)
    said = f"{_named(of)} ranks best, with Spearman {with_interval(found.metrics[of.metric].all.spearman)}"
    equal = len(of.not_told_apart)
    those = "the other metric" if count == 2 else f"{equal} of the other {count - 1} metrics"
    return f"{said}; paired differences do not tell {those} from it" if equal else said


def best_sentences(found: Outliers) -> list[str]:
    """The same, figure by figure, with intervals and with those not told apart from the best."""
    return [
        f"{FIGURES[name]}: {label(of.metric)} is best with {with_interval(found.metrics[of.metric].all[name])}"
        f"{_equals(of)}."
        for name, of in found.best["all"].items()
    ]


def ceiling_sentence(found: Outliers) -> str:
    """How far any metric can be expected to come."""
    spearman, precision = found.ceiling.spearman, found.ceiling.precision_at_1pct
    if spearman.value is None:
        return "How far a metric could come is not known: the vulnerability of one half of the models does not vary."
    reach = max(spearman.value, 0.0) ** 0.5
    return (
        "Vulnerability itself is measured with noise: that of one half of the models correlates with that of the "
        f"other by {with_interval(spearman)}, and finds {_percent(precision)} "
        f"of its top 1 %. A metric that knew the true vulnerability would correlate by about {reach:.2f}."
    )


def paper_sentence(found: Outliers) -> str:
    """Whether vulnerable examples are outliers of their class, by the paper's own measure."""
    for space in ("feature", "logit", "input"):
        name = f"{space}_centroid_distance"
        entry = found.metrics.get(name)
        if entry is not None and (spearman := entry.all.spearman).value is not None:
            does = {
                "above": "grows with", "below": "falls with", "not shown": "is not shown to go with",
            }[against(spearman.interval, 0.0)]  # fmt: skip
            return (
                f"Vulnerability {does} the distance from the class's centroid in the {_SPACES[space]} (Spearman "
                f"{with_interval(spearman)}); of the 1 % farthest, "
                f"{_percent(entry.all.precision_at_1pct)} are among the 1 % most vulnerable, where chance would give "
                "1 %."
            )
    return "No distance from a class's centroid was measured."


def fit_finding(found: Outliers) -> str:
    """Whether outliers that are easy to fit leak more than those that are hard to fit."""
    easy, hard = found.outliers_by_fit.easy.vulnerable, found.outliers_by_fit.hard.vulnerable
    if easy.value is None or easy.interval is None or hard.value is None or hard.interval is None:
        side = "easy" if easy.value is None else "hard"
        return f"No outlier is {side} to fit, so that easy and hard outliers cannot be compared"
    low, high = difference_of_separate(easy.value, easy.interval, hard.value, hard.interval)
    interval = f"difference {numbers.points(easy.value - hard.value, (low, high), signed=True)}"
    standing = against((low, high), 0.0)
    if standing == "not shown":
        return f"Easy and hard outliers are not named measurably differently often ({interval})"
    more, less = ("easy", "hard") if standing == "above" else ("hard", "easy")
    return f"Outliers that are {more} to fit are named more often than those that are {less} to fit ({interval})"


def fit_sentence(found: Outliers) -> str:
    """The shares behind ``fit_finding``."""
    parts = found.outliers_by_fit

    def share(of: Share) -> str:
        if of.vulnerable.value is None or of.vulnerable.interval is None:
            return numbers.DASH
        low, high = map(numbers.percent, of.vulnerable.interval)
        return f"{numbers.percent(of.vulnerable.value)} [{low}, {high}] of {numbers.count(of.num_examples)}"

    return (
        f"Of the {numbers.level(parts.share)} of examples that {label(parts.metric)} puts first, LiRA names in "
        f"at least half of the models trained on them (at one false alarm per "
        f"{numbers.count(1 / found.vulnerability.fpr)} non-members): {share(parts.easy)} easy to fit, "
        f"{share(parts.hard)} hard to fit; of all examples {share(parts.all)}."
    )


def circular_finding(found: Outliers) -> str:
    """How much figures gain when metric and vulnerability come from the same models."""
    gains = {name: more for name, metric in found.metrics.items() if (more := gain(metric)) is not None}
    if not gains:
        return "No metric was measured on the same models"
    name = max(gains, key=gains.__getitem__)
    largest = gains[name]
    if largest < 0.02:
        return (
            f"On the same models no metric looks better by {0.02:.2f} or more in rank correlation; most gains "
            f"{label(name)}, {numbers.difference(largest)}"
        )
    return f"On the same models {label(name)} would look better than it is, by {largest:.2f} in rank correlation"


def gain(metric: MetricFound) -> float | None:
    """What the same models add to a metric's rank correlation, in its own direction."""
    apart = metric.all.spearman.value
    return None if apart is None else abs(metric.same_models.spearman) - abs(apart)


def _percent(share: Estimate) -> str:
    return numbers.DASH if share.value is None else numbers.percent(share.value)


def _named(of: Best) -> str:
    name = label(of.metric)
    return name if name[0].isupper() else name[0].upper() + name[1:]


def _group(of: Best) -> str:
    best, equal = label(of.metric), of.not_told_apart
    if len(equal) > _FEW:
        return f"{best} and {len(equal)} others that are not told apart from it"
    return f"{best} and, not told apart from it, {_listed(equal)}" if equal else f"{best} alone"


def _equals(of: Best) -> str:
    equal = _listed(of.not_told_apart)
    return f"; not told apart from it: {equal}" if equal else ", and every other metric is measurably worse"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(label, names[:_FEW])) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
