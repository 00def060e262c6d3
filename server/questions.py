"""From a call to what the policy is asked: names looked up, defaults filled in, token counts put into buckets."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from bandit.eligibility import barred
from bandit.errors import InfeasibleError
from bandit.policy import policy
from bandit.request import Limits, Request, quarter_octave
from server.choices import Choices
from server.credentials import Principal
from server.errors import (
    CategoryUnknownError,
    InvalidFieldError,
    NoEligibleModelError,
    Violation,
)
from server.fields import is_fingerprint
from server.namespace import Namespace, Published
from server.requests import Call
from server.settings import DEFAULT_CATEGORY, Catalogue, CategorySettings
from server.tokens import TokenAheadError, TokenExpiredError, TokenInvalidError, TokenKeys

NOTHING_BARRED: Final[Mapping[str, str]] = {}

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


def _none_failing() -> Sequence[str]:
    return ()


class Questions:
    """Places calls in their tenants. `failing` returns the models that calls fail at, by id, longest first."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        keys: TokenKeys,
        max_age_s: float,
        failing: Callable[[], Sequence[str]] = _none_failing,
    ) -> None:
        self._namespaces = namespaces
        self._failing = failing
        self._keys = keys
        self._max_age_s = max_age_s

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
        # Read once: what is published meanwhile has other models in other places.
        published = namespace.published
        edition = published.edition
        catalogue, billing = edition.catalogue, edition.billing
        objective = edition.objective(call)
        category = _routed_as(catalogue, namespace.categories, call.category)
        settings = edition.category(category)
        input_tokens = settings.input_tokens if call.input_tokens is None else call.input_tokens
        eligibility = edition.eligibility(call, input_tokens)
        if uncallable:
            eligibility = barred(catalogue.models, eligibility, uncallable)
        if failing := self._failing():
            eligibility = edition.without_failing(eligibility, failing)
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
            profile=billing.payer(call.profile),
        )
        return Question(published, request, eligibility.exclusions, catalogue.max_fallbacks, billing.tag(call.profile))

    def _warm_model(self, call: Call, caller: Principal, now_us: int) -> str:
        """Return the model that holds the conversation's prompt cache; none if it holds no tokens, or no longer.

        By a clock that disagrees nobody can tell which.
        """
        try:
            previous = self._keys.verify(call.previous_decision_id, now_us, self._max_age_s)
        except (TokenAheadError, TokenExpiredError):
            return ""
        except TokenInvalidError as error:
            raise _not_live() from error
        if previous.namespace != caller.namespace:
            raise _not_live()
        return previous.model if call.cached_input_tokens else ""


def _routed_as(catalogue: Catalogue, known: Collection[str], name: str) -> str:
    """Return the category that `name` is routed as: itself where it is known or has room."""
    if name in known or name == DEFAULT_CATEGORY:
        return name
    if catalogue.strict_categories:
        raise CategoryUnknownError(name)
    most = catalogue.max_categories
    has_room = len(known) < most
    if has_room and is_fingerprint(name):
        # Prompts that change with the date would else leave no room for categories that somebody names.
        has_room = sum(map(is_fingerprint, known)) < most // 2
    return name if has_room else DEFAULT_CATEGORY


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
