"""Why a decision came out as it did: for each model its terms in US dollars, its probability, what excluded it.

    utility = V quality (1 - error) - cost - price cost - second_value latency

as in `bandit.utility`, term by term; `price` is what a dollar costs beyond itself because of budgets. All of it is
computed from what the decision log keeps of a distribution, so a past decision is explained by the numbers it was made
with, and an imagined one just as it would be.
"""

import math
from typing import NamedTuple

from bandit.policy import Distribution
from bandit.records import DistributionRecord, ModelForecast
from bandit.request import Objective
from bandit.snapshot import Snapshot


class Terms(NamedTuple):
    """What a model is expected to bring a request, in US dollars: what its answer is worth, and what is to be paid.

    `budget_usd` counts because money is scarce, but nobody pays it.
    """

    answer_usd: float
    cost_usd: float
    budget_usd: float
    waiting_usd: float

    @property
    def utility_usd(self) -> float:
        """The balance."""
        return self.answer_usd - self.cost_usd - self.budget_usd - self.waiting_usd


class ModelTerms(NamedTuple):
    """One model in a distribution; `excluded` is empty for one that could be chosen.

    `forecast` and `terms` are None for a model that could not serve the call at all: nothing was computed of it.
    `intended` is the probability that the policy would have given it, None where that is what was drawn from.
    """

    model: str
    excluded: str
    forecast: ModelForecast | None = None
    terms: Terms | None = None
    intended: float | None = None

    @property
    def probability(self) -> float:
        """The probability with which it was drawn."""
        return 0.0 if self.forecast is None else self.forecast.probability


def terms_of(expected: ModelForecast, objective: Objective, budget_price: float) -> Terms:
    """Return the terms of a model of which this is expected; a budget's price is 0 or more dollars per dollar."""
    return Terms(
        answer_usd=objective.answer_value_usd * expected.quality * (1.0 - expected.error_rate),
        cost_usd=expected.cost_usd,
        budget_usd=budget_price * expected.cost_usd,
        waiting_usd=objective.second_value_usd * expected.latency_s,
    )


def explained(drawn_from: DistributionRecord) -> tuple[ModelTerms, ...]:
    """Return every model that a distribution knew of, the likeliest first, and the more useful of equal ones."""
    objective = Objective(drawn_from.answer_value_usd, drawn_from.second_value_usd)
    intended, exclusions = drawn_from.intended or {}, drawn_from.exclusions
    known = []
    for model, expected in drawn_from.forecasts.items():
        terms = terms_of(expected, objective, drawn_from.budget_price)
        known.append(ModelTerms(model, exclusions.get(model, ""), expected, terms, intended.get(model)))
    others = [ModelTerms(model, reason) for model, reason in exclusions.items() if model not in drawn_from.forecasts]
    return tuple(sorted([*known, *others], key=_rank))


def model_forecasts(snapshot: Snapshot, category: str, distribution: Distribution) -> dict[str, ModelForecast]:
    """Return what a distribution was computed from, by model, for every model of its snapshot."""
    expected, posterior, row = distribution.forecasts, snapshot.posterior, snapshot.row(category)
    columns = [posterior.models.index(model.id) for model in snapshot.models]
    beliefs = (
        *(posterior.error.weight, posterior.quality.weight),
        *(posterior.quality.shift, posterior.error.shift, posterior.latency.shift),
    )
    rows = zip(
        distribution.probabilities,
        expected.quality.tolist(),
        expected.cost_usd.tolist(),
        expected.latency_s.tolist(),
        expected.error.tolist(),
        map(math.sqrt, expected.utility_variance.tolist()),
        *(array[row, columns].tolist() for array in beliefs),
        strict=True,
    )
    return {model.id: ModelForecast(*numbers) for model, numbers in zip(snapshot.models, rows, strict=True)}


def _rank(one: ModelTerms) -> tuple[float, float, str]:
    return -one.probability, math.inf if one.terms is None else -one.terms.utility_usd, one.model
