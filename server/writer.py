"""Group commit: one task writes what all callers wait for, so that OK means durable and costs little.

Callers only await a future. One that gives up cancels its own waiting, never a write.
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
        self._waiting: deque[Submission] = deque()
        self._records_waiting = 0
        self._wake = asyncio.Event()
        self._closing = False
        metrics.write_queue_depth.set_function(lambda: self._records_waiting)

    def submit(self, records: Sequence[SignalRecord]) -> asyncio.Future[Sequence[SignalStatus]]:
        """Queue records; the future resolves to their statuses once all are durable, in one transaction.

        Raises OverloadedError, ShuttingDownError; the future raises FeedbackUnavailableError.
        """
        if self._closing:
            raise ShuttingDownError
        if self._records_waiting + len(records) > MAX_WAITING:
            raise OverloadedError(RETRY_AFTER_S)
        submission = Submission(records, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._records_waiting += len(records)
        self._wake.set()
        return submission.done

    def close(self) -> None:
        """Accept nothing more; `run` returns when all that waits is written."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Write until closed."""
        while self._waiting or not self._closing:
            await self._wake.wait()
            while self._waiting:
                await self._gather()
                await self._write(self._next_batch())
            if not self._closing:
                self._wake.clear()

    async def _gather(self) -> None:
        """Wait for company as long as it keeps coming: a transaction costs as much as fifty signals."""
        patience, seen = MAX_TICKS, 0
        while patience and seen < self._records_waiting < MAX_BATCH and not self._closing:
            patience, seen = patience - 1, self._records_waiting
            await asyncio.sleep(TICK_S)

    def _next_batch(self) -> list[Submission]:
        batch: list[Submission] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0].records) <= MAX_BATCH):
            batch.append(self._waiting.popleft())
            count += len(batch[-1].records)
        self._records_waiting -= count
        return batch

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
