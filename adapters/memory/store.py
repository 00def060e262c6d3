"""A `server.ports.Store` that lives as long as its process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from adapters.bills import SpendRows, add_spend, coarsen_spend, fold_bills, spend_since
from adapters.exclusion import Exclusion
from adapters.ledger import (
    MANAGED_BY_FILE,
    NOTHING,
    Change,
    Discrepancy,
    Rows,
    SignalKey,
    StoredSums,
    StoreError,
    Written,
    add,
    coarsen,
    compare,
    compare_spend,
    fold,
    grid,
    key_of,
    lacking,
    moved,
    settle,
)
from adapters.registry import Audited, Edit, EntryKind, Registry, RegistryMovedError
from bandit.errors import SumsOverflowError
from bandit.records import DecisionRecord, SignalRecord
from bandit.sums import MAX_COUNT, Moments, RowKey


class MemoryStore:
    """Keeps everything in dictionaries; no call waits, so each happens whole."""

    def __init__(self, *, bucket_us: int) -> None:
        self._bucket_us = bucket_us
        self._compacted_us = 0
        self._retained_us = 0
        self._signals: dict[SignalKey, SignalRecord] = {}
        self._sums: dict[str, dict[RowKey, Moments]] = {}
        self._base: dict[str, Rows] = {}
        self._spend: dict[str, SpendRows] = {}
        self._spend_base: dict[str, SpendRows] = {}
        self._revisions: dict[str, int] = {}
        self._decisions: dict[tuple[int, str, bytes], DecisionRecord] = {}
        self._categories: dict[str, dict[str, str]] = {}
        self._registry = Registry()
        self._audit: list[Audited] = []

    async def prepare(self) -> str | None:
        """Do nothing: there are no tables."""
        return None

    async def write(self, records: Sequence[SignalRecord]) -> Written:
        """Store signals and what they change."""
        settled = settle(records, self._signals, self._bucket_us, self._retained_us)
        totals = {name: self._added(name, rows) for name, rows in settled.rows.items()}
        self._signals |= settled.kept
        changes = {}
        for name, rows in settled.rows.items():
            self._sums.setdefault(name, {}).update(totals[name])
            self._revisions[name] = self._revisions.get(name, 0) + settled.counted[name]
            changes[name] = Change(self._revisions[name], rows, settled.spend[name])
            if settled.spend[name]:
                self._spend[name] = add_spend(self._spend.get(name, {}), settled.spend[name])
        return Written(settled.statuses, changes)

    async def load(self, namespace: str, *, billed_since_us: int = 0) -> StoredSums:
        """Return what a namespace has learned, and what it was billed."""
        return StoredSums(
            self._revisions.get(namespace, 0),
            add(self._sums.get(namespace, {}), {}),
            tuple(sorted(self._categories.get(namespace, ()))),
            spend_since(self._spend.get(namespace, {}), billed_since_us),
        )

    async def namespaces(self) -> Sequence[str]:
        """Return every namespace that has sums or categories."""
        return tuple(sorted({*self._revisions, *self._categories}))

    async def log_decisions(self, records: Sequence[DecisionRecord]) -> None:
        """Append to the decision log."""
        for record in records:
            self._decisions.setdefault(_age(record), record)

    async def add_categories(self, namespace: str, names: Sequence[str], *, managed_by: str) -> None:
        """Remember categories."""
        for name in names:
            known = self._categories.setdefault(namespace, {})
            if name not in known or managed_by == MANAGED_BY_FILE:
                known[name] = managed_by

    async def registry(self) -> Registry:
        """Return the registry."""
        return self._registry

    async def edit_registry(self, seen: int, edits: Sequence[Edit], *, time_us: int, client: str) -> None:
        """Make edits of the registry, and note who made them."""
        if seen != self._registry.version:
            raise RegistryMovedError(f"the registry is no longer at version {seen}")
        self._registry = self._registry.edited(edits)
        for version, edit in enumerate(edits, start=seen + 1):
            before, after = (None if one is None else one.settings for one in edit)
            self._audit.append(Audited(version, time_us, client, edit.key, before, after))
            if edit.after is not None and edit.key.kind is EntryKind.CATEGORY:
                await self.add_categories(edit.key.namespace, [edit.key.name], managed_by=edit.after.managed_by)

    async def audit(self, namespace: str, *, before: int, count: int) -> Sequence[Audited]:
        """Return who changed the registry."""
        newest = [one for one in reversed(self._audit) if one.version < before]
        return tuple([one for one in newest if one.key.namespace in ("", namespace)][:count])

    async def signals(self) -> AsyncIterator[SignalRecord]:
        """Read the signals that are kept."""
        for _, record in sorted(self._signals.items()):
            yield record

    async def decisions(self) -> AsyncIterator[DecisionRecord]:
        """Read the decision log."""
        for record in sorted(self._decisions.values(), key=_age):
            yield record

    async def decision(self, namespace: str, nonce: bytes, decided_us: int) -> DecisionRecord | None:
        """Return a decision of the log."""
        return self._decisions.get((decided_us, namespace, nonce))

    async def newest_us(self) -> int | None:
        """Return the time of the newest decision."""
        signals = (record.decision.decided_us for record in self._signals.values())
        return max((*signals, *(record.decided_us for record in self._decisions.values())), default=None)

    async def retain(self, before_us: int) -> int:
        """Drop old signals and decisions."""
        self._retained_us = moved(self._retained_us, before_us)
        before_us = min(before_us, self._retained_us)
        old = [record for record in self._signals.values() if record.decision.decided_us < before_us]
        for namespace in {record.namespace for record in old}:
            dropped_here = [record for record in old if record.namespace == namespace]
            taught = fold(dropped_here, self._bucket_us)
            self._base[namespace] = add(self._base.get(namespace, {}), taught)
            self._spend_base[namespace] = add_spend(self._spend_base.get(namespace, {}), fold_bills(dropped_here))
        for record in old:
            del self._signals[key_of(record)]
        dropped = [key for key, record in self._decisions.items() if record.decided_us < before_us]
        for key in dropped:
            del self._decisions[key]
        return len(old) + len(dropped)

    async def compact(self, now_us: int) -> None:
        """Merge old rows of the sums and the spend."""
        self._compacted_us = moved(self._compacted_us, now_us)
        starts = grid(self._compacted_us, self._bucket_us)
        self._sums = {namespace: coarsen(rows, starts) for namespace, rows in self._sums.items()}
        self._spend = {name: coarsen_spend(rows, self._compacted_us) for name, rows in self._spend.items()}

    async def verify(self) -> Mapping[str, Sequence[Discrepancy]]:
        """Compare the sums and the spend with the log."""
        found, starts = {}, grid(self._compacted_us, self._bucket_us)
        for namespace in sorted({*self._sums, *self._spend}):
            log = [record for record in self._signals.values() if record.namespace == namespace]
            folded = add(self._base.get(namespace, {}), fold(log, self._bucket_us))
            billed = add_spend(self._spend_base.get(namespace, {}), fold_bills(log))
            differing = compare(self._sums.get(namespace, {}), folded, starts)
            differing += compare_spend(self._spend.get(namespace, {}), billed, self._compacted_us)
            if differing:
                found[namespace] = differing
        return found

    async def repair(self) -> Mapping[str, Sequence[Discrepancy]]:
        """Make the sums and the spend those of the log; return what differed."""
        found = await self.verify()
        for namespace, differing in found.items():
            taught, billed = lacking(differing)
            self._sums[namespace] = add(self._sums.get(namespace, {}), taught)
            self._spend[namespace] = add_spend(self._spend.get(namespace, {}), billed)
            self._revisions[namespace] = self._revisions.get(namespace, 0) + 1
        return found

    async def matching(self, exclusion: Exclusion) -> AsyncIterator[SignalRecord]:
        """Read the signals that an exclusion covers."""
        for _, record in sorted(self._signals.items()):
            if exclusion.covers(record):
                yield record

    async def count_matching(self, exclusion: Exclusion) -> int:
        """Return how many there are."""
        return sum(map(exclusion.covers, self._signals.values()))

    async def remove_namespace(self, namespace: str, *, time_us: int) -> None:
        """Remove everything of a namespace, which has a name, and note which entries of the registry that were."""
        if not namespace:
            raise StoreError("a namespace has a name")
        gone = sorted(key for key in self._registry.entries if key.namespace == namespace)
        entries = {key: entry for key, entry in self._registry.entries.items() if key not in gone}
        first = self._registry.version + 1
        self._audit += [Audited(first + place, time_us, "", key, None, None) for place, key in enumerate(gone)]
        self._registry = Registry(self._registry.version + len(gone), entries)
        self._signals = {key: one for key, one in self._signals.items() if one.namespace != namespace}
        self._decisions = {key: one for key, one in self._decisions.items() if one.namespace != namespace}
        learned: tuple[dict[str, Any], ...] = (self._sums, self._base, self._spend, self._spend_base)
        for kept in (*learned, self._revisions, self._categories):
            kept.pop(namespace, None)

    async def erase_rater(self, namespace: str, rater: str) -> int:
        """Empty the rater of what one said; return how many signals that were."""
        said = {k: one for k, one in self._signals.items() if (one.namespace, one.rater) == (namespace, rater)}
        self._signals |= {key: one._replace(rater="") for key, one in said.items()}
        return len(said)

    async def free_bytes(self) -> None:
        """Return None: memory is not measured."""

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _added(self, namespace: str, rows: Rows) -> dict[RowKey, Moments]:
        """Return the rows that change, as they will be."""
        stored = self._sums.get(namespace, {})
        totals = {key: stored.get(key, NOTHING) + moments for key, moments in rows.items()}
        if any(moments.n > MAX_COUNT for moments in totals.values()):
            raise SumsOverflowError(f"a cell would hold more than {MAX_COUNT} observations; nothing was stored")
        return totals


def _age(record: DecisionRecord) -> tuple[int, str, bytes]:
    return record.decided_us, record.namespace, record.nonce
