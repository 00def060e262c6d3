"""From seeds to bands: means of runs on the log as it is, spread of runs on bootstrapped requests and tapes.

A learner on a bootstrapped log lives in a world in which whatever looked good by luck is good, so it does better there
than it could: the mean of such runs is too high. Their spread is what is wanted: it holds the learner's luck and the
log's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from simulations.documents import json_values
from simulations.replay.figures import FIGURES, Shown

Floats = NDArray[np.float64]

Runs = Sequence[Floats | float]

LOW, HIGH = 0.05, 0.95
LARGEST: Final = dict.fromkeys(("answer", "quality", "error_rate", "resampled", "borrowed", "valued"), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Mean, standard error, 5 and 95 % of what one run over one such log shows; NaN where nothing is known."""

    mean: Floats
    se: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, plain: Runs, bootstrapped: Runs, largest: float = np.inf) -> Self:
        """Sum up runs, shape (S, ...) both: the mean is that of the plain ones, the spread around it the others'.

        What is known of no run is not known; a standard error needs two. Shares have a `largest` value, and are not
        below 0.
        """
        mean, _ = _moments(np.asarray(plain, np.float64))
        values = np.asarray(bootstrapped, np.float64)
        centre, se = _moments(values)
        filled = np.where(np.isfinite(values), values, centre)
        low, high = mean + np.quantile(filled, [LOW, HIGH], axis=0) - centre
        if np.isfinite(largest):
            low, high = np.clip(low, 0.0, largest), np.clip(high, 0.0, largest)
        return cls(mean, se, low, high)

    def as_json(self) -> dict[str, object]:
        """Return numbers or lists of them; unknown is null."""
        return {name: json_values(getattr(self, name)) for name in self.__slots__}


def _moments(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation over the first axis, of what is known."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan)
    squares = np.where(known, values - mean, 0.0) ** 2
    return mean, np.sqrt(squares.sum(axis=0) / np.where(count > 1, count - 1, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class PolicyBands:
    """What runs show of a policy: figures by name; curves of shape (P,); shares of models, (M,); who served whom.

    `counts`, of shape (C, M), are means of `Shown.counts`. `allocation` has shape (P, C + 1, M): shares from mark to
    mark, the last row over all categories, means of plain runs; None as in `Shown`. `resampled` is the share of each
    model's outcomes that were played before, shape (M,), `latencies` are means of `Shown.latencies`.
    """

    figures: Mapping[str, Band]
    counts: Floats
    value_usd: Band
    spend_usd: Band
    shares: Band
    resampled: Band
    latencies: Floats
    allocation: Floats | None

    @classmethod
    def of(cls, plain: Sequence[Shown], bootstrapped: Sequence[Shown]) -> Self:
        """Sum up what runs show of one policy."""

        def band(of: Callable[[Shown], Floats | float], largest: float = np.inf) -> Band:
            return Band.of([of(one) for one in plain], [of(one) for one in bootstrapped], largest)

        allocated = [_allocated(one.allocation) for one in plain if one.allocation is not None]
        return cls(
            figures={name: _figure(name, plain, bootstrapped) for name in FIGURES},
            counts=np.mean([one.counts for one in plain], axis=0),
            value_usd=band(lambda one: one.value_usd),
            spend_usd=band(lambda one: one.spend_usd),
            shares=band(lambda one: _shares(one.counts.sum(axis=0)), 1.0),
            resampled=band(lambda one: _ratio(one.resampled.sum(axis=0), one.counts.sum(axis=0)), 1.0),
            latencies=np.mean([one.latencies for one in plain], axis=0),
            allocation=_moments(np.array(allocated))[0] if allocated else None,
        )


def _figure(name: str, plain: Sequence[Shown], bootstrapped: Sequence[Shown]) -> Band:
    seen, spread = ([one.figures[name] for one in runs] for runs in (plain, bootstrapped))
    return Band.of(seen, spread, LARGEST.get(name, np.inf))


def _allocated(counts: NDArray[np.int64]) -> Floats:
    return _shares(np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1))


def _shares(counts: NDArray[np.int64]) -> Floats:
    return _ratio(counts, counts.sum(axis=-1, keepdims=True))


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    ratio: Floats = part / np.where(whole > 0, whole, np.nan)
    return ratio
