"""`routeward evaluate`, `collapse` and `merge`: from a log or its sums to a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final

import numpy as np

from adapters.traffic.calls import UNKNOWN
from adapters.traffic.log import Log, LogReport, Progress
from bandit.request import Objective
from simulations import ranges
from simulations.engines import Engine, Threads
from simulations.errors import OptionsError
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.document import document_of
from simulations.offpolicy.evaluation import evaluate
from simulations.offpolicy.first_pass import first_pass
from simulations.offpolicy.policies import Policy, fixed, read_policies, uniform
from simulations.offpolicy.storage import read_sums
from simulations.offpolicy.sums import LogSums, merge
from simulations.ranges import check_range

BATCH: Final = 100_000
"""Calls in memory at a time: enough that the work on a batch outweighs its set-up."""

LOOKED_AT: Final = 1000
"""Calls that tell whether a log knows times."""

CONFIDENCE: Final = (0.5, 0.9999)
MANY_MODELS: Final = 40
"""With more, fixed policies are not evaluated unless a file names them."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What to evaluate: a file of policies (None for each fixed model and all alike), and what calls are worth.

    `seed` draws what holds intervals of several policies at once.
    """

    policies: Path | None = None
    answer_value_usd: float = 0.05
    second_value_usd: float = 0.001
    confidence: float = 0.95
    seed: int = 0


def sums_of_log(log: Log, progress: Progress | None = None, engine: Engine | None = None) -> LogSums:
    """Collapse a log. It is cut by time where most of its first calls know theirs, else by rows.

    Without an `engine` all cores work on Parquet that can be added up where it lies, and one on everything else. The
    sums are the same on every engine.
    """
    found = first_pass(log, engine or Threads(), progress)
    if found is not None:
        return found
    first = next(iter(log.batches(LOOKED_AT)), None)
    timed = first is None or float((first.time_us != UNKNOWN).mean()) >= 0.5
    return collapse(log.batches(BATCH, progress), engine, timed=timed)


def merged(paths: Sequence[Path]) -> LogSums:
    """Read files of sums and add them up. Raises SimulationError."""
    try:
        return reduce(merge, (read_sums(path) for path in paths))
    except ValueError as error:
        raise OptionsError(str(error)) from error


def evaluated(sums: LogSums, name: str, options: EvaluateOptions, report: LogReport | None = None) -> dict[str, Any]:
    """Return the document of an evaluation. Raises OptionsError."""
    check_range("--answer-value-usd", options.answer_value_usd, ranges.ANSWER_VALUE_USD)
    check_range("--second-value-usd", options.second_value_usd, ranges.SECOND_VALUE_USD)
    check_range("--confidence", options.confidence, CONFIDENCE)
    check_range("--seed", options.seed, ranges.SEED)
    evaluation, evaluator = evaluate(
        sums,
        _policies(sums, options.policies),
        Objective(options.answer_value_usd, options.second_value_usd),
        confidence=options.confidence,
        rng=np.random.default_rng(options.seed),
    )
    return document_of(evaluation, evaluator, name, report)


def problems(document: dict[str, Any], *, named: bool, min_lift: float | None = None) -> list[str]:
    """Return why a pipeline should stop: the log is refused, a policy that was `named`, or each one that was tried.

    With `min_lift` so is a policy whose lift is not surely above it, in dollars a call.
    """
    if document["verdict"] == "red":
        return ["refused: the log cannot support any evaluation"]
    policies = document["policies"]
    refused = [name for name, policy in policies.items() if policy["status"] == "red"]
    if refused and (named or len(refused) == len(policies)):
        return [f"refused: {', '.join(refused)}"]
    if min_lift is None:
        return []
    lifts = {name: policy["lift"] for name, policy in policies.items() if policy["lift"] is not None}
    low = [name for name, lift in lifts.items() if not (lift["low"] or 0.0) > min_lift]
    return [f"the lift of {name} is not surely above {min_lift:g} dollars a call" for name in low]


def _policies(sums: LogSums, file: Path | None) -> tuple[Policy, ...]:
    if file is not None:
        return read_policies(file)
    models = sums.models if len(sums.models) <= MANY_MODELS else ()
    return (*map(fixed, models), uniform())
