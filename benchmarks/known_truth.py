"""Whether intervals cover the truth: invented logs whose truth is known, written by a uniform and by a learning logger.

For every run a log is written, collapsed and evaluated for policies that the gate looks at first. Estimators that must
fail are run beside: match replay (Li et al. 2011), clipped weights and shrunken ones (DRos; Su et al. 2020), each with
the interval of the central limit theorem.
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from adapters.traffic.calls import Calls
from bandit.request import Objective
from simulations.generator import MODELS
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.components import observed, weights_of
from simulations.offpolicy.evaluation import CONSERVATIVE, evaluate
from simulations.offpolicy.policies import ANY, DEFAULT, Policy, fixed
from simulations.offpolicy.sums import LogSums
from simulations.parallel import run_all, unwatched

Floats = NDArray[np.float64]

COMMAND: Final = "python -m benchmarks.known_truth"
ARMS: Final = MODELS[:4]
OBJECTIVE: Final = Objective()
LOGGERS: Final = ("uniform", "thompson")
SIZES: Final = (2_000, 20_000)
CONTROLS: Final = ("match replay", "clipped IPS", "DRos")
CLIP, SHRINKAGE = 10.0, 100.0
_Z: Final = float(stats.norm.ppf(0.975))


class Trial(NamedTuple):
    """One interval: whose, of which policy, whether the gate let it pass, how far off, its width, whether it covers."""

    estimator: str
    policy: str
    passed: bool
    error: float
    width: float
    covers: bool


def targets(truth_values: Floats, log: InventedLog) -> list[Policy]:
    """Return each fixed model, all alike, and the best model of each category."""
    truth = log.truth
    best = {c: {truth.models[m]: 1.0} for c, m in zip(truth.categories, truth_values.argmax(axis=1), strict=True)}
    return [*(fixed(model.id) for model in ARMS), Policy("uniform", {DEFAULT: {ANY: 1.0}}), Policy("best", best)]


def true_value(policy: Policy, values: Floats, log: InventedLog) -> float:
    """Return what a policy is worth, in dollars a call."""
    truth, total = log.truth, 0.0
    for c, category in enumerate(truth.categories):
        shares = policy.of(category)
        if ANY in shares:
            shares = dict.fromkeys(truth.models, 1.0 / len(truth.models))
        total += truth.shares[c] * sum(share * values[c, truth.models.index(m)] for m, share in shares.items())
    return float(total)


def trials(seed: int, rows: int, logger: str, judged: float) -> list[Trial]:
    """Return every interval of one log."""
    settings = LogSettings(rows=rows, seed=seed, logger=logger, models=ARMS, judged_share=judged)
    log = InventedLog(settings)
    [calls] = log.batches(rows)
    sums = sums_of(calls)
    values = log.truth.values_usd(OBJECTIVE)
    policies = targets(values, log)
    evaluation, _ = evaluate(sums, policies, OBJECTIVE, rng=np.random.default_rng(seed))
    found = []
    for valued in evaluation.policies:
        truth, passed = true_value(valued.policy, values, log), valued.status != "red"
        intervals = dict(valued.estimates) | dict(controls(calls, sums, valued.policy))
        for name, (value, low, high) in intervals.items():
            found.append(Trial(name, valued.policy.name, passed, value - truth, high - low, low <= truth <= high))
    return found


def controls(calls: Calls, sums: LogSums, policy: Policy) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield estimators that are offered elsewhere with intervals that do not hold."""
    chosen = _probabilities(calls, policy)[np.arange(len(calls)), calls.model]
    components, known = observed(calls)
    whole = known[:, :3].all(axis=1)
    reward = (components @ weights_of(OBJECTIVE))[whole]
    weight = chosen[whole] / calls.propensity[whole]
    # A mixture is matched by drawing from it: its probability is that of a match.
    matched = chosen[whole] > np.random.default_rng(sums.rows).random(int(whole.sum()))
    if matched.sum() > 1:
        yield "match replay", _normal(reward[matched])
    yield "clipped IPS", _normal(np.minimum(weight, CLIP) * reward)
    means = np.zeros((len(calls.categories), len(calls.models)))
    cell = calls.category[whole], calls.model[whole]
    counts = means.copy()
    np.add.at(means, cell, reward)
    np.add.at(counts, cell, 1.0)
    q = means / np.maximum(counts, 1.0)
    expected = (_probabilities(calls, policy)[whole] * q[calls.category[whole]]).sum(axis=1)
    shrunk = SHRINKAGE * weight / (weight**2 + SHRINKAGE)
    yield "DRos", _normal(expected + shrunk * (reward - q[cell]))


