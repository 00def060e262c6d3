"""What is believed about one signal, as arrays over (category, model)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Belief about one signal in every cell; arrays of shape (C + 1, M), the last row an unseen category.

    `mean` and `variance` are those of the parameter, `spread` the variance of single observations around it,
    `weight` the decayed number of observations.
    """

    mean: Floats
    variance: Floats
    spread: Floats
    weight: Floats
