"""From integer sums to beliefs: `infer` is a pure function of (sums, now, settings).

Cells are independent: a (category, model, signal) learns from its own observations only. Rates are
Beta-binomial; logarithms and graded quality are normal with a shrunken variance:

    s2 = (nu0 s20 + SS) / (nu0 + (W - 1)+),  P = 1 / v0 + W / s2,  mean = (m0 / v0 + S / s2) / P,  var = 1 / P

with W, S the decayed count and sum, and SS the decayed sum of squares around the mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.evidence import Signal
from bandit.fusion import fused
from bandit.grid import midpoints
from bandit.knowledge import Knowledge, named_categories
from bandit.prior_cells import NormalPriors, QualityPriors, RatePriors
from bandit.priors import ANY_SOURCE, FUSED_PREFIX, InferenceSettings, NormalPrior
from bandit.signals import SCALE, THUMB
from bandit.sums import Sums, at, with_axes
from bandit.tails import believed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Beliefs about every (category, model), for one instant."""

    now_us: int
    categories: tuple[str, ...]
    models: tuple[str, ...]
    quality: Belief
    error: Belief
    latency: Belief
    first_token: Belief
    output_tokens: Belief
    input_ratio: Belief


def infer(sums: Sums, now_us: int, settings: InferenceSettings) -> Posterior:
    """Compute what to believe at `now_us` from nothing but the sums and the settings.

    Categories of which the settings know something beforehand have rows of their own. Raises PriorError.
    """
    seen = with_axes(at(sums, now_us), named_categories(settings), ())
    known = Knowledge.of(settings, seen.categories, seen.models)
    age_s = np.maximum(now_us / seen.bucket_us - midpoints(seen.starts, seen.now), 0.0) * seen.bucket_us * 1e-6

    def decay(signal: Signal) -> Floats:
        weights: Floats = np.exp2(-age_s / settings.half_lives_s.get(signal, np.inf))
        return weights

    def normal(signal: Signal, default: NormalPrior) -> Belief:
        priors = NormalPriors.of(default, known.shape)
        expected = known.of_models(signal, priors).mean
        filled = _Filled.of(_outcome_moments(seen, signal, expected), decay(signal))
        return known.settled(signal, priors, lambda settled: _normal(filled, settled))

    errors = _Filled.of(_moments(seen, "error", ""), decay("error"))
    qualities = _Qualities.of(seen, decay("quality"), settings)
    error_priors = RatePriors.of(settings.error, known.shape)
    quality_priors = QualityPriors.of(settings.thumbs, settings.scores, known.shape)

    return Posterior(
        now_us=now_us,
        categories=seen.categories,
        models=seen.models,
        quality=known.settled("quality", quality_priors, qualities.believed),
        error=known.settled("error", error_priors, lambda settled: _rate(errors, settled)),
        latency=normal("latency", settings.latency),
        first_token=normal("first_token", settings.first_token),
        output_tokens=normal("output_tokens", settings.output_tokens),
        input_ratio=normal("input_ratio", settings.input_ratio),
    )


def _moments(sums: Sums, signal: Signal, source: str) -> Ints:
    """Sums of one signal with an empty category appended; shape (3, C + 1, M, B)."""
    wanted = [i for i, (name, origin) in enumerate(sums.signals) if name == signal and source in (origin, ANY_SOURCE)]
    _, categories, models, _, buckets = sums.moments.shape
    moments = np.zeros((3, categories + 1, models, buckets), np.int64)
    for i in wanted:
        moments[:, :-1] += sums.moments[:, :, :, i]
    return moments


def _outcome_moments(sums: Sums, signal: Signal, prior_mean: Floats) -> Ints:
    """Sums of a signal of outcomes, without what is absurd; shape (3, C + 1, M, B)."""
    moments = _moments(sums, signal, "")
    tails = [sums.moments[:, :, :, i] for i, (name, source) in enumerate(sums.signals) if name == signal and source]
    if tails:
        moments[:, :-1] = believed(signal, moments[:, :-1], tails, prior_mean[:-1])
    return moments


