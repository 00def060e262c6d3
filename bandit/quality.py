"""Beliefs about quality from every kind of judgement, each category by its own kind."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.borrowing import Judgements, borrowed, credited
from bandit.fits import normal, rate
from bandit.fusion import fused
from bandit.observed import Observed, moments_of
from bandit.prior_cells import QualityPriors
from bandit.priors import FUSED_PREFIX, InferenceSettings
from bandit.shifts import Chronology, Fit, shifted
from bandit.signals import THUMB
from bandit.sums import Sums

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SURE: Final = 1e-3
"""A quality is believed up to this distance from 0 and 1: what is shifted may not leave them."""


@dataclass(frozen=True, slots=True, eq=False)
class Qualities:
    """Judgements: thumbs are binomial; scores, or thumbs and scores together, are graded.

    `rows` has, for each kind, the rows of categories that go by it, of shape (C + 1, 1); `answers` the number of
    answers in each cell, judged or not, of shape (C + 1, M).
    """

    settings: InferenceSettings
    chronology: Chronology
    thumbs: Observed
    scores: dict[str, Observed]
    rows: dict[str, Bools]
    answers: Floats

    @classmethod
    def of(
        cls, sums: Sums, decay: Floats, answers: Floats, settings: InferenceSettings, chronology: Chronology
    ) -> Self:
        """Take the judgements out of the sums; `decay` has shape (B,)."""
        usual = settings.quality_sources.get("default", THUMB)
        sources = [settings.quality_sources.get(category, usual) for category in sums.categories] + [usual]
        kinds = sorted({*sources, THUMB})
        return cls(
            settings=settings,
            chronology=chronology,
            thumbs=Observed.of_rate(moments_of(sums, "quality", THUMB), decay),
            scores={
                kind: Observed.of(moments_of(sums, "quality", kind.removeprefix(FUSED_PREFIX)), decay)
                for kind in kinds
                if kind != THUMB
            },
            rows={kind: np.array([source == kind for source in sources])[:, None] for kind in kinds},
            answers=answers,
        )

    def believed(self, priors: QualityPriors) -> Belief:
        """Return what is believed of quality."""
        means = self._means(THUMB, self.thumbs, priors.thumbs.mean, self.settings.thumbs.mean)
        thumb_priors = replace(priors.thumbs, mean=means)
        thumbs = belief = self._shifted(self.thumbs, partial(rate, prior=thumb_priors))
        for kind, scores in self.scores.items():
            if kind.startswith(FUSED_PREFIX):
                judged = self._shifted(scores, partial(normal, prior=priors.scores.uninformed()))
                graded = fused(thumbs, thumb_priors, judged, self.settings.judge_bias, self.settings.judge_delta)
            else:
                means = self._means(kind, scores, priors.scores.mean, self.settings.scores.mean)
                graded = self._shifted(scores, partial(normal, prior=replace(priors.scores, mean=means)))
            belief = belief.taken_from(graded, self.rows[kind])
        return belief

    def _means(self, kind: str, observed: Observed, prior: Floats, default: float) -> Floats:
        """Return the prior means for one kind of judgement, with what they owe to its other cells."""
        cells = observed.per_cell(observed.count), observed.per_cell(observed.total), self.answers
        judgements = Judgements(*(np.where(self.rows[kind], one, 0.0) for one in cells))
        means = credited(prior, default, judgements) if self.settings.credits_quality else prior
        return borrowed(means, judgements) if self.settings.borrows_quality else means

    def _shifted(self, observed: Observed, fit: Fit) -> Belief:
        settings = self.settings.shifts.get("quality")
        if settings is None:
            return fit(observed)
        belief = shifted(observed, fit, settings, self.chronology)
        return replace(belief, mean=np.clip(belief.mean, _SURE, 1.0 - _SURE))
