"""What budgets allow: how much a request may cost now, as a fold over what was billed.

A budget allows an amount per request, `usd_per_request` or what is left of `usd_per_period` for each request that the
rest of the period should bring. What was spent above it is owed, in requests' worth, and what was spent below it is a
credit:

    owed  <- clip(owed + usd / allowance - n, -2 H, 10 H)      bucket by bucket
    target = allowance clip(1 - owed / H, .05, 3)

so debts and credits are settled within about H requests: 100, or what two minutes bring. Money left over while no
budget had a price repays debts, and is no credit: it was not saved for later but had no use (complementary slackness).
A call that would cost more than a quarter of what H requests may is not made: it could not be settled in time.
`bandit.pacing` finds the price at which the target is met.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.errors import OutOfRangeError
from bandit.spend import MINUTE_US, NANO, Spend

Floats = NDArray[np.float64]
OnExhausted = Literal["cheapest", "refuse"]

HOURS: Final = 168
"""How far back the fold of an amount per request looks."""
SETTLING_REQUESTS: Final = 100.0
SETTLING_MINUTES: Final = 2
CREDIT, DEBT = 2.0, 10.0
"""Largest credit and debt, in settling times."""
LARGEST_CALL: Final = 0.25
"""Cost of one call at most, as a share of what the requests of a settling time may cost."""
LEAST, MOST = 0.05, 3.0
"""Of the allowance: the smallest and the largest target."""
SHOWN_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Budget:
    """Money for the requests of a category, a profile, both, or all where neither is named.

    Exactly one amount is given, in US dollars. Periods of `period_s` seconds follow one another from 1970-01-01 UTC;
    they are whole hours. When the money of a period is spent, only the cheapest model is chosen, or nothing.
    `namespace` is the only one that has this budget; empty: each has one.

    Raises OutOfRangeError for amounts and periods that make no sense.
    """

    name: str
    namespace: str = ""
    category: str = ""
    profile: str = ""
    usd_per_request: float | None = None
    usd_per_period: float | None = None
    period_s: int = 86_400
    on_exhausted: OnExhausted = "cheapest"

    def __post_init__(self) -> None:
        if (self.usd_per_request is None) == (self.usd_per_period is None):
            raise OutOfRangeError(f"budget {self.name}: give usd_per_request or usd_per_period, and not both")
        if not 0.0 < self.amount_usd < math.inf:
            raise OutOfRangeError(f"budget {self.name}: the amount is {self.amount_usd}; give one above 0")
        if self.period_s < 3600 or self.period_s % 3600:
            raise OutOfRangeError(f"budget {self.name}: period_s is {self.period_s}; give whole hours")

    @property
    def amount_usd(self) -> float:
        """The amount that is given."""
        amount = self.usd_per_request if self.usd_per_period is None else self.usd_per_period
        return math.nan if amount is None else amount

    @property
    def hours(self) -> int:
        """How far back it needs to know what was billed: of periods, this one and the one before."""
        return HOURS if self.usd_per_period is None else max(HOURS, 2 * self.period_s // 3600 + 1)

    def covers(self, category: str, profile: str) -> bool:
        """Tell whether it pays for the requests of a category that name a profile."""
        return self.category in ("", category) and self.profile in ("", profile)


class Account(NamedTuple):
    """Where a budget stands.

    `usd` and `requests` are those of the period, or of the last day where the amount is per request. `target_usd` is
    what a request may cost now, on average, `largest_usd` what one may cost at most. `owed_requests` is the debt,
    negative for a credit. `ends_us` is the end of the period, None for none.
    """

    usd: float
    requests: int
    target_usd: float
    largest_usd: float
    owed_requests: float
    exhausted: bool = False
    ends_us: int | None = None


class PricedBudget(NamedTuple):
    """A budget, where it stands, and its price: what a dollar costs beyond itself."""

    budget: Budget
    account: Account
    price: float

    @property
    def exhausted(self) -> bool:
        """Whether the money of the period is spent."""
        return self.account.exhausted


def account(budget: Budget, spend: Spend, now_us: int) -> Account:
    """Return where a budget stands at `now_us`; a pure function of what was billed."""
    covered = [budget.covers(*group) for group in spend.groups]
    n, nano_usd = spend.tallies[:, :, covered].sum(axis=2)
    bills = _Bills(spend.starts, n, nano_usd / NANO)
    settling = max(SETTLING_REQUESTS, bills.since(now_us // MINUTE_US - SETTLING_MINUTES).count)
    if budget.usd_per_period is None:
        last_day = bills.since(now_us // MINUTE_US - SHOWN_MINUTES)
        return _standing(last_day, budget.amount_usd, _owed(bills, budget.amount_usd, settling), settling)
    return _period_account(budget, budget.usd_per_period, bills, settling, now_us)


def _period_account(budget: Budget, amount_usd: float, bills: "_Bills", settling: float, now_us: int) -> Account:
    length_us = budget.period_s * 1_000_000
    start_us = now_us // length_us * length_us
    end_us = start_us + length_us
    this = bills.since(start_us // MINUTE_US)
    rest_usd = amount_usd - this.usd
    if rest_usd <= 0.0:
        return Account(this.usd, this.count, 0.0, 0.0, 0.0, exhausted=True, ends_us=end_us)
    allowance_usd = rest_usd / max(1.0, bills.pace(now_us, length_us) * (end_us - now_us))
    # What was spent is already missing from the rest; a debt on top of it is for periods that are ahead of their time.
    on_course = this.usd * length_us <= amount_usd * (now_us - start_us)
    owed = 0.0 if on_course else _owed(this, allowance_usd, settling)
    standing = _standing(this, allowance_usd, owed, settling)
    return standing._replace(ends_us=end_us)


def _standing(shown: "_Bills", allowance_usd: float, owed: float, settling: float) -> Account:
    target_usd = allowance_usd * min(max(1.0 - owed / settling, LEAST), MOST)
    return Account(shown.usd, shown.count, target_usd, LARGEST_CALL * settling * allowance_usd, owed)


def _owed(bills: "_Bills", allowance_usd: float, settling: float) -> float:
    """Fold what was billed, bucket by bucket, into a debt in requests."""
    owed = 0.0
    unpriced, priced = (bills.amounts / allowance_usd - bills.n).tolist()
    for idle, paced in zip(unpriced, priced, strict=True):
        owed = max(owed + idle, min(owed, 0.0)) + paced
        owed = min(max(owed, -CREDIT * settling), DEBT * settling)
    return owed


@dataclass(frozen=True, slots=True, eq=False)
class _Bills:
    """What a budget paid for: number and dollars of shape (2, B), without and with a price, per bucket."""

    starts: NDArray[np.int64]
    n: NDArray[np.int64]
    amounts: Floats

    @property
    def usd(self) -> float:
        return float(self.amounts.sum())

    @property
    def count(self) -> int:
        return int(self.n.sum())

    def since(self, minute: int) -> "_Bills":
        first = int(np.searchsorted(self.starts, minute))
        return _Bills(self.starts[first:], self.n[:, first:], self.amounts[:, first:])

    def pace(self, now_us: int, length_us: int) -> float:
        """Return the requests per microsecond over the last `length_us`, or since the first bill.

        A burst is no pace: the first bill counts as a 24th of the period old at least, and as an hour.
        """
        recent = self.since((now_us - length_us) // MINUTE_US)
        filled = np.flatnonzero(recent.n.any(axis=0))
        if not len(filled):
            return 0.0
        shortest_us = min(length_us, max(60 * MINUTE_US, length_us // 24))
        return recent.count / max(now_us - int(recent.starts[filled[0]]) * MINUTE_US, shortest_us)
