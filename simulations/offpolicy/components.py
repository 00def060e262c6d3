"""The parts of what a call is worth, as numbers that sums can add up: unknown parts stay out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import Calls
from adapters.traffic.failures import answers, errors
from bandit.request import Objective

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

COMPONENTS: Final = ("answer", "cost_usd", "latency_s", "error")
"""`answer` is the quality of an answer, 0 where the call failed; the first three make up the value."""

VALUED: Final = 3
"""How many of the components, from the first on, are part of a call's value."""


def observed(calls: Calls) -> tuple[Floats, Bools]:
    """Return the components of n calls, 0 where unknown, and which are known; shapes (n, K)."""
    answer, error = answers(calls.status, calls.quality), errors(calls.status)
    columns = np.stack([answer, calls.cost_usd, calls.latency_s, error], axis=1)
    known = np.isfinite(columns)
    return np.where(known, columns, 0.0), known


def weights_of(objective: Objective) -> Floats:
    """Return the factors with which the components make up a call's value in dollars; shape (K,)."""
    return np.array([objective.answer_value_usd, -1.0, -objective.second_value_usd, 0.0])


def worth_of(components: Floats, objective: Objective) -> Floats:
    """Return dollars from components in the last axis; those that are worth nothing need not be known."""
    factors = weights_of(objective)
    asked = factors != 0.0
    worth: Floats = components[..., asked] @ factors[asked]
    return worth
