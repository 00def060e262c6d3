"""What every store in SQL does alike: signals, sums, decisions and registry in the tables of `schema`."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from adapters.ledger import StoredSums, Written, grid
from adapters.registry import Audited, Edit, Registry
from adapters.sql import (
    compaction,
    decisions,
    marks,
    reading,
    registry,
    retention,
    schema,
    writing,
)
from adapters.sql.operations import Operations
from bandit.records import DecisionRecord, SignalRecord


class SqlStore(Operations):
    """A `server.ports.Store` over a database. `bucket_us` is the width of a time bucket of its sums."""

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals and what they change, durably."""
        return await self._database.run(writing.write, records, bucket_us=self._bucket_us)

    async def load(self, namespace: str, *, billed_since_us: int = 0) -> StoredSums:
        """Return what a namespace has learned, and what it was billed."""
        return await self._database.run(reading.load, namespace, billed_since_us=billed_since_us)

    async def namespaces(self) -> Sequence[str]:
        """Return every namespace that has sums or categories."""
        return await self._database.run(reading.namespaces)

    async def log_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append to the decision log."""
        await self._database.run(decisions.log, records)

    async def add_categories(self, namespace: str, names: Sequence[str], *, managed_by: str) -> None:
        """Remember categories."""
        await self._database.run(registry.add_categories, namespace, names, managed_by=managed_by)

    async def registry(self) -> Registry:
        """Return the registry."""
        return await self._database.run(registry.read)

    async def edit_registry(self, seen: int, edits: Sequence[Edit], *, time_us: int, client: str) -> None:
        """Make edits of the registry, and note who made them."""
        await self._database.run(registry.edit, seen, edits, time_us=time_us, client=client)

    async def audit(self, namespace: str, *, before: int, count: int) -> Sequence[Audited]:
        """Return who changed the registry."""
        return await self._database.run(registry.audited, namespace, before=before, count=count)

    def signals(self) -> AsyncIterator[SignalRecord]:
        """Read the signals that are kept."""
        return self._pages(writing.after)

    def decisions(self) -> AsyncIterator[DecisionRecord]:
        """Read the decision log."""
        return self._pages(decisions.after)

    async def decision(self, namespace: str, nonce: bytes, decided_us: int) -> DecisionRecord | None:
        """Return a decision of the log."""
        return await self._database.run(decisions.find, namespace, nonce, decided_us)

    async def newest_us(self) -> int | None:
        """Return the time of the newest decision."""
        return await self._database.run(retention.newest_us)

    async def retain(self, before_us: int) -> int:
        """Drop old signals and decisions in transactions of a bounded size."""
        dropped = 0
        before_us = min(before_us, await self._database.run_alone(marks.advance, marks.RETAINED, before_us))
        for drop in (partial(retention.drop_signals, bucket_us=self._bucket_us), retention.drop_decisions):
            while chunk := await self._database.run(drop, before_us):
                dropped += chunk
        return dropped

    async def compact(self, now_us: int) -> None:
        """Merge old rows of the sums and the spend in transactions of a bounded size."""
        # The mark moves first: `verify` must know the grid while pages are merged along it.
        compacted_us = await self._database.run_alone(marks.advance, marks.COMPACTED, now_us)
        starts = grid(compacted_us, self._bucket_us)
        for table in (schema.sums, schema.sums_base):
            last = None
            while last := await self._database.run_alone(compaction.merge_page, table, last, starts=starts):
                pass
        for table in (schema.spend, schema.spend_base):
            last = None
            while last := await self._database.run_alone(compaction.merge_spend_page, table, last, now_us=compacted_us):
                pass
