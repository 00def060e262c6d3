"""The use case of GetPosterior: what is believed about every model, and what the policy would do with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bandit.snapshot import Snapshot
from bandit.utility import forecast
from server.credentials import Principal
from server.errors import CategoryUnknownError
from server.namespace import Namespace
from server.questions import Questions
from server.requests import Call


@dataclass(frozen=True, slots=True)
class ModelBelief:
    """Means of the unscaled posterior for a request of the category's typical size; counts after forgetting."""

    model: str
    probability: float
    quality: float
    quality_sd: float
    cost_usd: float
    latency_s: float
    latency_p95_s: float
    error_rate: float
    outcome_count: float
    quality_count: float
    excluded: str


@dataclass(frozen=True, slots=True)
class CategoryBelief:
    """What is believed about the models of one category, sorted by name."""

    category: str
    models: tuple[ModelBelief, ...]


class Beliefs:
    """Shows what was learned."""

    def __init__(self, namespaces: Mapping[str, Namespace], questions: Questions) -> None:
        self._namespaces = namespaces
        self._questions = questions

    def show(self, category: str, profile: str, caller: Principal) -> tuple[Snapshot, list[CategoryBelief]]:
        """Return the caller's snapshot and what it says of one category, or of all where `category` is empty.

        Raises CategoryUnknownError, ProfileUnknownError.
        """
        namespace = self._namespaces[caller.namespace]
        if category and category not in namespace.categories:
            raise CategoryUnknownError(category)
        names = [category] if category else sorted(namespace.categories)
        snapshot = namespace.published.snapshot
        return snapshot, [self._category(name, profile, caller) for name in names]

    def snapshot(self, caller: Principal) -> Snapshot:
        """Return the caller's snapshot."""
        return self._namespaces[caller.namespace].published.snapshot

    def _category(self, name: str, profile: str, caller: Principal) -> CategoryBelief:
        question = self._questions.imagine(Call(name, profile=profile), caller, now_us=0)
        snapshot, exclusions = question.published.snapshot, question.exclusions
        expected, posterior, row = forecast(snapshot, question.request), snapshot.posterior, snapshot.row(name)
        probabilities = [0.0] * len(snapshot.models)
        if question.request.eligible:
            probabilities = list(question.choices().distribution.probabilities)
        models = []
        for index, model in enumerate(snapshot.models):
            column = posterior.models.index(model.id)
            models.append(
                ModelBelief(
                    model=model.id,
                    probability=probabilities[index],
                    quality=expected.quality.item(index),
                    quality_sd=math.sqrt(posterior.quality.variance.item(row, column)),
                    cost_usd=expected.cost_usd.item(index),
                    latency_s=expected.latency_s.item(index),
                    latency_p95_s=expected.latency_p95_s.item(index),
                    error_rate=expected.error.item(index),
                    outcome_count=posterior.error.weight.item(row, column),
                    quality_count=posterior.quality.weight.item(row, column),
                    excluded=exclusions.get(model.id, ""),
                )
            )
        return CategoryBelief(name, tuple(sorted(models, key=lambda one: one.model)))
