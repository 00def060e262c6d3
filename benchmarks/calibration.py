"""Whether the probability of being the best model is true: what is said against how often it is so.

    python -m benchmarks.calibration

Worlds are drawn from the service's own priors, requests are decided by its policy, and after each of several numbers
of requests P(best) of the unscaled posterior is compared with which model truly is best: as it is stated, from draws
of the posterior, and as it would be if utilities were normal, which decisions take them for. Every model of a world is
a pair of both; pairs are collected by the decile of what was said. The inverse propensities of all decisions,
1 / (K p), have mean 1 if logged propensities are those that models were drawn with.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.best import best_probabilities
from bandit.priors import InferenceSettings
from bandit.request import Request
from bandit.snapshot import PolicySettings
from bandit.stated import stated_best
from bandit.utility import forecast
from simulations.priors import Drawn, played

COMMAND: Final = "python -m benchmarks.calibration"
MODELS: Final = 6
INPUT_TOKENS: Final = 1000
PER_ROUND: Final = 20
BATCH: Final = 100
"""Worlds that share prices, and one run of the core."""

Floats = NDArray[np.float64]
Figure = dict[str, object]


class Pairs(NamedTuple):
    """What was stated, what a normal utility would say, and what is true: (worlds, MODELS); and mean 1 / (K p)."""

    stated: Floats
    normal: Floats
    true: Floats
    inverse_propensity: Floats


def pairs(worlds: int, requests: int, seed: int) -> Pairs:
    """Play worlds and collect what is said of them at the end."""
    rng, settings = np.random.default_rng([seed, requests]), InferenceSettings()
    request = Request("", (1 << MODELS) - 1, INPUT_TOKENS)
    stated, normal, true, weights = [], [], [], []
    for _ in range(0, worlds, BATCH):
        drawn = Drawn.of(min(BATCH, worlds), MODELS, settings, rng)
        end = played(drawn, request, requests, PER_ROUND, PolicySettings(), settings, rng)
        for category in drawn.categories:
            asked = request._replace(category=category)
            expected = forecast(end.snapshot, asked)
            deviations = np.sqrt(expected.utility_variance)
            normal.append(best_probabilities(expected.utility_usd.tolist(), deviations.tolist()))
            stated.append(stated_best(end.snapshot, asked, rng))
        utility = drawn.utility_usd(settings, request.objective, INPUT_TOKENS)
        true.append(utility == utility.max(axis=1, keepdims=True))
        weights.append(end.inverse_propensities.mean(axis=1))
    return Pairs(np.array(stated), np.array(normal), np.concatenate(true).astype(float), np.concatenate(weights))


def deciles(said: Floats, true: Floats) -> Iterator[tuple[int, int, float, float, float]]:
    """Yield each decile with its number of pairs, mean of what was said, frequency, and its standard error."""
    place = np.minimum((said * 10).astype(int), 9)
    for decile in range(10):
        here = place == decile
        count = int(here.sum())
        if count:
            frequency, mean = float(true[here].mean()), float(said[here].mean())
            yield decile, count, mean, frequency, math.sqrt(max(mean * (1.0 - mean), 1e-9) / count)


def figures(worlds: int, requests: int, seed: int, least: int) -> Iterator[Figure]:
    found = pairs(worlds, requests, seed)
    where = f"{requests} requests, {worlds} worlds"
    for how, said in (("stated", found.stated), ("if utilities were normal", found.normal)):
        for decile, count, mean, frequency, error in deciles(said.ravel(), found.true.ravel()):
            if count >= least:
                name = f"P(best) {how}, decile {decile + 1}, {where}"
                yield {"name": f"{name}: pairs", "value": count, "unit": "pairs"}
                yield {"name": f"{name}: mean", "value": round(mean, 4), "unit": "probability"}
                yield {"name": f"{name}: frequency", "value": round(frequency, 4), "unit": "probability"}
                yield {"name": f"{name}: standard error", "value": round(error, 4), "unit": "probability"}
    weights = found.inverse_propensity
    error = float(weights.std(ddof=1)) / len(weights) ** 0.5
    yield {"name": f"mean inverse propensity, {where}", "value": round(float(weights.mean()), 4), "unit": "ratio"}
    yield {"name": f"mean inverse propensity, {where}: standard error", "value": round(error, 4), "unit": "ratio"}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure calibration.")
    parser.add_argument("--data", help="not used")
    parser.add_argument("--worlds", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--requests", type=int, nargs="+", default=[40, 200, 1000], help="default: %(default)s")
    parser.add_argument("--least", type=int, default=400, help="pairs that a decile needs; default: %(default)s")
    options = parser.parse_args(arguments)
    found: list[Figure] = []
    for requests in options.requests:
        print(f"    {requests} requests", file=sys.stderr, flush=True)
        found += figures(options.worlds, requests, 1, options.least)
    print(json.dumps([{**figure, "command": COMMAND} for figure in found], indent=1))


if __name__ == "__main__":
    main()
