"""What a simulated service was billed, and what its budgets make of that."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bandit.budget import Budget
from bandit.pacing import priced
from bandit.request import Objective
from bandit.snapshot import Snapshot
from bandit.spend import MINUTE_US, NANO, NOTHING, Spend, SpendKey, Tally, billed

TYPICAL_PROMPT: Final = 1000
"""Tokens of a prompt, where nobody says."""


class Purse:
    """Budgets for all requests, or for those of a category: requests of a simulation name no profile."""

    def __init__(self, budgets: Sequence[Budget], objective: Objective) -> None:
        self._budgets = tuple(budgets)
        self._objective = objective
        self._spend = Spend.empty(max((budget.hours for budget in self._budgets), default=0))
        self._bills: dict[SpendKey, Tally] = {}

    def pay(self, category: str, decided_us: int, usd: float, *, priced: bool) -> None:
        """Take in what a call cost; NaN is unknown. `priced` says that a budget had a price when it was decided."""
        if self._budgets and not math.isnan(usd):
            key = SpendKey(category, "", priced, decided_us // MINUTE_US)
            self._bills[key] = self._bills.get(key, NOTHING) + Tally(1, round(usd * NANO))

    def paced(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the budgets and their prices, by what was billed so far."""
        if not self._budgets:
            return snapshot
        now_us = snapshot.posterior.now_us
        self._spend = billed(self._spend, self._bills, now_us)
        self._bills.clear()
        objectives, input_tokens = {"": self._objective}, {"": TYPICAL_PROMPT}
        prices = priced(snapshot, self._budgets, self._spend, now_us, objectives=objectives, input_tokens=input_tokens)
        return replace(snapshot, budgets=prices)


def budgets_of(usd_per_request: float | None) -> tuple[Budget, ...]:
    """Return a budget for all requests; none for None."""
    return () if usd_per_request is None else (Budget("simulation", usd_per_request=usd_per_request),)
