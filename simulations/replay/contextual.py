"""Whether the logger looked at the size of prompts: if it did, outcomes of a tape are not those of any request."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulations.replay.traffic import Traffic

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSES: Final = 3
"""Small, middling and large prompts of a category, as many of each."""
_STRETCHES: Final = 10
"""Choices are compared within stretches of time: a logger that learns changes its mind, whatever the size."""
_SHARE: Final = 0.05
_DEVIATIONS: Final = 4.0


class Leaning(NamedTuple):
    """How much more often a model was chosen for large prompts of a category than for small ones, as a share."""

    category: str
    model: str
    share: float
    standard_error: float

    @property
    def is_plain(self) -> bool:
        """Whether it is large, and no luck: at 4 deviations, chance alone does it in 1 of 16,000 cells."""
        return abs(self.share) > max(_SHARE, _DEVIATIONS * self.standard_error)


def size_classes(traffic: Traffic) -> Ints:
    """Return the size class of each row's prompt in its category; shape (N,). Unknown sizes are middling."""
    classes = np.ones(len(traffic), np.int64)
    for category in range(len(traffic.categories)):
        rows = np.flatnonzero((traffic.category == category) & np.isfinite(traffic.requested_tokens))
        if len(rows):
            tokens = traffic.requested_tokens[rows]
            edges = np.quantile(tokens, [1 / CLASSES, 1 - 1 / CLASSES])
            classes[rows] = np.searchsorted(edges, tokens, side="right")
    return classes


def leanings(traffic: Traffic, classes: Ints) -> list[Leaning]:
    """Return where the logger's choices plainly depended on the size of the prompt, the strongest first."""
    found = []
    for category, name in enumerate(traffic.categories):
        rows = np.flatnonzero((traffic.category == category) & ~traffic.forced)
        stretch = np.arange(len(rows)) * _STRETCHES // max(len(rows), 1)
        sizes = classes[rows]
        for model, model_name in enumerate(traffic.models):
            chosen = (traffic.model[rows] == model).astype(np.float64)
            share, error = _difference(chosen, sizes, stretch)
            found.append(Leaning(name, model_name, share, error))
    return sorted((one for one in found if one.is_plain), key=lambda one: -abs(one.share))


def _difference(chosen: Floats, sizes: Ints, stretch: Ints) -> tuple[float, float]:
    """Return the mean over stretches of what large prompts are ahead of small ones, and its standard error."""
    sides = []
    for size in (0, CLASSES - 1):
        counts = np.bincount(stretch[sizes == size], minlength=_STRETCHES)
        totals = np.bincount(stretch[sizes == size], chosen[sizes == size], minlength=_STRETCHES)
        share = (totals + 0.5) / (counts + 1.0)
        sides.append((counts, totals / np.maximum(counts, 1), share * (1.0 - share) / np.maximum(counts, 1)))
    (few, small, small_variance), (many, large, large_variance) = sides
    both = (few > 0) & (many > 0)
    if not both.any():
        return 0.0, np.inf
    weight = both / both.sum()
    error = float(np.sqrt((weight**2 * (small_variance + large_variance)).sum()))
    return float((weight * (large - small)).sum()), error
