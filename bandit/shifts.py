"""Level shifts: what an incident does to the belief about a model, and how it is forgotten when it is over.

Each model has one chain of levels per signal (`bandit.levels`), told by what its categories have in common: how far
observations lie from what the cells believe. Observations of unusual buckets then count less for what is usual, and
twice over the chain and the cells agree. At last each cell believes a mixture: what is usual, or, with the probability
that the model is at another level now, what that level and the cell's own observations since then say.

Evidence of n observations with sum S about an offset L from a belief theta +- v, per bucket and cell:

    log-likelihood = rho (L (S - n theta) - n L^2 / 2),   rho = 1 / (caution (s2 + n v))

For errors, whose rate is small, a normal form is absurd: there a level is a rate p, and S ln p + (n - S) ln(1 - p)
counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.grid import midpoints
from bandit.levels import Hazards, level_beliefs, transitions
from bandit.observed import Observed
from bandit.ordered import ordered_sum
from bandit.priors import ChangeSettings, ShiftSettings
from bandit.sums import Sums

Floats = NDArray[np.float64]
Fit = Callable[[Observed], Belief]
"""From what is kept of the observations to a belief in every cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Chronology:
    """Seconds from the middle of each bucket to that of the next, shape (B - 1,); and how levels change.

    Time counts in buckets: what is believed changes when something is observed, or when the youngest bucket closes.
    """

    elapsed_s: Floats
    hazards: Hazards

    @classmethod
    def of(cls, sums: Sums, requests: int, change: ChangeSettings) -> Self:
        """Return the chronology of these sums, in which so many requests were observed in all.

        Little traffic tells little of what happens meanwhile, so levels never change faster than some number of
        requests takes.
        """
        middles = midpoints(sums.starts, sums.now)
        bucket_s = sums.bucket_us * 1e-6
        request_s = (sums.now + 1 - int(sums.starts[0])) * bucket_s / max(requests, 1)
        hazards = Hazards(
            onset=1.0 / max(change.onset_s, change.onset_requests * request_s),
            recovery=1.0 / max(change.recovery_s, change.recovery_requests * request_s),
        )
        return cls(np.diff(middles) * bucket_s, hazards)


def shifted(observed: Observed, fit: Fit, settings: ShiftSettings, chronology: Chronology) -> Belief:
    """Return the belief in every cell, given that each model may be at another level than usual."""
    offsets = np.array((0.0, *settings.levels))

    def evidence(usual: Belief) -> Floats:
        spread = np.clip(usual.spread, settings.least_spread, settings.largest_spread)
        rho = 1.0 / (settings.caution * (spread + observed.count * usual.variance))
        surplus = ordered_sum((observed.total - observed.count * usual.mean) * rho, axis=1)
        weight = ordered_sum(observed.count * rho, axis=1)
        return offsets * surplus[..., None] - 0.5 * offsets**2 * weight[..., None]

    usual, levels = _agreed(observed, fit, evidence, settings, chronology)
    probability, offset, variance = _other_level(levels, offsets[1:])
    since = _since(levels)[:, None, :]
    count, total = (np.add.reduce(since * one, axis=0) for one in (observed.count, observed.total))
    # A level is a coarse guess of where a cell went: a fifth of its square is left to the cell's own observations.
    guess_variance = 0.2 * offset**2 + variance + usual.variance
    precision = 1.0 / guess_variance + count / usual.spread
    mean = ((usual.mean + offset) / guess_variance + total / usual.spread) / precision
    # Beyond the levels there is nothing to be told from a few observations, however far they lie.
    mean = np.clip(mean, usual.mean + offsets.min(), usual.mean + offsets.max())
    return _mixture(usual, probability, mean, 1.0 / precision)


