"""From a call to what the policy is asked: names looked up, defaults filled in, token counts put into buckets."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from bandit.eligibility import Eligibility, Needs, barred, ejected, eligible
from bandit.errors import InfeasibleError
from bandit.policy import policy
from bandit.request import Limits, Objective, Request, quarter_octave
from server.billing import Billing
from server.choices import Choices
from server.credentials import Principal
from server.errors import (
    CategoryUnknownError,
    InvalidFieldError,
    ModelUnknownError,
    NoEligibleModelError,
    ProfileUnknownError,
    Violation,
)
from server.fields import is_fingerprint
from server.namespace import Namespace, Published
from server.requests import Call
from server.settings import DEFAULT_CATEGORY, DEFAULT_PROFILE, Catalogue, CategorySettings
from server.tokens import TokenExpiredError, TokenInvalidError, TokenKeys

NOT_FORCED: Final = "model"
"""What excludes the models that a forced call does not name: the request's field of that name."""

DISABLED: Final = "disabled"

NOTHING_BARRED: Final[Mapping[str, str]] = {}

MAX_CACHED_ELIGIBILITIES: Final = 4096

_UNLIMITED: Final = Limits()


class Question(NamedTuple):
    """What the policy is asked; `exclusions` names what keeps each model that is not eligible from being chosen.

    `payer` is what the decision id says of the profile that pays.
    """

    published: Published
    request: Request
    exclusions: Mapping[str, str]
    max_fallbacks: int
    payer: bytes = b""

    def choices(self) -> Choices:
        """Return the choice probabilities, computed once per snapshot. Raises NoEligibleModelError."""
        known = self.published.choices.get(self.request)
        if known is not None:
            return known
        snapshot = self.published.snapshot
        try:
            computed = Choices(policy(snapshot, self.request), snapshot, self.max_fallbacks)
        except InfeasibleError as error:
            raise NoEligibleModelError({**self.exclusions, **error.exclusions}) from error
        self.published.remember(self.request, computed)
        return computed


def _none_failing() -> Sequence[int]:
    return ()


