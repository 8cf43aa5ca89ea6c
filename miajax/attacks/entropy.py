"""Attacks on one model that look at the shape of its prediction."""

from jaxtyping import Array, Float

from miajax.attacks.attack import NOTHING, Attack, Labels, Logits, Member, Names, Partners, Scores, Valid, needed
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.class_thresholds import less_class_thresholds
from miajax.attacks.options import AttackOptions
from miajax.signals import scaled_logit as signals_of
from miajax.signals.bundle import Signals
from miajax.typed import jit


@jit
def _mean_entropy(logits: Logits, labels: Labels) -> Float[Array, "models examples"]:
    return -signals_of.entropy(logits).mean(-1)


@jit
def _mean_modified_entropy(logits: Logits, labels: Labels) -> Float[Array, "models examples"]:
    return -signals_of.modified_entropy(logits, labels[:, None]).mean(-1)


_KERNELS = {"entropy": _mean_entropy, "modified_entropy": _mean_modified_entropy}


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    num_models, _, queries, classes = needed(signals.logits).shape
    width = block_width(num_models * queries * classes)
    scores = {name: map_examples(_KERNELS[name], (signals.logits, signals.labels), (1, 0), width) for name in names}
    if not options.class_thresholds:
        return scores
    return {
        name: less_class_thresholds(value, needed(signals.labels), member, valid, partners, num_classes=classes)
        for name, value in scores.items()
    }


ATTACKS = (
    Attack(
        "entropy",
        "Entropy",
        _family_scores,
        "entropy",
        ("logits", "labels"),
        0,
        0,
        requires=NOTHING,
        knowledge="the target's probabilities, not the label",
        source="Shokri et al. 2017 (arXiv 1610.05820), section VIII; Salem et al. 2019 (arXiv 1806.01246), adversary 3",
        cost="none beyond the queries",
    ),
    Attack(
        "modified_entropy",
        "Modified entropy",
        _family_scores,
        "entropy",
        ("logits", "labels"),
        0,
        0,
        requires=NOTHING,
        knowledge="the target's probabilities",
        source="Song and Mittal 2021 (arXiv 2003.10595), equation 8",
        cost="none beyond the queries",
    ),
)
