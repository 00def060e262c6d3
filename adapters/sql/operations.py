"""What operators do to a store in SQL: prove and repair what it learned, take feedback back, remove a tenant."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from adapters.exclusion import Exclusion
from adapters.ledger import Discrepancy
from adapters.sql import matching, namespaces, verification
from adapters.sql.database import Database
from adapters.sql.namespaces import NamespaceSummary
from adapters.sql.verification import Progress
from bandit.records import DecisionRecord, SignalRecord

P = ParamSpec("P")
T = TypeVar("T")
RecordT = TypeVar("RecordT", SignalRecord, DecisionRecord)


class Operations:
    """Operations over a database. `bucket_us` is the width of a time bucket of its sums."""

    def __init__(self, database: Database, *, bucket_us: int) -> None:
        self._database = database
        self._bucket_us = bucket_us

    async def verify(self, progress: Progress | None = None) -> Mapping[str, Sequence[Discrepancy]]:
        """Compare the sums and the spend with the log, in one transaction."""
        return await self._database.run(verification.verify, bucket_us=self._bucket_us, progress=progress)

    async def repair(self, progress: Progress | None = None) -> Mapping[str, Sequence[Discrepancy]]:
        """Make the sums and the spend those of the log; return what differed."""
        findings = await self._database.run(verification.examine, bucket_us=self._bucket_us, progress=progress)
        if findings.differing:
            await self._database.run_alone(verification.repair, findings)
        return findings.differing

    def matching(self, exclusion: Exclusion) -> AsyncIterator[SignalRecord]:
        """Read the signals that an exclusion covers."""
        return self._pages(partial(matching.after, exclusion=exclusion))

    async def count_matching(self, exclusion: Exclusion) -> int:
        """Return how many signals an exclusion covers."""
        return await self._database.run(matching.count, exclusion)

    async def out_of_reach(self, exclusion: Exclusion, *, age_us: int) -> int:
        """Return how many observations of dropped signals an exclusion may mean, and cannot reach."""
        return await self._database.run(matching.out_of_reach, exclusion, bucket_us=self._bucket_us, age_us=age_us)

    async def remove_namespace(self, namespace: str, *, time_us: int) -> Mapping[str, int]:
        """Remove every row of a namespace, or none; return how many of each table. `time_us` is now, for the audit."""
        return await self._database.run_alone(namespaces.remove, namespace, time_us=time_us)

    async def erase_rater(self, namespace: str, rater: str) -> int:
        """Empty the rater of what one said; return how many signals that were."""
        return await self._database.run_alone(namespaces.erase_rater, namespace, rater)

    async def namespace_summaries(self) -> Sequence[NamespaceSummary]:
        """Return what there is of each namespace."""
        return await self._database.run(namespaces.summaries)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of this package reads; all of it is of one moment."""
        return await self._database.run(work, *args, **kwargs)

    async def change(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of this package changes, in one transaction, while no signals are written."""
        return await self._database.run_alone(work, *args, **kwargs)

    async def close(self) -> None:
        """Finish what was begun and release everything."""
        await self._database.close()

    async def _pages(self, after: Callable[[Connection, RecordT | None], Sequence[RecordT]]) -> AsyncIterator[RecordT]:
        last = None
        while page := await self._database.run(after, last):
            for record in page:
                yield record
            last = page[-1]
