"""What the server has left behind on disk, and whether it is all there when it starts again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adapters.ledger import Discrepancy
from bandit.records import DecisionRecord, SignalRecord
from routeward.v1.admin_service_pb2 import GetPosteriorResponse


class Archive(Protocol):
    """The store of a server that has stopped."""

    def signals(self) -> AsyncIterator[SignalRecord]:
        """Read what was reported."""

    def decisions(self) -> AsyncIterator[DecisionRecord]:
        """Read what was decided."""

    async def verify(self) -> Mapping[str, Sequence[Discrepancy]]:
        """Compare sums with the log they were made from; empty where they are equal."""

    async def close(self) -> None:
        """Let others have it."""


OpenArchive = Callable[[Path], Awaitable[Archive]]
"""Opens the store in a file. Raises adapters.ledger.StoreError."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds; `discrepancies` counts rows of the sums that differ from the fold of the signals."""

    file: str
    size_bytes: int
    outcomes: int
    thumbs: int
    decisions: int
    discrepancies: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What was saved, and what a server that was started again on it knows.

    `remembered` says that its revision and every figure of its posteriors are the same, to the last bit.
    """

    saved: Saved
    revision: int
    revision_after: int
    remembered: bool
    restarted_in_s: float


def saved_in(file: Path, open_archive: OpenArchive) -> Saved:
    """Count what a file holds, and verify it. Raises StoreError."""
    size_bytes = file.stat().st_size
    signals, decisions, discrepancies = asyncio.run(_contents(file, open_archive))
    return Saved(file.name, size_bytes, signals["outcome"], signals["thumb"], decisions, discrepancies)


async def _contents(file: Path, open_archive: OpenArchive) -> tuple[Counter[str], int, int]:
    archive = await open_archive(file)
    try:
        signals = Counter([record.signal async for record in archive.signals()])
        decisions = len([record.nonce async for record in archive.decisions()])
        discrepancies = sum(map(len, (await archive.verify()).values()))
    finally:
        await archive.close()
    return signals, decisions, discrepancies


def memory_of(saved: Saved, before: GetPosteriorResponse, after: GetPosteriorResponse, restarted_in_s: float) -> Memory:
    """Compare what is believed before and after a restart; the time it was computed for is no belief."""
    return Memory(
        saved=saved,
        revision=before.revision,
        revision_after=after.revision,
        remembered=_beliefs(before) == _beliefs(after),
        restarted_in_s=restarted_in_s,
    )


def _beliefs(learned: GetPosteriorResponse) -> GetPosteriorResponse:
    timeless = GetPosteriorResponse()
    timeless.CopyFrom(learned)
    timeless.ClearField("computed_time")
    return timeless
