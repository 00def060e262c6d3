"""How the score grows with the requests: the learning curve of a run."""

from dataclasses import dataclass
from typing import Final

from simulations.demo.accounts import Account, Truth, account, chosen_shares
from simulations.demo.traffic import Tally, Traffic

RECENT: Final = 500
POINTS_AT_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Point:
    """Score of the `RECENT` requests that ended last, once `requests` had ended; None where models do not differ."""

    requests: int
    score: float | None


def curve_of(tally: Tally, traffic: Traffic, truth: Truth) -> tuple[Point, ...]:
    """Return evenly spaced points, the last one at the end."""
    step = RECENT * -(-tally.requests // (RECENT * POINTS_AT_MOST))
    ends = sorted({*range(step, tally.requests, step), tally.requests})
    return tuple(Point(end, account_of(tally.ended[:end][-RECENT:], tally, traffic, truth).score) for end in ends)


def account_of(requests: list[int], tally: Tally, traffic: Traffic, truth: Truth) -> Account:
    """Return what the choices of some requests were worth."""
    shares = chosen_shares(traffic.categories[requests], tally.models[requests], truth.value_usd.shape)
    return account(truth, shares)
