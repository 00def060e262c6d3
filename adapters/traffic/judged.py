"""A log whose quality is of one source of judgements, which must be there."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.traffic.calls import BATCH, Call, Calls
from adapters.traffic.errors import LogError
from adapters.traffic.log import Log, LogReport, Progress


@dataclass(frozen=True, slots=True)
class JudgedLog:
    """Another log, which raises LogError at its end where no call has a judgement of the source: it was misspelt."""

    log: Log
    source: str

    @property
    def report(self) -> LogReport:
        """What the last reading told."""
        return self.log.report

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Read every usable call in the order of the log."""
        yield from self.log.calls(progress)
        self._require_source()

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Read them in columns."""
        yield from self.log.batches(size, progress)
        self._require_source()

    def _require_source(self) -> None:
        if self.report.used and not self.report.sources.get(self.source):
            known = ", ".join(sorted(self.report.sources)) or "none"
            raise LogError(f"no call has a judgement of {self.source}; judgements there are: {known}")
