"""What logged outcomes bring, to whoever gets them: answers, dollars, seconds.

    value = V quality (1 - error) - cost - second_value latency
    cost  = p_in requested (input / requested)' + p_out output'

where ' is of the outcome and the rest of the request, so a change of an input price counts exactly. What an outcome
does not know of itself is taken for the mean of its model, category and time; how often, is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import UNKNOWN
from bandit.catalogue import Prices
from bandit.signals import Status
from simulations.replay.tapes import LEAST, Places
from simulations.replay.traffic import Traffic

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FAILED: Final = (Status.ERROR, Status.TIMEOUT, Status.RATE_LIMITED)
_TYPICAL: Final = (1000.0, 200.0)
"""Tokens of prompt and answer by which prices are compared where no call of a model knows its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """What N outcomes bring; shape (N,), NaN where nothing tells.

    `answer` is quality times answered. A call costs `fixed_usd`, and `usd_per_token` for every prompt token of the
    request. `error` is 1 for a failed call. `taken` counts, by name, outcomes that a mean stands in for.
    """

    answer: Floats
    fixed_usd: Floats
    usd_per_token: Floats
    latency_s: Floats
    error: Floats
    requested_tokens: Floats
    taken: Mapping[str, int]

    @classmethod
    def of(cls, traffic: Traffic, places: Places, prices: Mapping[str, Prices], logged: Mapping[str, Prices]) -> Self:
        """Value a log at prices; models without a price cost what the log says. `logged` prices are those it was at."""
        failed = np.isin(traffic.status, FAILED)
        fixed, per_token = _costs(traffic, failed, prices, logged)
        answer = np.where(failed, 0.0, traffic.quality)
        cell = traffic.category * len(traffic.models) + traffic.model
        place = cell * len(places.bucket) + places.of_row
        columns = {"quality": answer, "cost": fixed, "latency": traffic.latency_s}
        filled = {name: _filled(values, place, cell) for name, values in columns.items()}
        return cls(
            answer=filled["quality"],
            fixed_usd=filled["cost"],
            usd_per_token=np.where(np.isnan(fixed), 0.0, per_token),
            latency_s=filled["latency"],
            error=np.where(traffic.status == UNKNOWN, np.nan, failed),
            requested_tokens=traffic.requested_tokens,
            taken={name: int((np.isnan(values) & ~np.isnan(filled[name])).sum()) for name, values in columns.items()},
        )

    def cost_usd(self, outcome: Ints, row: Ints) -> Floats:
        """Return what outcomes cost the requests of rows; both of shape (T,)."""
        tokens = self.requested_tokens[row]
        usd: Floats = self.fixed_usd[outcome] + self.usd_per_token[outcome] * np.where(
            np.isnan(tokens), self.requested_tokens[outcome], tokens
        )
        return usd


def _costs(
    traffic: Traffic, failed: Bools, prices: Mapping[str, Prices], logged: Mapping[str, Prices]
) -> tuple[Floats, Floats]:
    """Return what each call costs whoever asks, and by the prompt token of the request; NaN where unknown."""
    missing = Prices(np.nan, np.nan)
    input_usd, output_usd = _by_row(traffic, [prices.get(model, missing) for model in traffic.models])
    requested, counted = traffic.requested_tokens, traffic.input_tokens
    is_scaled = (requested > 0) & (counted > 0)
    per_token = np.where(is_scaled, input_usd * counted / np.where(is_scaled, requested, 1.0), 0.0)
    fixed = traffic.output_tokens * output_usd + np.where(is_scaled, 0.0, counted * input_usd)
    scale = np.array([_scale(traffic, m, prices.get(n), logged.get(n)) for m, n in enumerate(traffic.models)])
    by_call = np.isnan(fixed)
    fixed = np.where(by_call, traffic.cost_usd * scale[traffic.model], fixed)
    # Providers do not bill calls that fail, unless the log says so.
    billed = ~failed | (traffic.cost_usd > 0)
    return np.where(billed, fixed, 0.0), np.where(billed & ~by_call, per_token, 0.0)


def _by_row(traffic: Traffic, prices: Sequence[Prices]) -> tuple[Floats, Floats]:
    pairs = np.array([(one.input_usd_per_mtok, one.output_usd_per_mtok) for one in prices]) * 1e-6
    return pairs[traffic.model, 0], pairs[traffic.model, 1]


def _scale(traffic: Traffic, model: int, price: Prices | None, logged: Prices | None) -> float:
    """Return what a call that knows its cost alone costs at a price, relative to the price it was logged at."""
    if price is None or logged is None:
        return 1.0
    rows = traffic.model == model
    known = [one[rows][np.isfinite(one[rows])] for one in (traffic.input_tokens, traffic.output_tokens)]
    tokens = [float(one.mean()) if len(one) else typical for one, typical in zip(known, _TYPICAL, strict=True)]
    now, then = (tokens[0] * p.input_usd_per_mtok + tokens[1] * p.output_usd_per_mtok for p in (price, logged))
    return now / then if then > 0 else 1.0


def _filled(values: Floats, place: Ints, cell: Ints) -> Floats:
    """Put means in for unknown values: of their place where that knows enough, else of their cell."""
    for groups, least in ((place, LEAST), (cell, 1)):
        known = np.isfinite(values)
        if known.all():
            break
        numbers, of = np.unique(groups, return_inverse=True)
        counts = np.bincount(of[known], minlength=len(numbers))
        totals = np.bincount(of[known], values[known], minlength=len(numbers))
        means = np.where(counts >= least, totals / np.maximum(counts, 1), np.nan)
        values = np.where(known, values, means[of])
    return values
