"""What is believed about one signal, as arrays over (category, model)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Belief about one signal in every cell; arrays of shape (C + 1, M), the last row an unseen category.

    `mean` and `variance` are those of the parameter, `spread` the variance of single observations around it,
    `weight` the decayed number of observations. `shift` is the probability that the model is at another level
    than usual (`bandit.shifts`), which is part of mean and variance; 0 where that is not asked.
    """

    mean: Floats
    variance: Floats
    spread: Floats
    weight: Floats
    shift: Floats

    def taken_from(self, other: "Belief", rows: Bools) -> "Belief":
        """Return this belief with the rows of another one where `rows`, of shape (C + 1, 1), says so."""
        return Belief(
            mean=np.where(rows, other.mean, self.mean),
            variance=np.where(rows, other.variance, self.variance),
            spread=np.where(rows, other.spread, self.spread),
            weight=np.where(rows, other.weight, self.weight),
            shift=np.where(rows, other.shift, self.shift),
        )
