"""Decisions of the own log as a `Log`, wherever they are kept."""

from collections.abc import Callable, Iterator

from adapters.traffic.calls import BATCH, Call, Calls, batches
from adapters.traffic.errors import LogError
from adapters.traffic.log import LogReport, Progress
from adapters.traffic.own.decision import LoggedDecision, require_quality_source

Read = Callable[[LogReport, Progress | None], Iterator[LoggedDecision]]
"""Reads decisions in the order of time, rejecting in the report what cannot be read."""


class DecisionLog:
    """Decisions of one namespace that are read anew for each reading.

    Of several, the one to read must be chosen: what is learned in one is none of another's business.
    """

    def __init__(self, read: Read, name: str, *, quality_source: str) -> None:
        self._read = read
        self._name = name
        self._quality_source = require_quality_source(quality_source)
        self.report = LogReport(name)

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Read every call. Raises LogError where it cannot be read on, or where a second namespace begins."""
        self.report = LogReport(self._name)
        namespace = None
        for decision in self._read(self.report, progress):
            namespace = namespace or decision.namespace
            if decision.namespace != namespace:
                raise LogError(f"the log is of several namespaces; choose one: {namespace}, {decision.namespace}, ...")
            call = decision.as_call(self._quality_source)
            self._count(call, decision)
            yield call

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Read them in columns."""
        return batches(self.calls(progress), size)

    def _count(self, call: Call, decision: LoggedDecision) -> None:
        self.report.used += 1
        self.report.knows.update(
            [name for name, value in zip(Call._fields, call, strict=True) if value not in (None, "")]
        )
        self.report.sources.update(decision.judgements.keys())
