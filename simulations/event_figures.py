"""What became of a model's share of the requests when something happened to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.events import FalseJudgements, ModelAdded, ModelEvent, PriceChange

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

WINDOW: Final = 100
"""Requests that a sliding share is taken over, half of them before the request that it stands for."""
MOVED: Final = 0.8
SMALLEST_MOVE: Final = 0.02
"""Of a share: smaller ones are the luck of a few hundred draws."""


@dataclass(frozen=True, slots=True)
class EventFigures:
    """An event of a run, when the model was changed or new (`start` to `end`), and figures by name; None is unknown."""

    kind: str
    model: str
    start: int
    end: int
    figures: Mapping[str, float | None]


def event_figures(event: ModelEvent, chosen: Bools) -> EventFigures:
    """Return the figures of a policy; `chosen`, of shape (N, T), says which requests the event's model served.

    Shares are means over the seeds; how many requests something took is the median of the seeds, None for never.
    """
    steps = chosen.shape[1]
    start, end = event.start, steps if isinstance(event, ModelAdded) else event.end
    around = _sliding_shares(chosen, start, end)
    if isinstance(event, ModelAdded):
        final = _shares(chosen, 2 * steps // 3, steps)
        figures = {
            "half_of_final_share_after": median_first((final > 0) & (around >= final / 2)),
            "share_after": _mean(_shares(chosen, start, steps)),
        }
        return EventFigures(event.kind, str(event.model), start, end, figures)
    before, late, after = (
        _shares(chosen, *span) for span in ((0, start), (end - (end - start) // 3, end), (end, steps))
    )
    figures = {f"share_{name}": _mean(by) for name, by in (("before", before), ("during", late), ("after", after))}
    if isinstance(event, PriceChange):
        way = (around - before) * np.sign(late - before)
        size = np.abs(late - before)
        figures["moved_after"] = median_first((size >= SMALLEST_MOVE) & (way >= MOVED * size))
    else:
        figures["halved_after"] = median_first((before > 0) & (around <= before / 2))
    if isinstance(event, FalseJudgements):
        since = _sliding_shares(chosen, end, steps)
        figures["recovered_after"] = median_first((before > 0) & (since >= MOVED * before)) if end < steps else None
    return EventFigures(event.kind, str(event.model), start, end, figures)


def median_first(reached: Bools) -> float | None:
    """Return the median over rows of the first place that is true, with never as the latest; None for never."""
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), np.inf)
    middle = float(median(first.tolist()))
    return middle if np.isfinite(middle) else None


def _shares(chosen: Bools, start: int, end: int) -> Floats:
    """Share of the requests of a span per seed, shape (N, 1); NaN where there are none."""
    sums: Floats = chosen[:, start:end].sum(axis=1, keepdims=True)
    return sums / (end - start) if end > start else np.full(sums.shape, np.nan)


def _sliding_shares(chosen: Bools, start: int, end: int) -> Floats:
    """Share around each request of a span, of shape (N, end - start), by what happens before the span's end."""
    sums = np.pad(chosen.cumsum(axis=1), ((0, 0), (1, 0)))
    here = np.arange(start, end)
    low, high = np.maximum(here - WINDOW // 2, 0), np.minimum(here + WINDOW // 2, end)
    shares: Floats = (sums[:, high] - sums[:, low]) / (high - low)
    return shares


def _mean(shares: Floats) -> float | None:
    mean = float(shares.mean())
    return mean if np.isfinite(mean) else None
