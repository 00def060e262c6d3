"""The decision log, written behind: Route never waits for it, and what finds no room is counted and dropped."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError, StoreUnavailableError
from bandit.policy import Distribution
from bandit.records import DecisionRecord, DistributionRecord, ModelForecast
from bandit.terms import model_forecasts
from server.metrics import Metrics
from server.namespace import Namespace
from server.ports import Store
from server.questions import Question
from server.routing import Decision
from server.settings import DEFAULT_PROFILE

MAX_WAITING: Final = 10_000
"""Decisions that wait at most: some seconds of full load. The newest are dropped beyond it, whatever their model."""

MAX_BATCH: Final = 256
FLUSH_EVERY_S: Final = 0.5

CREATED_BY_REQUEST: Final = "request"
"""`managed_by` of categories that a request created."""


class DecisionLog:
    """Buffers decisions and writes them, with the categories they created. `paused` drops instead."""

    def __init__(
        self, store: Store, namespaces: Mapping[str, Namespace], metrics: Metrics, log: FilteringBoundLogger
    ) -> None:
        self._store = store
        self._namespaces = namespaces
        self._metrics = metrics
        self._log = log
        self._waiting: deque[Decision] = deque()
        self._closing = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._is_failing = False
        self.paused = False

    def append(self, decision: Decision) -> None:
        """Log a decision, if there is room."""
        if self.paused or len(self._waiting) >= MAX_WAITING:
            self._metrics.decision_log_dropped.inc()
        else:
            self._waiting.append(decision)

    def close(self) -> None:
        """Let `run` return when what waits is written."""
        self._closing.set()

    async def run(self) -> None:
        """Write behind until closed."""
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_EVERY_S)
            await self.flush()
        # The last one may have begun before the last decision was made.
        await self.flush()

    async def flush(self) -> None:
        """Write what waits now; keep it for later where the store does not answer.

        When this returns, what another flush had begun to write is written too.
        """
        async with self._flushing:
            # What arrives meanwhile is left for the next time: it would be written in transactions of a few rows each.
            waiting = len(self._waiting)
            try:
                await self._save_categories()
                for start in range(0, waiting, MAX_BATCH):
                    await self._write_batch(min(MAX_BATCH, waiting - start))
            except StoreError as error:
                if not self._is_failing:
                    self._log.warning("decision_log_failed", waiting=len(self._waiting), error=str(error))
                self._is_failing = True
            else:
                if self._is_failing:
                    self._log.info("decision_log_recovered", written=waiting)
                self._is_failing = False

    async def _save_categories(self) -> None:
        for namespace in self._namespaces.values():
            if new := sorted(namespace.unsaved_categories):
                await self._store.add_categories(namespace.name, new, managed_by=CREATED_BY_REQUEST)
                namespace.unsaved_categories.difference_update(new)

    async def _write_batch(self, size: int) -> None:
        batch = [self._waiting.popleft() for _ in range(size)]
        try:
            await self._store.log_decisions(await asyncio.to_thread(records_of, batch))
        except StoreUnavailableError:
            self._waiting.extendleft(reversed(batch))
            raise
        except StoreError as error:
            # It would be refused again, and keep all else waiting.
            self._log.error("decisions_refused", decisions=len(batch), error=str(error))
            self._metrics.decision_log_dropped.inc(len(batch))


def records_of(decisions: Iterable[Decision]) -> list[DecisionRecord]:
    """Build the rows; decisions of one distribution share its record."""
    drawn_from: dict[tuple[int, int], DistributionRecord] = {}
    records = []
    for decision in decisions:
        question = decision.question
        key = id(decision.distribution), id(question.exclusions)
        if key not in drawn_from:
            drawn_from[key] = distribution_record(question, decision.distribution)
        records.append(_record(decision, drawn_from[key]))
    return records


def _record(decision: Decision, drawn_from: DistributionRecord) -> DecisionRecord:
    call, caller = decision.call, decision.caller
    return DecisionRecord(
        namespace=caller.namespace,
        nonce=decision.nonce,
        decided_us=decision.decided_us,
        category=decision.question.request.category,
        model=decision.model,
        kind=decision.kind,
        propensity=decision.propensity,
        uniform=decision.uniform,
        reason=decision.reason,
        profile=call.profile or DEFAULT_PROFILE,
        distribution=drawn_from,
        input_tokens=call.input_tokens,
        max_output_tokens=call.max_output_tokens,
        cached_input_tokens=call.cached_input_tokens,
        request_id=call.request_id,
        session_id=call.session_id,
        client=caller.client,
    )


def distribution_record(question: Question, distribution: Distribution) -> DistributionRecord:
    """Build what is kept of a distribution."""
    request, snapshot = question.request, question.published.snapshot
    exclusions = {**question.exclusions, **distribution.exclusions}
    for position in distribution.ranking:
        exclusions.pop(snapshot.models[position].id, None)
    return DistributionRecord(
        revision=snapshot.revision,
        snapshot_us=snapshot.posterior.now_us,
        config_hash=snapshot.config_hash,
        answer_value_usd=request.objective.answer_value_usd,
        second_value_usd=request.objective.second_value_usd,
        forecasts=_forecasts(question, distribution),
        exclusions=exclusions,
        cached_model=request.cached_model,
        max_cost_usd=request.limits.max_cost_usd,
        max_latency_s=request.limits.max_latency_s,
        min_quality=request.limits.min_quality,
        intended=_intended(question, distribution),
        budget_price=distribution.forecasts.budget_price,
    )


def _intended(question: Question, distribution: Distribution) -> Mapping[str, float] | None:
    if distribution.intended is None:
        return None
    models = question.published.snapshot.models
    return {
        model.id: probability
        for model, probability in zip(models, distribution.intended, strict=True)
        if model.id not in question.exclusions
    }


def _forecasts(question: Question, distribution: Distribution) -> Mapping[str, ModelForecast]:
    """Forecasts of what was eligible: probabilities exactly, the rest to six digits, which halves a row."""
    expected = model_forecasts(question.published.snapshot, question.request.category, distribution)
    return {
        model: ModelForecast(probability, *(float(f"{number:.6g}") for number in numbers))
        for model, (probability, *numbers) in expected.items()
        if model not in question.exclusions
    }
