"""Simulated campaigns with known truth: score = member shift + model effect + example effect + cell noise."""

import dataclasses

import numpy as np
from scipy.stats import norm

from miajax.metrics.summary import summarise


def entry_and_notes(*args, **kwargs):
    """What ``summarise`` finds, as results.json holds it, and its notes."""
    found = summarise(*args, **kwargs)
    return found.to_json(), found.notes


@dataclasses.dataclass(frozen=True)
class Effects:
    """Standard deviations beside a cell noise of 1, and the shift of members."""

    shift: float = 1.0
    model: float = 0.3
    example: float = 0.6
    shift_of_model: float = 0.0

    @property
    def non_member_sd(self) -> float:
        return float(np.sqrt(1.0 + self.model**2 + self.example**2))

    @property
    def member_sd(self) -> float:
        return float(np.hypot(self.non_member_sd, self.shift_of_model))

    def auc(self) -> float:
        """AUC of infinitely many models and examples."""
        return float(norm.cdf(self.shift / np.hypot(self.member_sd, self.non_member_sd)))

    def tpr(self, fpr: float) -> float:
        """TPR of infinitely many models and examples."""
        return float(norm.sf((self.non_member_sd * norm.isf(fpr) - self.shift) / self.member_sd))

    def draw(self, rng: np.random.Generator, num_models: int, num_examples: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns ``scores float32[M, N]`` and ``member bool[M, N]`` with half of the examples in each model."""
        member = np.stack([rng.permutation(num_examples) < num_examples // 2 for _ in range(num_models)])
        scores = member * (self.shift + self.shift_of_model * rng.normal(size=(num_models, 1)))
        scores += self.model * rng.normal(size=(num_models, 1)) + self.example * rng.normal(size=num_examples)
        return (scores + rng.normal(size=member.shape)).astype(np.float32), member
