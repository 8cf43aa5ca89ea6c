"""A made-up ensemble with every signal that an attack may read."""

import numpy as np

from miajax.data.splits import membership
from miajax.signals import scaled_logit as signals
from miajax.signals.bundle import Signals


def ensemble(models=23, examples=31, queries=2, classes=4, gap=2.0, split="fixed_size", seed=0):
    """``(signals, member)``, by default of odd numbers of models and examples.

    Every model raises the label's logit of its members by ``gap`` and little else differs. Gradient norms and losses
    fall with the margin, as they do for a trained model.
    """
    rng = np.random.default_rng(seed)
    member = membership(seed, examples, models, split)
    labels = rng.integers(0, classes, examples).astype(np.int32)
    own = labels[:, None] == np.arange(classes)
    logits = rng.normal(size=(1, examples, 1, classes)) + 0.5 * rng.normal(size=(models, examples, queries, classes))
    logits = (logits + own[:, None] * (1.0 + gap * member[:, :, None, None])).astype(np.float32)
    phi = np.asarray(signals.scaled_logit(logits, labels[:, None]))
    # Losses fall over six epochs to where they end up; those of members from further above.
    fall = np.linspace(1, 0, 6)[:, None] * np.where(member & (gap > 0), 3.0, 1.5)[:, None, :]
    loss = np.asarray(signals.loss(phi[:, None, :, 0]))
    gradient = np.asarray(signals.loss(phi[..., 0])) * np.exp(0.1 * rng.normal(size=member.shape))
    return Signals(
        scaled_logit=phi,
        correct=np.asarray(signals.correct(logits[:, :, 0], labels)),
        labels=labels,
        logits=logits,
        losses=(loss + fall * (1 + rng.random(fall.shape))).astype(np.float32),
        gradient_norm=gradient.astype(np.float32),
        input_gradient_norm=(2 * gradient).astype(np.float32),
        features=rng.normal(size=(examples, 3)).astype(np.float32),
    ), member


def uninformative(kind, models, examples, split="balanced", seed=0):
    """Signals that know nothing of membership: ``noise``, ``constant``, ``tied`` or a function of the ``example``."""
    plain, member = ensemble(models, examples, queries=1, gap=0.0, split=split, seed=seed)
    logits = {
        "noise": plain.logits,
        "constant": np.zeros_like(plain.logits),
        "tied": np.round(plain.logits),
        "example": np.repeat(plain.logits[:1], models, 0),
    }[kind]
    phi = np.asarray(signals.scaled_logit(logits, plain.labels[:, None]))
    loss = np.asarray(signals.loss(phi[..., 0]))
    return plain._replace(
        logits=logits,
        scaled_logit=phi,
        correct=np.asarray(signals.correct(logits[:, :, 0], plain.labels)),
        losses=loss[:, None] * np.linspace(2, 1, 6, dtype=np.float32)[:, None],
        gradient_norm=loss,
        input_gradient_norm=2 * loss,
    ), member


def take(signals: Signals, models=slice(None), examples=slice(None)) -> Signals:
    """The signals of some models on some examples, in that order."""
    return Signals(
        **{
            field: None
            if array is None
            else array[examples]
            if field in ("labels", "features")
            else array[models][:, :, examples]
            if field == "losses"
            else array[models][:, examples]
            for field, array in signals._asdict().items()
        }
    )
