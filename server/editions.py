"""What can be chosen from at one version of the registry, and everything that follows from it alone.

A snapshot is published together with the edition that it was computed from: positions of models, prices and what
excludes models are never mixed with those of another.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from bandit.eligibility import Eligibility, Needs, ejected, eligible
from bandit.request import Objective
from server.billing import Billing
from server.errors import ModelUnknownError, NoEligibleModelError, ProfileUnknownError
from server.requests import Call
from server.settings import (
    DEFAULT_CATEGORY,
    DEFAULT_PROFILE,
    Catalogue,
    CategorySettings,
    LearningSettings,
    Settings,
)

NOT_FORCED: Final = "model"
"""What excludes the models that a forced call does not name: the request's field of that name."""

DISABLED: Final = "disabled"

MAX_CACHED_ELIGIBILITIES: Final = 4096


class Edition:
    """A catalogue, how to learn under it, and the digest that names both in logs; for one namespace.

    `capabilities` are those that at least one enabled model declares. It remembers which models can serve which needs,
    and is constant but for that.
    """

    def __init__(self, catalogue: Catalogue, learning: LearningSettings | None = None, digest: str = "") -> None:
        models = catalogue.models
        self.catalogue = catalogue
        self.learning = LearningSettings() if learning is None else learning
        self.digest = digest
        self.billing = Billing(catalogue)
        self.models = {model.id: model for model in models}
        self.ids = frozenset(self.models)
        self.capabilities: frozenset[str] = frozenset().union(*(one.capabilities for one in models if one.enabled))
        self._any_category = catalogue.categories.get(DEFAULT_CATEGORY, CategorySettings())
        self._positions = {model.id: position for position, model in enumerate(models)}
        self._contexts = sorted({model.context_tokens for model in models if model.context_tokens is not None})
        self._answers = sorted({model.max_output_tokens for model in models if model.max_output_tokens is not None})
        self._eligibilities: dict[tuple[frozenset[str], frozenset[str], str, int, int], Eligibility] = {}
        self._forced = {
            model.id: Eligibility(1 << position, dict.fromkeys(self.ids - {model.id}, NOT_FORCED))
            for position, model in enumerate(models)
            if model.enabled
        }

    @classmethod
    def of(cls, settings: Settings) -> "Edition":
        """Return what the configuration file says."""
        return cls(settings.catalogue, settings.learning, settings.digest)

    def says_the_same(self, other: "Edition") -> bool:
        """Whether decisions would be the same, and logged the same."""
        mine, theirs = ((one.catalogue, one.learning, one.digest) for one in (self, other))
        return mine == theirs

    def category(self, name: str) -> CategorySettings:
        """Return what is known of a category."""
        return self.catalogue.categories.get(name, self._any_category)

    def objective(self, call: Call) -> Objective:
        """Return what the caller values. Raises ProfileUnknownError."""
        profile = self.catalogue.profiles.get(call.profile or DEFAULT_PROFILE)
        if profile is None:
            raise ProfileUnknownError(call.profile, self.catalogue.profiles)
        answer, second = call.answer_value_usd, call.second_value_usd
        if answer is None and second is None:
            return profile
        return Objective(
            profile.answer_value_usd if answer is None else answer,
            profile.second_value_usd if second is None else second,
        )

    def eligibility(self, call: Call, input_tokens: int) -> Eligibility:
        """Return which models can serve a call with so many prompt tokens.

        Raises ModelUnknownError, and NoEligibleModelError for a forced model that is disabled.
        """
        constraints = call.constraints
        if not constraints.models <= self.ids:
            raise ModelUnknownError(min(constraints.models - self.ids), self.ids, "constraints.models")
        if call.model:
            return self._forced_to(call.model)
        allowed, capabilities, region, output_tokens = *constraints[:3], call.max_output_tokens or 0
        # Models only differ in what they can serve where a context length, or that of a longest answer, is crossed.
        context = bisect_left(self._contexts, input_tokens + output_tokens)
        key = allowed, capabilities, region, context, bisect_left(self._answers, output_tokens)
        found = self._eligibilities.get(key)
        if found is None:
            if len(self._eligibilities) >= MAX_CACHED_ELIGIBILITIES:
                self._eligibilities.clear()
            needs = Needs(allowed, capabilities, region, input_tokens, output_tokens)
            found = self._eligibilities[key] = eligible(self.catalogue.models, needs)
        return found

    def without_failing(self, eligibility: Eligibility, failing: Sequence[str]) -> Eligibility:
        """Take out the models that fail, by id, the first of them first, and never more than half."""
        positions = [self._positions[model] for model in failing if model in self._positions]
        return ejected(self.catalogue.models, eligibility, positions)

    def _forced_to(self, model: str) -> Eligibility:
        """Only this model, whatever the constraints say: whoever names one knows better."""
        if model not in self.ids:
            raise ModelUnknownError(model, self.ids)
        if model not in self._forced:
            raise NoEligibleModelError({model: DISABLED})
        return self._forced[model]
