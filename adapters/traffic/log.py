"""A log that was opened: its calls, and what reading them told of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from adapters.traffic.calls import BATCH, Call, Calls, batches

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""

SHOWN_LINES: Final = 5
"""Lines that a report names for each reason for which rows were left out."""


@dataclass(slots=True)
class Rejected:
    """Rows left out for one reason: how many, and the numbers of the first of them (lines of a text count from 1).

    `files` names the file of each of these lines where a log has several, and is empty where it has one.
    """

    count: int = 0
    lines: list[int] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def places(self) -> str:
        """Return the first lines as a reader looks them up."""
        if self.files:
            return ", ".join(f"{file}:{line}" for file, line in zip(self.files, self.lines, strict=True))
        return ", ".join(map(str, self.lines))

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"count": self.count, "lines": self.lines} | ({"files": self.files} if self.files else {})


@dataclass(slots=True)
class LogReport:
    """What reading told: rows used and left out, and what the log can say, by the share of used rows that say it.

    `knows` counts rows that know a field of `Call`; `sources` counts judgements by their source. `notes` are sentences
    for the reader. It is complete when the log has been read to its end, and begins anew with each reading. `line`, and
    `file` where a log has several, are those of the call that was read last; 0 where a log has no lines.
    """

    format: str
    used: int = 0
    rejected: dict[str, Rejected] = field(default_factory=dict)
    knows: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    line: int = 0
    file: str = ""

    def reject(self, reason: str, line: int, file: str = "") -> None:
        """Count a row that was left out."""
        found = self.rejected.setdefault(reason, Rejected())
        found.count += 1
        if len(found.lines) < SHOWN_LINES:
            found.lines.append(line)
            if file:
                found.files.append(file)


class Log(Protocol):
    """A log that can be read again and again; each reading gives the same calls."""

    @property
    def report(self) -> LogReport:
        """What the last reading told."""

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Read every usable call in the order of the log. Raises LogError where it cannot be read on."""

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Read them in columns."""


class CallLog:
    """Calls that are in memory already."""

    def __init__(self, calls: Iterable[Call], name: str = "memory") -> None:
        self._calls = tuple(calls)
        self.report = LogReport(name, used=len(self._calls))

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:  # noqa: ARG002 -- it is there at once
        """Read every call."""
        return iter(self._calls)

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Read them in columns."""
        return batches(self.calls(progress), size)