class Questions:
    """Places calls in their tenants. `failing` returns the models that calls fail at, by position, longest first."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        catalogue: Catalogue,
        keys: TokenKeys,
        max_age_s: float,
        failing: Callable[[], Sequence[int]] = _none_failing,
    ) -> None:
        self._namespaces = namespaces
        self._failing = failing
        self._catalogue = catalogue
        self._keys = keys
        self._max_age_s = max_age_s
        self._billing = Billing(catalogue)
        self._any_category = catalogue.categories.get(DEFAULT_CATEGORY, CategorySettings())
        self._ids = frozenset(model.id for model in catalogue.models)
        self._contexts = sorted(
            {model.context_tokens for model in catalogue.models if model.context_tokens is not None}
        )
        self._answers = sorted(
            {model.max_output_tokens for model in catalogue.models if model.max_output_tokens is not None}
        )
        self._eligibilities: dict[tuple[frozenset[str], frozenset[str], str, int, int], Eligibility] = {}
        self._forced = {
            model.id: Eligibility(1 << position, dict.fromkeys(self._ids - {model.id}, NOT_FORCED))
            for position, model in enumerate(catalogue.models)
            if model.enabled
        }

    def ask(
        self, call: Call, caller: Principal, now_us: int, uncallable: Mapping[str, str] = NOTHING_BARRED
    ) -> Question:
        """Return what the policy is asked for `call`, whose category is known from then on. Raises as `imagine`."""
        namespace, question = self._namespaces[caller.namespace], self.imagine(call, caller, now_us, uncallable)
        category = question.request.category
        if category == call.category and category not in namespace.categories:
            namespace.categories.add(category)
            namespace.unsaved_categories.add(category)
        return question

    def imagine(
        self, call: Call, caller: Principal, now_us: int, uncallable: Mapping[str, str] = NOTHING_BARRED
    ) -> Question:
        """Return what the policy would be asked for `call`; `uncallable` says why models may not be chosen, by id.

        Raises CategoryUnknownError, ModelUnknownError, ProfileUnknownError, NoEligibleModelError for a forced
        model that is disabled, and InvalidFieldError where the previous decision is none of the caller's.
        """
        namespace = self._namespaces[caller.namespace]
        objective = self._objective(call)
        category = self._routed_as(namespace, call.category)
        settings = self._catalogue.categories.get(category, self._any_category)
        input_tokens = settings.input_tokens if call.input_tokens is None else call.input_tokens
        eligibility = self._eligibility(call, input_tokens)
        if uncallable:
            eligibility = barred(self._catalogue.models, eligibility, uncallable)
        if failing := self._failing():
            eligibility = ejected(self._catalogue.models, eligibility, failing)
        count = _exact if call.constraints.max_cost_usd is not None else quarter_octave
        cached_model = self._warm_model(call, caller, now_us) if call.previous_decision_id else ""
        request = Request(
            category=category,
            eligible=eligibility.mask,
            input_tokens=count(input_tokens),
            objective=objective,
            limits=_limits(call, settings),
            max_output_tokens=None if call.max_output_tokens is None else count(call.max_output_tokens),
            cached_model=cached_model,
            cached_input_tokens=count(call.cached_input_tokens or 0) if cached_model else 0,
            profile=self._billing.payer(call.profile),
        )
        return Question(
            namespace.published,
            request,
            eligibility.exclusions,
            self._catalogue.max_fallbacks,
            self._billing.tag(call.profile),
        )

    def _routed_as(self, namespace: Namespace, name: str) -> str:
        """Return the category that `name` is routed as: itself where it is known or has room."""
        if name in namespace.categories or name == DEFAULT_CATEGORY:
            return name
        if self._catalogue.strict_categories:
            raise CategoryUnknownError(name)
        known, most = namespace.categories, self._catalogue.max_categories
        has_room = len(known) < most
        if has_room and is_fingerprint(name):
            # Prompts that change with the date would else leave no room for categories that somebody names.
            has_room = sum(map(is_fingerprint, known)) < most // 2
        return name if has_room else DEFAULT_CATEGORY

    def _eligibility(self, call: Call, input_tokens: int) -> Eligibility:
        constraints = call.constraints
        if not constraints.models <= self._ids:
            raise ModelUnknownError(min(constraints.models - self._ids), self._ids, "constraints.models")
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
            found = self._eligibilities[key] = eligible(self._catalogue.models, needs)
        return found

    def _forced_to(self, model: str) -> Eligibility:
        """Only this model, whatever the constraints say: whoever names one knows better."""
        if model not in self._ids:
            raise ModelUnknownError(model, self._ids)
        if model not in self._forced:
            raise NoEligibleModelError({model: DISABLED})
        return self._forced[model]

    def _objective(self, call: Call) -> Objective:
        profile = self._catalogue.profiles.get(call.profile or DEFAULT_PROFILE)
        if profile is None:
            raise ProfileUnknownError(call.profile, self._catalogue.profiles)
        answer, second = call.answer_value_usd, call.second_value_usd
        if answer is None and second is None:
            return profile
        return Objective(
            profile.answer_value_usd if answer is None else answer,
            profile.second_value_usd if second is None else second,
        )

    def _warm_model(self, call: Call, caller: Principal, now_us: int) -> str:
        """Return the model that holds the conversation's prompt cache; none if it holds no tokens, or no longer."""
        try:
            previous = self._keys.verify(call.previous_decision_id, now_us, self._max_age_s)
        except TokenExpiredError:
            return ""
        except TokenInvalidError as error:
            raise _not_live() from error
        if previous.namespace != caller.namespace:
            raise _not_live()
        return previous.model if call.cached_input_tokens else ""


def _limits(call: Call, settings: CategorySettings) -> Limits:
    cost_usd, latency_s, quality, least_violation = call.constraints[3:]
    if call.model or (cost_usd is None and latency_s is None and quality is None):
        return _UNLIMITED
    return Limits(cost_usd, latency_s, quality, settings.latency_probability, least_violation)


def _exact(tokens: int) -> int:
    return tokens


def _not_live() -> InvalidFieldError:
    rule = "names no decision of this namespace; leave it out to price no prompt cache"
    return InvalidFieldError([Violation("previous_decision_id", rule)])
