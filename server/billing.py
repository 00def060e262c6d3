"""Budgets in the service: who pays for a call, what it cost, and what that makes of the next ones.

Without a budget none of this does anything: decision ids, signals and snapshots are as if it was not there.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bandit.catalogue import Model
from bandit.pacing import priced
from bandit.request import Objective
from bandit.signals import Fact, Outcome
from bandit.snapshot import Snapshot
from bandit.spend import Bill, Spend, billed_nano_usd
from server.errors import BudgetExhaustedError
from server.settings import DEFAULT_CATEGORY, DEFAULT_PROFILE, Catalogue, CategorySettings
from server.tokens import DecisionToken, profile_tag

TIMES_LIST: Final = 20
"""What a bill counts at most, in list prices of its call: one bogus bill may not spend the money of a period."""


class Billing:
    """Knows the budgets, the prices and the profiles of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._active = bool(catalogue.budgets)
        self._models = {model.id: model for model in catalogue.models}
        self._payers = frozenset(budget.profile for budget in catalogue.budgets if budget.profile)
        self._profiles = {profile_tag(name): name for name in catalogue.profiles}
        any_category = catalogue.categories.get(DEFAULT_CATEGORY, CategorySettings())
        self._input_tokens = {
            "": any_category.input_tokens,
            **{name: category.input_tokens for name, category in catalogue.categories.items()},
        }
        self._objectives: Mapping[str, Objective] = {
            "": catalogue.profiles.get(DEFAULT_PROFILE, Objective()),
            **catalogue.profiles,
        }

    def payer(self, profile: str) -> str:
        """Return the profile that tells apart who pays: empty unless a budget is this one's."""
        name = profile or DEFAULT_PROFILE
        return name if name in self._payers else ""

    def tag(self, profile: str) -> bytes:
        """Return what a decision id says of the profile of a call; nothing without budgets."""
        return profile_tag(profile or DEFAULT_PROFILE) if self._active else b""

    def bill(self, token: DecisionToken, fact: Fact | None) -> Bill | None:
        """Return what an outcome cost, at the prices of now where it does not say; None where that is unknown.

        It counts no more tokens than the model can have, and at most `TIMES_LIST` list prices of the call: a function
        of the outcome, its decision and the catalogue alone. A call to a model that is no longer configured costs what
        the outcome says.
        """
        if not self._active or not isinstance(fact, Outcome):
            return None
        model = self._models.get(token.model)
        if model is None:
            nano_usd = billed_nano_usd(fact, None)
        else:
            nano_usd = billed_nano_usd(_credible(fact, model, token.input_tokens), model.prices)
        if nano_usd is None:
            return None
        return Bill(self._profiles.get(token.profile, ""), token.priced, nano_usd)

    def hours(self, namespace: str) -> int:
        """Return how far back the budgets of a namespace need to know what was billed; 0 where it has none."""
        return max((budget.hours for budget in self._catalogue.budgets_of(namespace)), default=0)

    def paced(self, snapshot: Snapshot, namespace: str, spend: Spend, now_us: int) -> Snapshot:
        """Return the snapshot with the budgets of a namespace, and their prices at `now_us`."""
        budgets = self._catalogue.budgets_of(namespace)
        if not budgets:
            return snapshot
        prices = priced(snapshot, budgets, spend, now_us, objectives=self._objectives, input_tokens=self._input_tokens)
        return replace(snapshot, budgets=prices)


def _credible(outcome: Outcome, model: Model, asked_tokens: int | None) -> Outcome:
    """Return an outcome with tokens that a model can have, and with a bill of at most `TIMES_LIST` list prices.

    Where it does not tell its tokens, or tells none, the `asked_tokens` of the request and the longest answer stand in
    for them. Where those are unknown too, or tokens are free, the bill counts as it is.
    """
    longest = _least(model.max_output_tokens, model.context_tokens)
    possible = outcome._replace(
        input_tokens=_bounded(outcome.input_tokens, model.context_tokens),
        output_tokens=_bounded(outcome.output_tokens, longest),
    )
    if possible.cost_nano_usd is None:
        return possible
    told = possible._replace(cost_nano_usd=None)
    assumed = told._replace(
        input_tokens=told.input_tokens or _bounded(asked_tokens, model.context_tokens),
        output_tokens=told.output_tokens or longest,
    )
    listed = billed_nano_usd(told, model.prices) or billed_nano_usd(assumed, model.prices)
    return possible._replace(cost_nano_usd=_least(possible.cost_nano_usd, TIMES_LIST * listed if listed else None))


def _bounded(count: int | None, most: int | None) -> int | None:
    """Return a count, no larger than `most` where that is known."""
    return None if count is None else _least(count, most)


def _least(*bounds: int | None) -> int | None:
    """Return the least of what is known, None where nothing is."""
    return min((bound for bound in bounds if bound is not None), default=None)


def refuse_exhausted(snapshot: Snapshot, category: str, profile: str, now_us: int) -> None:
    """Raise BudgetExhaustedError where a budget that refuses has no money left for such requests.

    Not where the next period has begun since the snapshot was made.
    """
    spent = snapshot.exhausted(category, profile)
    if spent is None or spent.budget.on_exhausted != "refuse":
        return
    rest_us = (spent.account.ends_us or now_us) - now_us
    if rest_us > 0:
        raise BudgetExhaustedError(spent.budget.name, rest_us * 1e-6)
