"""The cheapest model that is good enough: minimum cost under a constraint on quality that has to be learned.

A model is feasible when it is within x of the best with probability p (`within_probabilities`), infeasible when that
probability is at most 1 - p, and undecided in between. The cheapest feasible model is played; models that would be
cheaper still are tested in the order of their cost (Juneja et al. 2025, arXiv 2501.10290), each until it is decided.
Thompson sampling on this objective fails (Sinha et al. 2021: regret of order T^(2/3)).
"""

from collections.abc import Sequence
from typing import NamedTuple

from bandit.best import within_probabilities
from bandit.modes import CheapestWithin


class Preference(NamedTuple):
    """Probabilities of K models, and the models by falling preference; places in the order they were given."""

    shares: list[float]
    order: list[int]


def cheapest_within(
    answer: Sequence[float], deviation: Sequence[float], cost: Sequence[float], mode: CheapestWithin
) -> Preference:
    """Return how to choose among K models with these answers (mean and unscaled deviation) and expected costs.

    While none is feasible, half of the requests go to the model that most probably is, and half to all in proportion
    to that probability, as in top-two sampling (Russo 2020): one half serves well while the other decides.
    """
    within = within_probabilities(answer, deviation, mode.within)
    places = range(len(within))
    feasible = sorted((m for m in places if within[m] >= mode.probability), key=lambda m: (cost[m], -answer[m]))
    others = sorted((m for m in places if within[m] < mode.probability), key=lambda m: -within[m])
    if not feasible:
        total = 2.0 * sum(within)
        shares = [probability / total for probability in within]
        shares[others[0]] += 0.5
        return Preference(shares, others)
    shares = [0.0] * len(within)
    choice = feasible[0]
    cheaper = [m for m in others if cost[m] < cost[choice] and within[m] > 1.0 - mode.probability]
    if cheaper:
        tested = _tested(min(cheaper, key=cost.__getitem__), answer, deviation)
        shares[tested] = _affordable(cost[tested] - cost[choice], cost[choice], mode.exploration_share)
    shares[choice] += 1.0 - sum(shares)
    return Preference(shares, feasible + others)


def _tested(candidate: int, answer: Sequence[float], deviation: Sequence[float]) -> int:
    """Return what to learn about: the candidate, or what it is measured against where that is less known."""
    rival = max((m for m in range(len(answer)) if m != candidate), key=answer.__getitem__)
    return rival if deviation[rival] > deviation[candidate] else candidate


def _affordable(extra_cost: float, cost: float, share: float) -> float:
    """Return the share of requests that may cost `extra_cost` more, so that all cost at most `share` more."""
    return share if extra_cost <= cost else share * cost / extra_cost
