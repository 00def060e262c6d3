"""Budgets in the service: who pays for a call, what it cost, and what that makes of the next ones.

Without a budget none of this does anything: decision ids, signals and snapshots are as if it was not there.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bandit.pacing import priced
from bandit.request import Objective
from bandit.signals import Fact, Outcome
from bandit.snapshot import Snapshot
from bandit.spend import Bill, Spend, billed_nano_usd
from server.errors import BudgetExhaustedError
from server.settings import DEFAULT_CATEGORY, DEFAULT_PROFILE, Catalogue, CategorySettings
from server.tokens import DecisionToken, profile_tag


class Billing:
    """Knows the budgets, the prices and the profiles of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._active = bool(catalogue.budgets)
        self._prices = {model.id: model.prices for model in catalogue.models}
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

        A call to a model that is no longer configured costs what the outcome says.
        """
        if not self._active or not isinstance(fact, Outcome):
            return None
        nano_usd = billed_nano_usd(fact, self._prices.get(token.model))
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


UNBILLED: Final = Billing(Catalogue())
"""Of a service without budgets."""


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