def _probabilities(calls: Calls, policy: Policy) -> Floats:
    """Return the probability that a policy gives every model, by call."""
    table = np.zeros((len(calls.categories), len(calls.models)))
    for c, category in enumerate(calls.categories):
        shares = policy.of(category)
        for m, model in enumerate(calls.models):
            table[c, m] = 1.0 / len(calls.models) if ANY in shares else shares.get(model, 0.0)
    return table[calls.category]


def _normal(values: Floats) -> tuple[float, float, float]:
    mean, half = float(values.mean()), _Z * float(values.std(ddof=1)) / len(values) ** 0.5
    return mean, mean - half, mean + half


def figures(found: list[Trial], logger: str, rows: int) -> Iterator[tuple[str, float, str]]:
    """Yield coverage, mean error, root mean square error and width by estimator; the gate decides which policies count.

    Those of all policies, refused ones too, are told beside.
    """
    for name in dict.fromkeys(trial.estimator for trial in found):
        of = f"{name}, {logger} logger, {rows:,} calls"
        for which, some in (("passed", [t for t in found if t.passed]), ("all", found)):
            mine = [t for t in some if t.estimator == name]
            if mine:
                errors = np.array([t.error for t in mine])
                yield f"coverage of {of}, {which} policies", float(np.mean([t.covers for t in mine])), "share"
                yield f"mean error of {of}, {which} policies", float(errors.mean()), "USD"
                yield f"root mean square error of {of}, {which} policies", float(np.sqrt((errors**2).mean())), "USD"
                yield f"width of {of}, {which} policies", float(np.mean([t.width for t in mine])), "USD"
        by_policy = [
            float(np.mean([t.covers for t in found if t.estimator == name and t.policy == policy and t.passed]))
            for policy in dict.fromkeys(t.policy for t in found if t.estimator == name and t.passed)
            if sum(t.policy == policy and t.passed and t.estimator == name for t in found) >= 100
        ]
        if by_policy:
            yield f"least coverage of a passed policy of {of}", min(by_policy), "share"
            yield f"largest coverage of a passed policy of {of}", max(by_policy), "share"
    passed = {(t.policy, t.passed) for t in found}
    of_policies = [t for t in found if t.estimator == CONSERVATIVE]
    for policy in dict.fromkeys(policy for policy, _ in passed):
        share = float(np.mean([t.passed for t in of_policies if t.policy == policy]))
        yield f"share of logs that pass for {policy}, {logger} logger, {rows:,} calls", share, "share"


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure whether intervals cover the truth.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--judged", type=float, default=1.0, help="share of the answers that are judged")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for logger in LOGGERS:
        for size in SIZES:
            tasks = [partial(trials, seed, size, logger, options.judged) for seed in range(options.runs)]
            found = [trial for some in run_all(tasks, options.workers, unwatched) for trial in some]
            command = f"{COMMAND} --runs {options.runs}" + (f" --judged {options.judged}" if options.judged < 1 else "")
            rows += [
                {"name": name, "value": round(value, 6), "unit": unit, "command": command}
                for name, value, unit in figures(found, logger, size)
            ]
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
