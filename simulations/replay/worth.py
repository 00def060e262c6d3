"""What logged outcomes bring, to whoever gets them: answers, dollars, seconds.

    value = V quality (1 - error) - cost - second_value latency
    cost  = (p_in (input - cached) + p_cached cached)' requested / requested' + p_out output'

where ' is of the outcome and the rest of the request, so a change of an input price counts exactly. What an outcome
does not know of itself is taken for the mean of its model, category and time; how often, is counted. Failed calls
answer nothing, so they stand for no other call's answer, nor for what it costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.failures import answers, errors, failed
from bandit.catalogue import Prices
from simulations.replay.tapes import LEAST, Places
from simulations.replay.traffic import Traffic

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TYPICAL: Final = (1000.0, 0.0, 200.0)
"""Tokens of prompt, of cache and of answer by which prices are compared where no call of a model knows its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """What N outcomes bring; shape (N,), NaN where nothing tells.

    `answer` is quality times answered. A call costs `fixed_usd`, and `usd_per_token` for every prompt token of the
    request; where the request does not say how many these are, `own_tokens` of the outcome. `error` is 1 for a failed
    call. `taken` counts, by name, outcomes that a mean stands in for.
    """

    answer: Floats
    fixed_usd: Floats
    usd_per_token: Floats
    latency_s: Floats
    error: Floats
    requested_tokens: Floats
    own_tokens: Floats
    taken: Mapping[str, int]

    @classmethod
    def of(cls, traffic: Traffic, places: Places, prices: Mapping[str, Prices], logged: Mapping[str, Prices]) -> Self:
        """Value a log at prices; models without a price cost what the log says. `logged` prices are those it was at."""
        cell = traffic.category * len(traffic.models) + traffic.model
        groups = _Groups(cell * len(places.bucket) + places.of_row, cell)
        answer, (fixed, per_token) = answers(traffic.status, traffic.quality), _costs(traffic, prices, logged)
        columns = {
            "quality": (answer, _answers(traffic, answer, groups)),
            "cost": (fixed, _paid(traffic, fixed, groups)),
            "latency": (traffic.latency_s, groups.filled(traffic.latency_s)),
        }
        return cls(
            answer=columns["quality"][1],
            fixed_usd=columns["cost"][1],
            usd_per_token=np.nan_to_num(_paid(traffic, per_token, groups)),
            latency_s=columns["latency"][1],
            error=errors(traffic.status),
            requested_tokens=traffic.requested_tokens,
            own_tokens=np.nan_to_num(groups.filled(traffic.requested_tokens)),
            taken={name: int((np.isnan(known) & ~np.isnan(filled)).sum()) for name, (known, filled) in columns.items()},
        )

    def cost_usd(self, outcome: Ints, row: Ints) -> Floats:
        """Return what outcomes cost the requests of rows; both of shape (T,)."""
        tokens = self.requested_tokens[row]
        usd: Floats = self.fixed_usd[outcome] + self.usd_per_token[outcome] * np.where(
            np.isnan(tokens), self.own_tokens[outcome], tokens
        )
        return usd


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Rows that are alike, by number: those of a `place`, and of a `cell` at all times; both of shape (N,)."""

    place: Ints
    cell: Ints

    def filled(self, values: Floats) -> Floats:
        """Put means in for unknown values: of their place where that knows enough, else of their cell."""
        for groups, least in ((self.place, LEAST), (self.cell, 1)):
            known = np.isfinite(values)
            if known.all():
                break
            numbers, of = np.unique(groups, return_inverse=True)
            counts = np.bincount(of[known], minlength=len(numbers))
            totals = np.bincount(of[known], values[known], minlength=len(numbers))
            means = np.where(counts >= least, totals / np.maximum(counts, 1), np.nan)
            values = np.where(known, values, means[of])
        return values


def _answers(traffic: Traffic, known: Floats, groups: _Groups) -> Floats:
    """Return what calls answered: of one that nobody judged, what those that were answered and judged did.

    Where it is not known either whether the call failed, it did as often as others.
    """
    answered = groups.filled(np.where(failed(traffic.status), np.nan, known))
    failing = np.nan_to_num(groups.filled(errors(traffic.status)))
    return np.where(np.isnan(known), answered * (1.0 - failing), known)


def _paid(traffic: Traffic, usd: Floats, groups: _Groups) -> Floats:
    """Return what calls cost: of one that does not tell, what those that did not fail do."""
    is_failed = failed(traffic.status)
    return np.where(is_failed, usd, groups.filled(np.where(is_failed, np.nan, usd)))


def _costs(traffic: Traffic, prices: Mapping[str, Prices], logged: Mapping[str, Prices]) -> tuple[Floats, Floats]:
    """Return what each call costs whoever asks, and by the prompt token of the request; NaN where unknown."""
    missing = Prices(np.nan, np.nan)
    listed = np.array([_usd_per_token(prices.get(model, missing)) for model in traffic.models])
    input_usd, cached_usd, output_usd = listed[traffic.model].T
    requested, counted = traffic.requested_tokens, traffic.input_tokens
    cached = np.minimum(np.nan_to_num(traffic.cached_input_tokens), counted)
    prompt_usd = input_usd * (counted - cached) + cached_usd * cached
    is_scaled = (requested > 0) & (counted > 0)
    per_token = np.where(is_scaled, prompt_usd / np.where(is_scaled, requested, 1.0), 0.0)
    fixed = traffic.output_tokens * output_usd + np.where(is_scaled, 0.0, prompt_usd)
    scale = np.array([_scale(traffic, m, prices.get(n), logged.get(n)) for m, n in enumerate(traffic.models)])
    by_call = np.isnan(fixed)
    fixed = np.where(by_call, traffic.cost_usd * scale[traffic.model], fixed)
    per_token = np.where(np.isnan(fixed), np.nan, np.where(by_call, 0.0, per_token))
    # Providers do not bill calls that fail, unless the log says so.
    billed = ~failed(traffic.status) | (traffic.cost_usd > 0)
    return np.where(billed, fixed, 0.0), np.where(billed, per_token, 0.0)


def _usd_per_token(prices: Prices) -> tuple[float, float, float]:
    """Return prices of a token of prompt, of cache and of answer."""
    per_mtok = prices.input_usd_per_mtok, prices.cached_or_input_usd_per_mtok, prices.output_usd_per_mtok
    input_usd, cached_usd, output_usd = (price * 1e-6 for price in per_mtok)
    return input_usd, cached_usd, output_usd


def _scale(traffic: Traffic, model: int, price: Prices | None, logged: Prices | None) -> float:
    """Return what a call that knows its cost alone costs at a price, relative to the price it was logged at."""
    if price is None or logged is None:
        return 1.0
    rows = traffic.model == model
    columns = traffic.input_tokens, traffic.cached_input_tokens, traffic.output_tokens
    known = [one[rows][np.isfinite(one[rows])] for one in columns]
    prompt, cached, answer = (float(one.mean()) if len(one) else t for one, t in zip(known, _TYPICAL, strict=True))
    tokens = np.array([prompt - min(cached, prompt), min(cached, prompt), answer])
    now, then = (float(tokens @ _usd_per_token(one)) for one in (price, logged))
    return now / then if then > 0 else 1.0
