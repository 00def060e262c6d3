"""Keeps the snapshots that decisions are made from up to date with the sums, beside the traffic."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from adapters.bills import SpendRows, add_spend
from adapters.ledger import Change, StoredSums, StoreError
from bandit.posterior import infer
from bandit.renames import renamed
from bandit.snapshot import Snapshot, snapshot_of
from bandit.spend import MINUTE_US, Spend, billed
from bandit.sums import Moments, RowKey, Sums, add_rows, at, with_axes
from server.editions import Edition
from server.namespace import Namespace, Published, score_names
from server.ports import SharedStore, Store
from server.settings import Settings

REST_PER_WORK: Final = 4.0
"""Seconds of rest for every second of work: publishing takes at most a fifth of one processor."""

CONFIGURED: Final[Mapping[str, Edition]] = {}


class _Learned(NamedTuple):
    """What a namespace has learned and was billed, and the snapshot of it."""

    sums: Sums
    spend: Spend
    snapshot: Snapshot


class Publisher:
    """Recomputes the snapshot of a namespace when its sums changed or its youngest time bucket closed."""

    def __init__(
        self, store: Store, settings: Settings, log: FilteringBoundLogger, *, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._learning = settings.learning
        self._configured = Edition.of(settings)
        self._is_followed = isinstance(store, SharedStore)
        self._refreshing = asyncio.Lock()
        self._log = log
        self._clock = clock
        self.namespaces: dict[str, Namespace] = {}

    async def load(self, names: Iterable[str], editions: Mapping[str, Edition] = CONFIGURED) -> None:
        """Read everything that these namespaces have learned. Raises StoreError.

        Where no edition is given for one, it has what the configuration file says.
        """
        for name in names:
            namespace = self._new(name, editions.get(name, self._configured))
            await self.refresh(namespace)
            self.namespaces[name] = namespace

    async def load_saved(
        self, names: Iterable[str], saved: Mapping[str, StoredSums], editions: Mapping[str, Edition] = CONFIGURED
    ) -> None:
        """Start these namespaces from what was saved of them; they are stale, and degraded, until they are read."""
        for name in names:
            namespace = self._new(name, editions.get(name, self._configured))
            await self._take_over(namespace, saved.get(name, StoredSums()))
            namespace.stale = namespace.degraded = True
            await self._publish(namespace)
            self.namespaces[name] = namespace

    async def run(self) -> None:
        """Publish forever."""
        while True:
            started = perf_counter()
            for namespace in self.namespaces.values():
                if self._is_due(namespace):
                    await self._refresh_or_log(namespace)
            work_s = perf_counter() - started
            await asyncio.sleep(max(self._learning.refresh_s, REST_PER_WORK * work_s))

    async def refresh(self, namespace: Namespace) -> None:
        """Publish what a namespace has learned, under its edition.

        Raises StoreError when the store must be read and cannot be.
        """
        async with self._refreshing:
            if namespace.stale and not namespace.is_followed:
                await self._read(namespace)
            await self._publish(namespace)

    async def replace(self, namespace: Namespace, stored: StoredSums) -> None:
        """Publish what was read of a namespace, instead of all that it held."""
        async with self._refreshing:
            namespace.changes.clear()
            await self._take_over(namespace, stored)
            namespace.stale = False
            await self._publish(namespace)

    def billed_since_us(self, namespace: Namespace) -> int | None:
        """Return from when on a namespace must know what it was billed; None where it has no budgets."""
        unbilled = self._unbilled(namespace.name, namespace.edition)
        return int(unbilled.starts[0]) * MINUTE_US if unbilled.hours else None

    async def _publish(self, namespace: Namespace) -> None:
        changes, edition = tuple(namespace.changes), namespace.edition
        new = [one for one in changes if namespace.is_followed or one.revision > namespace.sums_revision]
        revision = max((change.revision for change in new), default=namespace.sums_revision)
        learned = await asyncio.to_thread(
            self._recomputed, namespace.name, edition, namespace.sums, namespace.spend, new, revision
        )
        namespace.sums, namespace.spend, namespace.sums_revision = learned.sums, learned.spend, revision
        namespace.published = Published(learned.snapshot, edition, learned.sums, degraded=namespace.degraded)
        del namespace.changes[: len(changes)]

    def _new(self, name: str, edition: Edition) -> Namespace:
        learned = self._recomputed(name, edition, self._empty(), self._unbilled(name, edition), (), 0)
        return Namespace(
            name,
            edition,
            learned.sums,
            Published(learned.snapshot, edition, learned.sums),
            learned.spend,
            is_followed=self._is_followed,
            categories={*edition.catalogue.categories},
            score_names=score_names(edition.learning.inference.quality_sources.values()),
        )

    def _is_due(self, namespace: Namespace) -> bool:
        is_stale = namespace.stale and not namespace.is_followed
        if is_stale or namespace.changes or namespace.edition is not namespace.published.edition:
            return True
        learned_anything = namespace.sums.moments.size > 0
        return learned_anything and self._clock() // namespace.sums.bucket_us > namespace.sums.now

    async def _refresh_or_log(self, namespace: Namespace) -> None:
        try:
            await self.refresh(namespace)
        except StoreError as error:
            self._log.error("read_failed", namespace=namespace.name, error=str(error))

    async def _read(self, namespace: Namespace) -> None:
        namespace.stale = False
        try:
            since_us = self.billed_since_us(namespace)
            billed_since_us = self._clock() if since_us is None else since_us
            stored = await self._store.load(namespace.name, billed_since_us=billed_since_us)
            await self._take_over(namespace, stored)
        except BaseException:
            namespace.stale = True
            raise

    async def _take_over(self, namespace: Namespace, stored: StoredSums) -> None:
        """Have a namespace hold what was stored, and nothing else."""
        empty = self._empty()
        namespace.sums = await asyncio.to_thread(add_rows, empty, not_after(stored.rows, empty.now))
        unbilled = self._unbilled(namespace.name, namespace.edition)
        namespace.spend = billed(unbilled, stored.spend, self._clock())
        namespace.degraded = False
        namespace.sums_revision = stored.revision
        namespace.revision = max(namespace.revision, stored.revision)
        namespace.learn_names(stored)

    def _recomputed(
        self, name: str, edition: Edition, sums: Sums, spend: Spend, changes: Sequence[Change], revision: int
    ) -> _Learned:
        """Fold changes into sums and spend, and look at them as of now.

        Pure but for the clock, so a thread may do it.
        """
        now_us = self._clock()
        models, learning = edition.catalogue.models, edition.learning
        complete = with_axes(add_rows(sums, _total(changes)), (), [model.id for model in models])
        seen = at(complete, now_us)
        posterior = infer(renamed(seen, models), now_us, learning.inference)
        snapshot = snapshot_of(posterior, models, learning.policy, revision=revision, config_hash=edition.digest)
        if spend.hours:
            spend = billed(spend, _total_spend(changes), now_us)
            snapshot = edition.billing.paced(snapshot, name, spend, now_us)
        return _Learned(seen, spend, snapshot)

    def _unbilled(self, name: str, edition: Edition) -> Spend:
        """Return the spend of nobody; where a namespace has no budget, none is ever added."""
        return Spend.empty(edition.billing.hours(name), self._clock())

    def _empty(self) -> Sums:
        return Sums.empty(round(self._learning.bucket_s * 1e6), self._clock())


def not_after(rows: Mapping[RowKey, Moments], now: int) -> Mapping[RowKey, Moments]:
    """Take rows of a clock that was ahead for those of now: seen from their time, all others would be old."""
    if all(key.bucket <= now for key in rows):
        return rows
    seen: dict[RowKey, Moments] = {}
    for key, moments in rows.items():
        place = key._replace(bucket=min(key.bucket, now))
        seen[place] = seen[place] + moments if place in seen else moments
    return seen


def _total(changes: Iterable[Change]) -> Mapping[RowKey, Moments]:
    total: dict[RowKey, Moments] = {}
    for change in changes:
        for key, moments in change.rows.items():
            total[key] = total[key] + moments if key in total else moments
    return total


def _total_spend(changes: Iterable[Change]) -> SpendRows:
    total: SpendRows = {}
    for change in changes:
        total = add_spend(total, change.spend)
    return total
