"""Group commit: one task writes what all callers wait for, so that OK means durable and costs little.

A report is queued unread, with what makes records of it. The task calls that for all reports of a transaction, one
right after the other, which takes less time than in between other work. Callers only await a future: one that gives
up cancels its own waiting, never a write.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final, NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from adapters.ledger import SpoolFullError, StoreError, StoreUnavailableError, Written
from bandit.errors import BanditError
from bandit.records import SignalRecord
from bandit.votes import SignalStatus
from server.errors import (
    FeedbackUnavailableError,
    OverloadedError,
    ServiceError,
    ShuttingDownError,
    SpoolExhaustedError,
)
from server.metrics import Metrics
from server.namespace import Namespace, doubt, take_in

MAX_BATCH: Final = 1000
"""Records of one transaction, but for a caller that brings more at once."""

MAX_WAITING: Final = 20_000
"""Records that wait at most; more would wait for seconds, so they are refused."""

TICK_S: Final = 0.002
MAX_TICKS: Final = 10
"""A batch waits for company that long at most."""

CALLS_AT_ONCE: Final = 64
"""Reports that are made into records before other calls are served."""

RETRY_AFTER_S: Final = 1.0

RETRY_FULL_SPOOL_AFTER_S: Final = 5.0

Results = tuple[tuple[str, SignalStatus], ...]
"""What became of each signal of a report, by its name."""


class Recipient(Protocol):
    """What makes records durable: a `server.ports.Store`, or a `Spooling` before one."""

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals, as `Store.write` does. Raises SpoolFullError too."""


class Submission(NamedTuple):
    """A report that waits: the number of its records, what makes them, and what resolves to their results."""

    size: int
    make: Callable[[], Sequence[SignalRecord]]
    done: asyncio.Future[Results]


class Made(NamedTuple):
    """The records of a report whose transaction has begun, and what resolves to their results."""

    records: Sequence[SignalRecord]
    done: asyncio.Future[Results]


class Writer:
    """Writes feedback. `on_outcome` is told after every write whether it worked."""

    def __init__(
        self,
        store: Recipient,
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
        self._is_failing = False
        metrics.write_queue_depth.set_function(lambda: self._records_waiting)

    def submit(self, size: int, make: Callable[[], Sequence[SignalRecord]]) -> asyncio.Future[Results]:
        """Queue a report; the future resolves to its results once all records are durable, in one transaction.

        `make` is called when the transaction begins; what it raises, the future raises, and FeedbackUnavailableError,
        SpoolExhaustedError. Raises OverloadedError, ShuttingDownError.
        """
        if self._closing:
            raise ShuttingDownError
        if self._records_waiting + size > MAX_WAITING:
            raise OverloadedError(RETRY_AFTER_S)
        submission = Submission(size, make, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._records_waiting += size
        self._wake.set()
        return submission.done

    def recover(self) -> None:
        """Hear that feedback can be written, as a write of one's own shows, or somebody else's."""
        if self._is_failing:
            self._log.info("write_recovered")
        self._is_failing = False
        self._on_outcome(True)

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
                if batch := await self._made():
                    await self._write(batch)
            if not self._closing:
                self._wake.clear()

    async def _gather(self) -> None:
        """Wait for company as long as it keeps coming: a transaction costs as much as many signals."""
        patience, seen = MAX_TICKS, 0
        while patience and seen < self._records_waiting < MAX_BATCH and not self._closing:
            patience, seen = patience - 1, self._records_waiting
            await asyncio.sleep(TICK_S)

    async def _made(self) -> list[Made]:
        """Make the records of the reports that fit into one transaction."""
        batch: list[Made] = []
        total, calls = 0, 0
        while self._waiting and (not total or total + self._waiting[0].size <= MAX_BATCH):
            size, make, done = self._waiting.popleft()
            total, calls, self._records_waiting = total + size, calls + 1, self._records_waiting - size
            try:
                batch.append(Made(make(), done))
            except Exception as error:  # noqa: BLE001 - it belongs to the one caller, whose edge tells and logs it
                if not done.done():
                    done.set_exception(error)
            if calls % CALLS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return batch

    async def _write(self, batch: Sequence[Made]) -> None:
        records = [record for made in batch for record in made.records]
        started = perf_counter()
        unavailable = FeedbackUnavailableError(RETRY_AFTER_S)
        refusal: ServiceError | None = unavailable
        try:
            self._accept(batch, await self._store.write(records))
            refusal = None
            self.recover()
        except SpoolFullError as error:
            refusal = SpoolExhaustedError(RETRY_FULL_SPOOL_AFTER_S)
            self._failed(records, error)
        except StoreError as error:
            self._failed(records, error)
            if isinstance(error, StoreUnavailableError):
                self._refuse_waiting(unavailable)
        except BanditError as error:
            # The store is well: it refused what its sums cannot hold.
            self._log.error("write_refused", signals=len(records), error=str(error))
        finally:
            if refusal is not None:
                self._refuse(batch, refusal)
        self._metrics.commit_seconds.observe(perf_counter() - started)
        self._metrics.write_batch_size.observe(len(records))

    def _failed(self, records: Sequence[SignalRecord], error: StoreError) -> None:
        if not self._is_failing:
            self._log.error("write_failed", signals=len(records), error=str(error))
        self._is_failing = True
        self._on_outcome(False)

    def _accept(self, batch: Sequence[Made], written: Written) -> None:
        take_in(self._namespaces, written)
        end = 0
        for records, done in batch:
            start, end = end, end + len(records)
            if not done.done():
                done.set_result(tuple(zip([r.signal for r in records], written.statuses[start:end], strict=True)))

    def _refuse_waiting(self, refusal: ServiceError) -> None:
        """Answer who came while a store that does not answer was waited for: they would wait as long once more."""
        while self._waiting:
            self._records_waiting -= self._waiting[0].size
            done = self._waiting.popleft().done
            if not done.done():
                done.set_exception(refusal)

    def _refuse(self, batch: Sequence[Made], refusal: ServiceError) -> None:
        """Answer everyone; whether something was written is unknown, so the state has to be read anew."""
        for records, done in batch:
            doubt(self._namespaces, records)
            if not done.done():
                done.set_exception(refusal)
