"""Keeps a replica in step with a store that others write to: whatever it has learned, it has read there.

Rows are absolute, so what is read twice, or late, does no harm; what they differ by from what was read before is what
the next snapshot takes in.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.bills import SpendRows
from adapters.ledger import NOTHING, Change, Followed, Position, StoredSums, StoreError, StoreUnavailableError
from bandit.spend import NOTHING as NO_SPEND
from bandit.spend import SpendKey, Tally
from bandit.sums import Moments, RowKey
from server.metrics import Metrics
from server.ports import SharedStore
from server.publisher import Publisher
from server.registry.live import LiveRegistry

SPREAD: Final = 0.5
"""How much the time between two looks varies, so that replicas do not all look at once."""


@dataclass(slots=True)
class _Known:
    """What was read of a namespace: absolute rows, and at which bucket those were taken in that were ahead."""

    revision: int
    rows: dict[RowKey, Moments]
    spend: dict[SpendKey, Tally]
    places: dict[RowKey, int] = field(default_factory=dict)

    def seen_from(self, now: int, rows: Mapping[RowKey, Moments]) -> Mapping[RowKey, Moments]:
        """Take rows of a clock that is ahead for those of now, as `not_after` does, and whatever becomes of them too.

        Else what is taken back once its time has come would be taken from a bucket that never held it.
        """
        # One that was known before lies where it was put then, though a clock was set back since.
        self.places.update((key, now) for key in rows if key.bucket > now and key not in self.rows)
        if not self.places:
            return rows
        seen: dict[RowKey, Moments] = {}
        for key, moments in rows.items():
            place = key._replace(bucket=self.places.get(key, key.bucket))
            seen[place] = seen[place] + moments if place in seen else moments
        return seen


def _nobody(_answers: bool) -> None:
    """Tell nobody."""


class Follower:
    """Looks at the store every `sync_s` seconds. `clock` counts microseconds, `uniform` gives numbers from 0 to 1.

    `hear` is told after each look whether the store answered.
    """

    def __init__(
        self,
        store: SharedStore,
        publisher: Publisher,
        registry: LiveRegistry,
        metrics: Metrics,
        log: FilteringBoundLogger,
        *,
        sync_s: float,
        clock: Callable[[], int],
        uniform: Callable[[], float],
        hear: Callable[[bool], None] = _nobody,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._registry = registry
        self._log = log
        self._sync_s = sync_s
        self._clock = clock
        self._uniform = uniform
        self._hear = hear
        self._seen: Position | None = None
        self._known: dict[str, _Known] = {}
        self._looked_us = clock()
        self._is_failing = False
        metrics.follow_age_seconds.set_function(self._age_s)

    async def run(self) -> None:
        """Follow forever."""
        while True:
            await asyncio.sleep(self._sync_s * (1.0 + SPREAD * (self._uniform() - 0.5)))
            try:
                await self.look()
            except StoreError as error:
                if not self._is_failing:
                    self._log.error("follow_failed", error=str(error))
                self._is_failing = True
                if isinstance(error, StoreUnavailableError):
                    self._hear(False)
            else:
                if self._is_failing:
                    self._log.info("follow_recovered")
                self._is_failing = False
                self._hear(True)

    async def begin(self) -> None:
        """Look for the first time; where the store does not answer just then, be degraded until it does."""
        try:
            await self.look()
        except StoreUnavailableError as error:
            self._log.warning("degraded", error=str(error))
            for namespace in self._publisher.namespaces.values():
                namespace.degraded = True
                await self._publisher.refresh(namespace)

    async def look(self) -> None:
        """Take in what changed in the store since the last look. Raises StoreError."""
        namespaces = self._publisher.namespaces
        started_us = self._clock()
        billed_since_us = {
            name: since_us
            for name, namespace in namespaces.items()
            if (since_us := self._publisher.billed_since_us(namespace)) is not None
        }
        seen = None if any(namespace.stale for namespace in namespaces.values()) else self._seen
        followed = await self._store.follow(seen, billed_since_us=billed_since_us)
        if followed.whole:
            await self._replace(followed)
        elif any(self._went_back(name, stored) for name, stored in followed.namespaces.items()):
            self._log.warning("store_went_back")
            self._seen = None
            return await self.look()
        else:
            for name, stored in followed.namespaces.items():
                self._advance(name, stored)
        self._seen, self._looked_us = followed.position, started_us
        if followed.registry != self._registry.present.version:
            await self._registry.reload()
        return None

    def _went_back(self, name: str, stored: StoredSums) -> bool:
        """Tell whether a store counts less than it did: somebody put older rows into its tables."""
        known = self._known.get(name)
        return known is not None and 0 < stored.revision < known.revision

    async def _replace(self, followed: Followed) -> None:
        """Have every namespace hold what was read; one that is not there any more has nothing."""
        for name, namespace in self._publisher.namespaces.items():
            stored = followed.namespaces.get(name, StoredSums())
            known = _Known(stored.revision, {}, dict(stored.spend))
            seen = known.seen_from(self._clock() // namespace.sums.bucket_us, stored.rows)
            known.rows.update(stored.rows)
            await self._publisher.replace(namespace, replace(stored, rows=seen))
            self._known[name] = known

    def _advance(self, name: str, stored: StoredSums) -> None:
        """Have a namespace take in what differs from what was read before."""
        namespace, known = self._publisher.namespaces.get(name), self._known.get(name)
        if namespace is None or known is None:
            return
        rows, spend = _newer_rows(known.rows, stored.rows), _newer_spend(known.spend, stored.spend)
        namespace.learn_names(stored)
        if rows or spend or stored.revision > known.revision:
            now = self._clock() // namespace.sums.bucket_us
            seen = known.seen_from(now, rows)
            known.revision = max(known.revision, stored.revision)
            known.rows.update(stored.rows)
            known.spend.update(stored.spend)
            namespace.follow(Change(known.revision, seen, spend))

    def _age_s(self) -> float:
        return max(0.0, (self._clock() - self._looked_us) * 1e-6)


def _newer_rows(known: Mapping[RowKey, Moments], stored: Mapping[RowKey, Moments]) -> dict[RowKey, Moments]:
    differences = {}
    for key, (n, y, yy) in stored.items():
        before = known.get(key, NOTHING)
        if (n, y, yy) != before:
            differences[key] = Moments(n - before.n, y - before.y, yy - before.yy)
    return differences


def _newer_spend(known: SpendRows, stored: SpendRows) -> dict[SpendKey, Tally]:
    differences = {}
    for key, (n, nano_usd) in stored.items():
        before = known.get(key, NO_SPEND)
        if (n, nano_usd) != before:
            differences[key] = Tally(n - before.n, nano_usd - before.nano_usd)
    return differences
