"""Group commit: one task writes what all callers wait for, so that OK means durable and costs little.

Callers only await futures: first their turn, then the outcome. What they do in their turn, to check a report and to
submit its records, they do one right after the other, which takes two thirds of the time it takes in between other
work. One that gives up cancels its own waiting, never a write.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError, Written
from bandit.errors import BanditError
from bandit.records import SignalRecord
from bandit.votes import SignalStatus
from server.errors import FeedbackUnavailableError, OverloadedError, ShuttingDownError
from server.metrics import Metrics
from server.namespace import Namespace
from server.ports import Store

MAX_BATCH: Final = 1000
"""Records of one transaction, but for a caller that brings more at once."""

MAX_WAITING: Final = 20_000
"""Records that wait at most; more would wait for seconds, so they are refused."""

TICK_S: Final = 0.002
MAX_TICKS: Final = 10
"""A batch waits for company that long at most."""

CALLERS_AT_ONCE: Final = 64
"""Callers that submit in a row before other calls get their turn."""

RETRY_AFTER_S: Final = 1.0


class Submission(NamedTuple):
    """The records of one caller, and what resolves to their statuses."""

    records: Sequence[SignalRecord]
    done: asyncio.Future[Sequence[SignalStatus]]


class Writer:
    """Writes feedback. `on_outcome` is told after every write whether it worked."""

    def __init__(
        self,
        store: Store,
        namespaces: Mapping[str, Namespace],
        metrics: Metrics,
        log: FilteringBoundLogger,
        on_outcome: Callable[[bool], None],
    ) -> None:
        self._store = store
        self._namespaces = namespaces
        self._metrics = metrics
        self._log = log
        self._on_outcome = on_outcome
        self._announced: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._submitted: list[Submission] = []
        self._records_waiting = 0
        self._wake = asyncio.Event()
        self._closing = False
        metrics.write_queue_depth.set_function(lambda: self._records_waiting)

    def turn(self, count: int) -> asyncio.Future[None]:
        """Queue for a turn with about so many records; the future resolves when a transaction is about to begin.

        Raises OverloadedError, ShuttingDownError.
        """
        if self._closing:
            raise ShuttingDownError
        if self._records_waiting + count > MAX_WAITING:
            raise OverloadedError(RETRY_AFTER_S)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._announced.append((count, turn))
        self._records_waiting += count
        self._wake.set()
        return turn

    def submit(self, records: Sequence[SignalRecord]) -> asyncio.Future[Sequence[SignalStatus]]:
        """Add records to the transaction of this turn, before anything else is awaited.

        The future resolves to their statuses once all are durable, and raises FeedbackUnavailableError.
        """
        submission = Submission(records, asyncio.get_running_loop().create_future())
        self._submitted.append(submission)
        return submission.done

    def close(self) -> None:
        """Accept nothing more; `run` returns when all that waits is written."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Write until closed."""
        while self._announced or not self._closing:
            await self._wake.wait()
            while self._announced:
                await self._gather()
                await self._take_turns()
            if not self._closing:
                self._wake.clear()

    async def _gather(self) -> None:
        """Wait for company as long as it keeps coming: a transaction costs as much as fifty signals."""
        patience, seen = MAX_TICKS, 0
        while patience and seen < self._records_waiting < MAX_BATCH and not self._closing:
            patience, seen = patience - 1, self._records_waiting
            await asyncio.sleep(TICK_S)

    async def _take_turns(self) -> None:
        """Let those whose records fit into one transaction submit them, and write it."""
        total, called = 0, 0
        while self._announced and (not total or total + self._announced[0][0] <= MAX_BATCH):
            count, turn = self._announced.popleft()
            total, called = total + count, called + 1
            self._records_waiting -= count
            if not turn.done():
                turn.set_result(None)
            if called % CALLERS_AT_ONCE == 0:
                await asyncio.sleep(0)
        # Whoever was called runs before this task does again.
        await asyncio.sleep(0)
        batch, self._submitted = self._submitted, []
        if batch:
            await self._write(batch)

    async def _write(self, batch: list[Submission]) -> None:
        records = [record for submission in batch for record in submission.records]
        started = perf_counter()
        accepted = False
        try:
            self._accept(batch, await self._store.write(records))
            accepted = True
        except (StoreError, BanditError) as error:
            self._log.error("write_failed", signals=len(records), error=str(error))
        finally:
            if not accepted:
                self._refuse(batch)
            self._on_outcome(accepted)
        self._metrics.commit_seconds.observe(perf_counter() - started)
        self._metrics.write_batch_size.observe(len(records))

    def _accept(self, batch: list[Submission], written: Written) -> None:
        for name, change in written.changes.items():
            self._namespaces[name].apply(change)
        end = 0
        for records, done in batch:
            start, end = end, end + len(records)
            if not done.done():
                done.set_result(written.statuses[start:end])

    def _refuse(self, batch: list[Submission]) -> None:
        """Answer everyone; whether something was written is unknown, so the state has to be read anew."""
        for records, done in batch:
            for record in records:
                self._namespaces[record.namespace].stale = True
            if not done.done():
                done.set_exception(FeedbackUnavailableError(RETRY_AFTER_S))
