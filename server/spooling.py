"""While the store does not answer, feedback goes to a journal on this server's disk, and from there to the store.

Nothing has to be held back for the sake of order: what counts of several signals does not depend on which of them the
store hears of first, and what it hears twice it counts once. So whatever is in doubt is simply told again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.ledger import StoreError, StoreUnavailableError, Written
from bandit.errors import BanditError
from bandit.records import SignalRecord
from bandit.votes import SignalStatus
from server.metrics import Metrics
from server.namespace import Namespace, doubt, take_in
from server.ports import Spool, Store

CHUNK: Final = 1000
"""Signals that are brought to the store in one transaction."""

TRIAL: Final = 16
"""Signals that a store which failed is tried with first: making many ready time and again would hold up other calls."""

PROBES: Final = 16
"""Signals that are tried alone, before each is, to see whether the store refuses all there are."""

RETRY_EVERY_S: Final = 1.0
"""Mean time between attempts, spread by half of it, so that replicas do not return to a store all at once."""


class Spooling:
    """Writes to the store, or to the spool from when the store fails until the spool is empty again.

    So a store that hangs costs one timeout, not one per batch. `clock` counts microseconds since 1970, `uniform` gives
    numbers from 0 to 1. `on_outcome` is told when the store took what was spooled.
    """

    def __init__(
        self,
        store: Store,
        spool: Spool,
        namespaces: Mapping[str, Namespace],
        metrics: Metrics,
        log: FilteringBoundLogger,
        clock: Callable[[], int],
        uniform: Callable[[], float],
        on_outcome: Callable[[bool], None],
    ) -> None:
        self._store = store
        self._spool = spool
        self._namespaces = namespaces
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._uniform = uniform
        self._on_outcome = on_outcome
        self._up = True
        self._is_shown = True
        self._oldest_us: int | None = None
        self._diverted = asyncio.Event()
        self._appending = asyncio.Lock()
        metrics.spool_oldest_seconds.set_function(self._oldest_s)

    @property
    def store_is_up(self) -> bool:
        """Whether the store took what was last written to it."""
        return self._up

    @property
    def diverted(self) -> bool:
        """Whether feedback takes the way over the spool."""
        return self._diverted.is_set()

    async def start(self) -> None:
        """Find what an earlier run left. Raises StoreUnavailableError where the spool's disk fails."""
        try:
            (oldest, _) = await self._spool.oldest(1)
        except StoreUnavailableError:
            raise
        except StoreError:
            self._diverted.set()  # draining steps over what cannot be read
        else:
            if oldest:
                self._oldest_us = oldest[0].received_us
                self._diverted.set()
        await self._show()

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals as `Store.write` does, or spool them: then all are SPOOLED, and nothing is changed yet.

        Raises SpoolFullError, StoreUnavailableError where the spool fails too, and what else `Store.write` raises.
        """
        if self._diverted.is_set():
            async with self._appending:
                # Waiting for it may have been waiting for the last of the spool to be drained.
                if self._diverted.is_set():
                    return await self._append(records)
        try:
            written = await self._store.write(records)
        except StoreUnavailableError as error:
            doubt(self._namespaces, records)
            self._note(error)
            async with self._appending:
                return await self._append(records)
        self._note(None)
        return written

    async def run(self) -> None:
        """Bring what is spooled to the store, forever."""
        while True:
            await self._diverted.wait()
            await self.empty()

    async def empty(self) -> None:
        """Bring to the store what is spooled, until nothing is, however long the store takes."""
        while self._diverted.is_set():
            if not await self.drain():
                await asyncio.sleep(RETRY_EVERY_S * (0.5 + self._uniform()))

    async def drain(self) -> bool:
        """Bring the oldest signals to the store; tell whether it took them."""
        try:
            if not self._up and not await self._answers():
                return False
            async with self._appending:
                records, place, is_all = await self._oldest()
                if is_all and self._up:
                    # Were more to come meanwhile, there would be no end to it. A store that answers takes them at once.
                    return await self._brought(records, place, last=True)
            return await self._brought(records, place)
        except StoreError as error:
            self._log.error("spool_failed", error=str(error))
            return False

    async def _answers(self) -> bool:
        """Bring a few signals to a store that failed; tell whether it took them, or refuses them for what they are."""
        try:
            records, place = await self._spool.oldest(TRIAL)
        except StoreUnavailableError:
            raise
        except StoreError:
            return True
        try:
            refused = await self._refusal(records)
        except StoreError as error:
            self._note(error)
            return False
        if not refused:
            self._note(None)
            await self._forget(place)
        return True

    async def _oldest(self) -> tuple[Sequence[SignalRecord], int, bool]:
        """Return the oldest records, the place after them, and whether there are no more.

        Where some cannot be read, those before them; where these are the oldest, they are given up first.
        """
        count = CHUNK
        while True:
            try:
                records, place = await self._spool.oldest(count)
                return records, place, len(records) < count
            except StoreUnavailableError:
                raise
            except StoreError as error:
                if count == 1:
                    dropped = await self._spool.step_over()
                    self._log.error("spooled_signal_dropped", signals=dropped, error=str(error))
                    self._metrics.spool_dropped.inc(dropped)
                count = max(1, count // 2)

    async def _append(self, records: Sequence[SignalRecord]) -> Written:
        self._diverted.set()
        await self._spool.append(records)
        self._oldest_us = records[0].received_us if self._oldest_us is None else self._oldest_us
        await self._show()
        return Written((SignalStatus.SPOOLED,) * len(records), {})

    async def _brought(self, records: Sequence[SignalRecord], place: int, *, last: bool = False) -> bool:
        """Write what stands before a place, and forget it; tell whether the store took it."""
        if records:
            self._oldest_us = records[0].received_us
            if not await self._taken(records):
                return False
            await self._forget(place)
        if last or not records:
            self._oldest_us = None
            self._diverted.clear()
        return True

    async def _forget(self, place: int) -> None:
        """Forget what the store took, and tell so."""
        await self._spool.forget(place)
        await self._show()
        self._on_outcome(True)

    async def _taken(self, records: Sequence[SignalRecord]) -> bool:
        """Write records, but for those that the store will never take; tell whether it takes any."""
        try:
            if error := await self._refusal(records):
                await self._require_one_taken(records, error)
                self._drop(await self._refused(records, error), len(records))
        except StoreError as error:
            self._note(error)
            return False
        self._note(None)
        return True

    async def _refusal(self, records: Sequence[SignalRecord]) -> Exception | None:
        """Write records; return why the store refuses them, None where it took them."""
        try:
            take_in(self._namespaces, await self._store.write(records))
        except StoreUnavailableError:
            doubt(self._namespaces, records)
            raise
        except (StoreError, BanditError) as error:
            return error
        return None

    async def _require_one_taken(self, records: Sequence[SignalRecord], error: Exception) -> None:
        """Write single records from all over the batch until one is taken. Raises the error where none is.

        Which records these are differs from one attempt to the next: where many are at fault, others get their turn.
        """
        if not isinstance(error, StoreError) or len(records) <= PROBES:
            return
        for place in range(PROBES):
            probe = records[int((place + self._uniform()) * len(records) / PROBES) % len(records)]
            if not await self._refusal([probe]):
                return
        raise error

    async def _refused(self, records: Sequence[SignalRecord], error: Exception) -> list[tuple[SignalRecord, Exception]]:
        """Return those of refused records that the store refuses alone, found by writing ever smaller parts."""
        if len(records) == 1:
            return [(records[0], error)]
        middle, refused = len(records) // 2, []
        for half in (records[:middle], records[middle:]):
            if found := await self._refusal(half):
                refused += await self._refused(half, found)
        return refused

    def _drop(self, refused: Sequence[tuple[SignalRecord, Exception]], of: int) -> None:
        """Give up what the store will never take, which would keep all else waiting.

        A store that refuses everything is not to blame on a record: then its error is raised, and nothing given up.
        """
        for _, error in refused:
            if isinstance(error, StoreError) and len(refused) == of:
                raise error
        for record, error in refused:
            named = {"namespace": record.namespace, "decision": record.nonce.hex(), "signal": record.signal}
            self._log.error("spooled_signal_dropped", **named, error=str(error))
            self._metrics.spool_dropped.inc()

    def _note(self, error: StoreError | None) -> None:
        """Log when the store fails and when it is back; in between, once is enough."""
        up = error is None
        if up != self._up:
            self._up = up
            self._metrics.store_up.set(up)
            if error is not None:
                self._log.error("store_failed", error=str(error), feedback="spooled")
            else:
                self._log.info("store_recovered")

    async def _show(self) -> None:
        """Show how much is spooled; where that cannot be told, what was done is done all the same."""
        try:
            records, size = await self._spool.extent()
        except StoreError as error:
            if self._is_shown:
                self._log.error("spool_failed", error=str(error))
            self._is_shown = False
            return
        self._is_shown = True
        self._metrics.spool_records.set(records)
        self._metrics.spool_bytes.set(size)

    def _oldest_s(self) -> float:
        return 0.0 if self._oldest_us is None else max(0.0, (self._clock() - self._oldest_us) * 1e-6)
