"""`routeward evaluate`, `collapse` and `merge`: from a log or its sums to a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from adapters.traffic.calls import UNKNOWN
from adapters.traffic.log import Log, LogReport, Progress
from adapters.traffic.pricing import priced
from bandit.catalogue import Prices
from bandit.request import Objective
from simulations import ranges
from simulations.engines import Engine, Threads
from simulations.errors import OptionsError
from simulations.nearest import nearest
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.document import document_of
from simulations.offpolicy.evaluation import evaluate
from simulations.offpolicy.first_pass import first_pass
from simulations.offpolicy.policies import Policy, fixed, require_complete, uniform
from simulations.offpolicy.storage import content_of, read_sums
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
    """What to evaluate: policies (None for each fixed model and all alike), and what calls are worth.

    `seed` draws what holds intervals of several policies at once. Raises OptionsError for a number out of range.
    """

    policies: tuple[Policy, ...] | None = None
    answer_value_usd: float = 0.05
    second_value_usd: float = 0.001
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        """Hold every number against its range."""
        check_range("--answer-value-usd", self.answer_value_usd, ranges.ANSWER_VALUE_USD)
        check_range("--second-value-usd", self.second_value_usd, ranges.SECOND_VALUE_USD)
        check_range("--confidence", self.confidence, CONFIDENCE)
        check_range("--seed", self.seed, ranges.SEED)


def sums_of_log(
    log: Log,
    progress: Progress | None = None,
    prices: Mapping[str, Prices] = MappingProxyType({}),
    engine: Engine | None = None,
) -> LogSums:
    """Collapse a log, with costs at `prices`; by time where most of its first calls know theirs, else by rows.

    Without an `engine` all cores work on Parquet that can be added up where it lies, and one on everything else. The
    sums are the same on every engine.
    """
    found = None if prices else first_pass(log, engine or Threads(), progress)
    if found is not None:
        return found
    first = next(iter(log.batches(LOOKED_AT)), None)
    timed = first is None or float((first.time_us != UNKNOWN).mean()) >= 0.5
    return collapse((priced(calls, prices) for calls in log.batches(BATCH, progress)), engine, timed=timed)


def check_priced(sums: LogSums, prices: Mapping[str, Prices]) -> None:
    """Raise OptionsError for a price of a model that the log does not have."""
    for model in prices:
        if model not in sums.models:
            raise OptionsError(
                f"--price names {model}, which the log does not have; it has {nearest(model, sums.models)}"
            )


def merged(paths: Sequence[Path]) -> LogSums:
    """Read files of sums of different logs and add them up. Raises SimulationError.

    Sums without times are refused: where the rows of one log end and those of the next begin, they do not say.
    """
    _require_different(paths)
    total = LogSums.empty()
    for path in paths:
        sums = read_sums(path)
        if sums.rows and not sums.timed:
            raise OptionsError(f"{path} is of a log without times; collapse such logs as one folder")
        total = merge(total, sums)
    return total


def _require_different(paths: Sequence[Path]) -> None:
    """Raise OptionsError where the same sums are named twice: their calls would count twice."""
    seen: dict[frozenset[tuple[str, int, int]], Path] = {}
    for path in paths:
        content = content_of(path)
        if content in seen:
            raise OptionsError(f"{path} holds the same calls as {seen[content]}; name each log once")
        seen[content] = path


def evaluated(sums: LogSums, name: str, options: EvaluateOptions, report: LogReport | None = None) -> dict[str, Any]:
    """Return the document of an evaluation. Raises OptionsError for policies that do not fit the log."""
    policies = _tried(sums) if options.policies is None else options.policies
    require_complete(policies, sums)
    evaluation, evaluator = evaluate(
        sums,
        policies,
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
    low = [name for name, policy in policies.items() if not _is_surely_above(policy["lift"], min_lift)]
    return [f"the lift of {name} is not surely above {min_lift:g} dollars a call" for name in low]


def _is_surely_above(lift: dict[str, Any] | None, least: float) -> bool:
    return lift is not None and lift["low"] is not None and lift["low"] > least


def _tried(sums: LogSums) -> tuple[Policy, ...]:
    """Return the policies that are evaluated where none was given."""
    models = sums.models if len(sums.models) <= MANY_MODELS else ()
    return (*map(fixed, models), uniform())
