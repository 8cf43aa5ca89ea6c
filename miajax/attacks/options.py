"""Settings of the attacks that have any, with the values their authors use."""

import dataclasses
from typing import Literal, get_args

from miajax.errors import UserError

LiraMode = Literal["default", "official"]


@dataclasses.dataclass(frozen=True)
class RmiaOptions:
    """RMIA, and what BASE shares with it.

    Attributes:
      temperature: logits are divided by it before the likelihood of the label.
      likelihood: ``softmax``, or ``taylor``: the soft-margin Taylor softmax, which saturates later.
      taylor_margin, taylor_order: its margin and the degree of its polynomial, an even number so that it is positive.
      gamma: how many times larger the ratio of x must be than that of z to count.
      offline_a: how p(x) follows from OUT models, ((1 + a) p_out + 1 - a) / 2; None to choose it for each target as
        the best on its paired model.
    """

    temperature: float = 2.0
    likelihood: Literal["softmax", "taylor"] = "softmax"
    taylor_margin: float = 0.6
    taylor_order: int = 4
    gamma: float = 2.0
    offline_a: float | None = 0.3

    def __post_init__(self):
        for flag, ok, expected in (
            ("temperature", self.temperature > 0, "a positive number"),
            ("gamma", self.gamma >= 1, "1 or more"),
            ("taylor_order", self.taylor_order % 2 == 0, "an even number"),
            ("offline_a", self.offline_a is None or 0 <= self.offline_a <= 1, "a number from 0 to 1"),
        ):
            if not ok:
                raise UserError(f"--{flag} {getattr(self, flag)}", expected=expected)


RMIA_PRESETS: dict[str, RmiaOptions] = {
    "cifar10": RmiaOptions(temperature=2.0, gamma=2.0, offline_a=0.3, likelihood="taylor"),
    "cifar100": RmiaOptions(temperature=1.0, gamma=2.0, offline_a=0.6, likelihood="taylor"),
    "purchase100": RmiaOptions(temperature=2.0, gamma=2.0, offline_a=0.2, likelihood="softmax"),
}
"""Settings of Zarifzadeh et al. by data set."""


@dataclasses.dataclass(frozen=True)
class CalibrationOptions:
    """Calibrated difficulty.

    Attributes:
      centre: ``mean`` or ``median`` of the shadow models' scores is subtracted.
      models: whose: those without the example (``out``), with it (``in``) or ``both``.
    """

    centre: Literal["mean", "median"] = "mean"
    models: Literal["out", "in", "both"] = "out"


@dataclasses.dataclass(frozen=True)
class BavariaOptions:
    """BaVarIA's prior; None estimates a strength from how much the examples differ.

    Attributes:
      mean_strength: kappa_0, how many models the prior of an example's mean is worth. Weak by default: means differ so
        much between examples that pulling them together costs power (digits, 16 models: TPR at FPR .001 of .021 with
        .01, .019 estimated, .014 with .5).
      variance_strength: alpha_0, half the models that the prior of an example's variance is worth.
    """

    mean_strength: float | None = 0.01
    variance_strength: float | None = None


@dataclasses.dataclass(frozen=True)
class QuantileOptions:
    """Quantile regression.

    Attributes:
      target: ``gaussian`` fits mean and deviation of the margin, ``pinball`` its quantile.
      level: the quantile that ``pinball`` fits, one minus the false positive rate that is wanted.
      hidden: units of each of the two hidden layers.
      steps, batch_size, learning_rate: of Adam; batches are drawn with replacement.
      folds: the pool is cut into so many parts, each judged by a network that saw the non-members of the others.
      seed: of folds, weights and batches.
    """

    target: Literal["gaussian", "pinball"] = "gaussian"
    level: float = 0.95
    hidden: int = 32
    steps: int = 400
    batch_size: int = 64
    learning_rate: float = 3e-3
    folds: int = 2
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class PmiaOptions:
    """PMIA.

    Attributes:
      neighbours: how many proxies the instance form takes; its authors take one.
    """

    neighbours: int = 1

    def __post_init__(self):
        if self.neighbours < 1:
            raise UserError(f"--neighbours {self.neighbours}", expected="1 or more")


SignalName = Literal["scaled_logit", "loss", "hinge", "entropy"]


@dataclasses.dataclass(frozen=True)
class MultiSignalOptions:
    """LiRA on several signals.

    Attributes:
      signals: which numbers of a prediction, each once; the scaled logit alone is ``lira_online``.
      shrinkage: lambda, from 0 (all covariances) to 1 (independent signals).
    """

    signals: tuple[SignalName, ...] = ("scaled_logit", "loss", "hinge", "entropy")
    shrinkage: float = 0.5

    def __post_init__(self):
        known, named = get_args(SignalName), set(self.signals)
        if not named or named - set(known) or len(named) < len(self.signals):
            raise UserError(f"--signals {' '.join(self.signals)}", expected=f"some of {', '.join(known)}, each once")
        if not 0 <= self.shrinkage <= 1:
            raise UserError(f"--shrinkage {self.shrinkage}", expected="a number from 0 to 1")


@dataclasses.dataclass(frozen=True)
class AttackOptions:
    """Settings of all attacks.

    Attributes:
      lira_mode: ``default``: mean and variance of each side, fixed variances pooled from residuals, one-sided offline
        score. ``official``: the numbers of the published LiRA script, its peculiarities included.
      class_thresholds: whether entropy and modified entropy are taken less a threshold of each class, learnt on shadow
        models; else they need none.
      population_size: how many examples of the pool RMIA and Attack-P compare with, spread evenly; None for all. The
        target's members are masked whatever the number. Ignored where signals bring a population of their own.
      mean_rank: whose ranks ``mean_rank`` averages, and whose ``union`` and ``intersection`` are taken; by default one
        attack of each kind of score that a handful of shadow models is enough for.
      covariance_shrinkage: lambda of full-covariance LiRA, from 0 (all covariances) to 1 (independent queries).
      rmia, calibration, bavaria, quantile, pmia, multi: settings of these attacks alone.

    Example:
      >>> from miajax.attacks.options import RmiaOptions
      >>> AttackOptions(population_size=1000, rmia=RmiaOptions(offline_a=0.5)).rmia.offline_a
      0.5
    """

    lira_mode: LiraMode = "default"
    class_thresholds: bool = False
    population_size: int | None = None
    covariance_shrinkage: float = 0.5
    mean_rank: tuple[str, ...] = ("bavaria_t", "base_online", "informia_offline")
    rmia: RmiaOptions = RmiaOptions()
    calibration: CalibrationOptions = CalibrationOptions()
    bavaria: BavariaOptions = BavariaOptions()
    quantile: QuantileOptions = QuantileOptions()
    pmia: PmiaOptions = PmiaOptions()
    multi: MultiSignalOptions = MultiSignalOptions()
