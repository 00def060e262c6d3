"""A distribution, with what is the same in every decision that draws a model from it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from bandit.fallbacks import fallbacks
from bandit.policy import Distribution
from bandit.snapshot import Snapshot


class Forecast(NamedTuple):
    """What is expected of one model for a request: means, and the 95th percentile of latency."""

    quality: float
    cost_usd: float
    latency_s: float
    latency_p95_s: float
    error_rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """A model that may be chosen, by its position in the snapshot: what is expected, and what to try when it fails."""

    position: int
    model: str
    fallbacks: tuple[str, ...]
    forecast: Forecast
    revision: int


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """A distribution and its options, each made when it is first chosen."""

    distribution: Distribution
    snapshot: Snapshot
    max_fallbacks: int
    _options: dict[int, Option] = field(default_factory=dict)

    def option(self, position: int) -> Option:
        """Return what there is to know of the model at this position of the snapshot."""
        known = self._options.get(position)
        if known is None:
            known = self._options[position] = self._option(position)
        return known

    def _option(self, position: int) -> Option:
        models, expected = self.snapshot.models, self.distribution.forecasts
        others = fallbacks(models, self.distribution.ranking, position, self.max_fallbacks)
        numbers = expected.quality, expected.cost_usd, expected.latency_s, expected.latency_p95_s, expected.error
        return Option(
            position=position,
            model=models[position].id,
            fallbacks=tuple([models[other].id for other in others]),
            forecast=Forecast(*(array.item(position) for array in numbers)),
            revision=self.snapshot.revision,
        )