@dataclass(frozen=True, slots=True, eq=False)
class _Filled:
    """The buckets that hold something, shape (N,): their cell, what is kept of them, their sums.

    Summing these alone, in their order, makes every cell's bits independent of the shape of the arrays.
    """

    shape: tuple[int, int]
    cell: Ints
    kept: Floats
    n: Ints
    y: Ints
    yy: Ints

    @classmethod
    def of(cls, moments: Ints, decay: Floats) -> "_Filled":
        _, categories, models, buckets = moments.shape
        flat = moments.reshape(3, -1, buckets)
        cell, bucket = np.nonzero(flat[0] > 0)
        return cls((categories, models), cell, decay[bucket], *flat[:, cell, bucket])

    def total(self, values: Floats | Ints) -> Floats:
        """Return the decayed sum of `values` per cell; shape (C + 1, M)."""
        size = self.shape[0] * self.shape[1]
        totals: Floats = np.bincount(self.cell, weights=self.kept * values, minlength=size).astype(np.float64)
        return totals.reshape(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Qualities:
    """Judgements of every kind: thumbs are binomial; scores, or thumbs and scores together, are graded.

    `rows` has, for each kind but thumbs, the rows of categories that go by it; shape (C + 1, 1).
    """

    settings: InferenceSettings
    thumbs: _Filled
    scores: dict[str, _Filled]
    rows: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, sums: Sums, decay: Floats, settings: InferenceSettings) -> "_Qualities":
        sources = [settings.quality_sources.get(category, THUMB) for category in sums.categories] + [THUMB]
        kinds = sorted(set(sources) - {THUMB})
        return cls(
            settings=settings,
            thumbs=_Filled.of(_moments(sums, "quality", THUMB), decay),
            scores={
                kind: _Filled.of(_moments(sums, "quality", kind.removeprefix(FUSED_PREFIX)), decay) for kind in kinds
            },
            rows={kind: np.array([source == kind for source in sources])[:, None] for kind in kinds},
        )

    def believed(self, priors: QualityPriors) -> Belief:
        """Return what is believed of quality, each category by its own kind of judgement."""
        thumbs = belief = _rate(self.thumbs, priors.thumbs)
        for kind, scores in self.scores.items():
            if kind.startswith(FUSED_PREFIX):
                judged = _normal(scores, priors.scores.uninformed())
                graded = fused(thumbs, priors.thumbs, judged, self.settings.judge_bias, self.settings.judge_delta)
            else:
                graded = _normal(scores, priors.scores)
            belief = Belief(
                *(
                    np.where(self.rows[kind], getattr(graded, name), getattr(belief, name))
                    for name in ("mean", "variance", "spread", "weight")
                )
            )
        return belief


def _rate(filled: _Filled, prior: RatePriors) -> Belief:
    weight = filled.total(filled.n)
    successes = filled.total(filled.y) / SCALE
    total = prior.weight + weight
    mean = (prior.mean * prior.weight + successes) / total
    mean_failure = ((1.0 - prior.mean) * prior.weight + (weight - successes)) / total
    spread = mean * mean_failure
    return Belief(mean, spread / (total + 1.0), spread, weight)


def _normal(filled: _Filled, prior: NormalPriors) -> Belief:
    n, y, yy = filled.n, filled.y, filled.yy
    weight = filled.total(n)
    total = filled.total(y) / SCALE
    mean = total / np.where(weight > 0, weight, 1.0)
    between = n * (y / (n * float(SCALE)) - mean.ravel()[filled.cell]) ** 2
    squares = filled.total(_squared_deviations(n, y, yy) + between)
    spread = (prior.spread_weight * prior.spread + squares) / (prior.spread_weight + np.maximum(weight - 1.0, 0.0))
    spread = np.maximum(spread, prior.spread_floor)
    variance = prior.capped_variance(spread)
    precision = 1.0 / variance + weight / spread
    return Belief((prior.mean / variance + total / spread) / precision, 1.0 / precision, spread, weight)


def _squared_deviations(n: Ints, y: Ints, yy: Ints) -> Floats:
    """Sum of (y_i - mean)^2 within each bucket, for n > 0, free of cancellation; shapes (N,).

    `yy 2^20 - y^2 / n` needs 105 bits, so it is taken apart: with y = n m + r and m^2 = a 2^20 + b,
    it is (yy - n a) 2^20 - (n b + 2 m r) - r^2 / n, where every product fits into int64.
    """
    m, r = np.divmod(y, n)
    square = m * m
    low_part = n * (square & (SCALE - 1)) + 2 * m * r
    high = yy - n * (square >> 20) - (low_part >> 20)
    units = high * float(SCALE) - (low_part & (SCALE - 1)) - r * (r / n)
    squares: Floats = np.maximum(units, 0.0) / float(SCALE) ** 2
    return squares