def shifted_rate(observed: Observed, fit: Fit, settings: ShiftSettings, chronology: Chronology) -> Belief:
    """Return the belief in every cell about a rate of errors, given that each model may be failing now."""
    rates = np.array(settings.levels)
    successes = observed.count - observed.total

    def evidence(usual: Belief) -> Floats:
        rate = np.clip(usual.mean, 1e-6, 1.0 - 1e-6)
        log_rate, log_rest = np.log(rate), np.log1p(-rate)
        gains = np.zeros((len(successes), rate.shape[1], len(rates) + 1))
        for place, level in enumerate(rates, start=1):
            # A level below what is usual would be no failure.
            gain = np.maximum(np.log(level), log_rate) - log_rate
            loss = np.minimum(np.log1p(-level), log_rest) - log_rest
            gains[..., place] = ordered_sum(observed.total * gain + successes * loss, axis=1)
        return gains / settings.caution

    usual, levels = _agreed(observed, fit, evidence, settings, chronology)
    probability, rate, variance = _other_level(levels, rates)
    return _mixture(usual, probability, np.maximum(rate, usual.mean), variance + usual.variance)


def _agreed(
    observed: Observed, fit: Fit, evidence: Callable[[Belief], Floats], settings: ShiftSettings, chronology: Chronology
) -> tuple[Belief, Floats]:
    """Return what is usual and what the levels were, of shape (B, M, G), each in the light of the other.

    A mean over an incident and what was before lies between both, and makes neither look usual. So at first that level
    is taken for the usual one which most observations were made at, whatever its offset from the mean.
    """
    whole = fit(observed)
    slab, hazards = _slab(settings), chronology.hazards
    moves = transitions(slab, chronology.elapsed_s, hazards)
    initial = np.concatenate(([hazards.usual], (1.0 - hazards.usual) * slab))
    levels = level_beliefs(evidence(whole), moves, initial)
    most = np.add.reduce(ordered_sum(observed.count, axis=1)[..., None] * levels, axis=0).argmax(axis=-1)
    usual = fit(observed.weighted(np.take_along_axis(levels, most[None, :, None], axis=-1)[..., 0]))
    levels = level_beliefs(evidence(usual), moves, initial)
    usual = fit(observed.weighted(levels[..., 0]))
    return replace(usual, weight=whole.weight), levels


def _slab(settings: ShiftSettings) -> Floats:
    """Return the probability of each level, given that it is not the usual one; shape (G - 1,)."""
    weights = np.exp(-0.5 * (np.array(settings.levels) / settings.deviation) ** 2)
    slab: Floats = weights / weights.sum()
    return slab


def _other_level(levels: Floats, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the probability of not being at the usual level now, and mean and variance of the other; shape (M,)."""
    probability, others = 1.0 - levels[-1, :, 0], levels[-1, :, 1:]
    weights = others / np.maximum(others.sum(axis=-1, keepdims=True), 1e-300)
    mean = (weights * values).sum(axis=-1)
    variance = np.maximum((weights * values**2).sum(axis=-1) - mean**2, 0.0)
    return probability, mean, variance


def _since(levels: Floats) -> Floats:
    """Return how surely each bucket, and all after it, were at the level of now, if that is not the usual; (B, M)."""
    others = levels[..., 1:]
    now = others[-1] / np.maximum(others[-1].sum(axis=-1, keepdims=True), 1e-300)
    alike = np.minimum(others, now).sum(axis=-1)
    since: Floats = np.minimum.accumulate(alike[::-1], axis=0)[::-1]
    return since


def _mixture(usual: Belief, probability: Floats, mean: Floats, variance: Floats) -> Belief:
    """Return the belief with the moments of the mixture of two."""
    mixed = (1.0 - probability) * usual.mean + probability * mean
    between = (1.0 - probability) * (usual.mean - mixed) ** 2 + probability * (mean - mixed) ** 2
    within = (1.0 - probability) * usual.variance + probability * variance
    shift = np.broadcast_to(probability, mixed.shape).copy()
    return Belief(mixed, within + between, usual.spread, usual.weight, shift)
