"""From integer sums to beliefs: `infer` is a pure function of (sums, now, settings).

Cells learn from their own observations (`bandit.fits`), with three exceptions that were measured to pay: a model's
incidents are told by all its categories together (`bandit.shifts`), prior means of quality owe something to other
cells, above all while judgements are rare (`bandit.borrowing`), and what an operator knows settles into the priors
(`bandit.knowledge`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.evidence import Signal
from bandit.fits import normal, rate
from bandit.grid import midpoints
from bandit.knowledge import Knowledge, named_categories
from bandit.observed import Observed, counts_of, moments_of, outcome_moments
from bandit.prior_cells import NormalPriors, QualityPriors, RatePriors
from bandit.priors import InferenceSettings, NormalPrior
from bandit.quality import Qualities
from bandit.shifts import Chronology, shifted, shifted_rate
from bandit.signals import SCALE
from bandit.sums import Sums, at, filled, with_axes
from bandit.unjudged import doubts

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Beliefs about every (category, model), for one instant.

    `doubt`, of shape (C + 1, M), is what the policy takes off qualities while nobody has judged anything.
    """

    now_us: int
    categories: tuple[str, ...]
    models: tuple[str, ...]
    quality: Belief
    error: Belief
    latency: Belief
    first_token: Belief
    output_tokens: Belief
    input_ratio: Belief
    doubt: Floats

    @property
    def shifts(self) -> Mapping[tuple[str, Signal], float]:
        """Probability that a model is at another level than usual, by model and signal, in an unseen category."""
        signals: Mapping[Signal, Belief] = {"quality": self.quality, "error": self.error, "latency": self.latency}
        return {
            (model, signal): float(belief.shift[-1, column])
            for signal, belief in signals.items()
            for column, model in enumerate(self.models)
        }


def infer(sums: Sums, now_us: int, settings: InferenceSettings) -> Posterior:
    """Compute what to believe at `now_us` from nothing but the sums and the settings.

    Categories of which the settings know something beforehand have rows of their own. Raises PriorError.
    """
    seen = filled(with_axes(at(sums, now_us), named_categories(settings), ()))
    known = Knowledge.of(settings, seen.categories, seen.models)
    decay = partial(_decay, seen, now_us, settings)
    outcomes = moments_of(seen, "error", "")
    errors = Observed.of_rate(outcomes, decay("error"))
    answers, judgements = outcomes[0] - outcomes[1] // SCALE, counts_of(seen, "quality")
    # Who reports judgements only has as many requests as judgements.
    requests = max(int(outcomes[0].sum()), int(judgements.sum()))
    chronology = Chronology.of(seen, requests, settings.change)

    def believed_normal(signal: Signal, default: NormalPrior) -> Belief:
        priors = NormalPriors.of(default, known.shape)
        expected = known.of_models(signal, priors).mean
        observed = Observed.of(outcome_moments(seen, signal, expected), decay(signal))
        return known.settled(signal, priors, lambda settled: _normal(signal, observed, settled, settings, chronology))

    def believed_error(priors: RatePriors) -> Belief:
        fit, levels = partial(rate, prior=priors), settings.shifts.get("error")
        return fit(errors) if levels is None else shifted_rate(errors, fit, levels, chronology)

    remembered = np.einsum("bcm,b->cm", answers, decay("quality"))
    qualities = Qualities.of(seen, decay("quality"), remembered, settings, chronology)
    return Posterior(
        now_us=now_us,
        categories=seen.categories,
        models=seen.models,
        quality=known.settled(
            "quality", QualityPriors.of(settings.thumbs, settings.scores, known.shape), qualities.believed
        ),
        error=known.settled("error", RatePriors.of(settings.error, known.shape), believed_error),
        latency=believed_normal("latency", settings.latency),
        first_token=believed_normal("first_token", settings.first_token),
        output_tokens=believed_normal("output_tokens", settings.output_tokens),
        input_ratio=believed_normal("input_ratio", settings.input_ratio),
        doubt=doubts(judgements, answers.sum(axis=0)),
    )


def _normal(
    signal: Signal, observed: Observed, priors: NormalPriors, settings: InferenceSettings, chronology: Chronology
) -> Belief:
    fit: Callable[[Observed], Belief] = partial(normal, prior=priors)
    levels = settings.shifts.get(signal)
    return fit(observed) if levels is None else shifted(observed, fit, levels, chronology)


def _decay(sums: Sums, now_us: int, settings: InferenceSettings, signal: Signal) -> Floats:
    """Return what is left of an observation of a signal in each bucket; shape (B,)."""
    age_s = np.maximum(now_us / sums.bucket_us - midpoints(sums.starts, sums.now), 0.0) * sums.bucket_us * 1e-6
    left: Floats = np.exp2(-age_s / settings.half_lives_s.get(signal, np.inf))
    return left
