"""A world file that was read: what it gives of the options of a simulation, its outcomes and its scenario."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from pydantic import ValidationError

from adapters.toml.explain import findings_of
from adapters.toml.problems import ConfigError, Finding
from adapters.toml.reading import located, parsed, read_text
from bandit.request import Objective
from simulations.arrivals import Arrivals, evenly
from simulations.errors import OptionsError, OutcomesError, WorldFileError
from simulations.outcomes import Outcomes
from simulations.scenario import Scenario
from simulations.worlds.build import Span, event_of, invented_outcomes, objective_of, phases_of
from simulations.worlds.checks import check, check_attacks, check_spans, check_world
from simulations.worlds.schema import REFERENCE, EventTable, PhaseTable, WorldDocument
from simulations.worlds.traces import arrivals_of

_EXAMPLE: Final = "docs/howto/worlds.md"


@dataclass(frozen=True, slots=True, eq=False)
class WorldFile:
    """A world file without mistakes of its own; `trace` are the arrivals that it names a file for."""

    path: Path
    text: str
    document: WorldDocument
    trace: Arrivals | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises WorldFileError with everything that is wrong with it."""
        try:
            text = read_text(path, absent=f"write one; {_EXAMPLE} shows how")
            given = parsed(path, text, example=_EXAMPLE)
        except ConfigError as error:
            raise WorldFileError(str(error)) from error
        try:
            document = WorldDocument.model_validate(given)
        except ValidationError as error:
            raise _refused(path, text, findings_of(error, REFERENCE)) from error
        if findings := [*check(document)]:
            raise _refused(path, text, findings)
        return cls(path, text, document, _trace(path, text, document))

    @property
    def name(self) -> str:
        """What results call the world."""
        return self.document.name or self.path.stem

    def options(self) -> dict[str, Any]:
        """Return the options that the file gives, by the names they have in `SimulateOptions`."""
        document = self.document
        given: dict[str, Any] = {
            name: value
            for name in ("steps", "seeds", "first_seed", "quality_delay", "quality_share", "budget_usd")
            if (value := getattr(document, name)) is not None
        }
        given |= {"scenario": self.name, "by_share": document.by_share, "models": tuple(document.models)}
        if document.outcomes is not None:
            given["outcomes"] = self.path.parent / document.outcomes
        if document.objective is not None:
            given |= document.objective.model_dump()
        if document.service is not None and document.service.refresh_seconds is not None:
            given["refresh_seconds"] = document.service.refresh_seconds
        if document.arrivals is not None and document.arrivals.requests_per_second is not None:
            given["requests_per_second"] = document.arrivals.requests_per_second
        if self.trace is not None:
            given.setdefault("steps", len(self.trace.time_us))
        return given

    def without(self, options: Iterable[str]) -> Self:
        """Return the file without what these options of the command line replace.

        Raises OptionsError for an objective beside several objectives, of which it could be any.
        """
        given, gone = set(options), dict[str, None]()
        if self.document.objectives and given & {"answer_value_usd", "second_value_usd"}:
            raise OptionsError(f"{self.path} has [[objectives]], which no option replaces; change them there")
        if "outcomes" in given:
            gone["generator"] = None
        trace = None if "requests_per_second" in given else self.trace
        return replace(self, document=self.document.model_copy(update=gone), trace=trace)

    def invented(self) -> Outcomes | None:
        """Return the table that the file lets be invented, if it does."""
        return None if self.document.generator is None else invented_outcomes(self.document.generator)

    def scenario(self, objective: Objective, steps: int, requests_per_second: float) -> Scenario:
        """Return what happens in a run. Raises WorldFileError where that does not fit the number of requests."""
        arrivals = self._arrivals(steps, requests_per_second)
        events = self._spans(self.document.events, arrivals, steps)
        phases = self._spans(self.document.phases, arrivals, steps)
        self._refuse(
            [
                *check_spans("events", events, steps),
                *check_spans("phases", phases, steps),
                *check_attacks(self.document, events),
            ]
        )
        happening = tuple(event_of(table, span) for table, span in zip(self.document.events, events, strict=True))
        return Scenario(
            self.name,
            tuple(map(objective_of, self.document.objectives)) or (objective,),
            phases_of(self.document.phases, phases, happening, steps),
            happening,
            arrivals=arrivals,
        )

    def check_world(self, models: Sequence[str], categories: int) -> None:
        """Raise WorldFileError for events of models or categories that the world does not have."""
        self._refuse([*check_world(self.document, models, categories)])

    def _arrivals(self, steps: int, requests_per_second: float) -> Arrivals:
        if self.trace is None:
            return evenly(steps, requests_per_second)
        known = len(self.trace.time_us)
        if steps > known:
            message = f"the run has {steps:,} requests, and the trace {known:,}"
            self._refuse([Finding(("arrivals", "file"), message, f"lower steps to {known} or less")])
        ranks = self.trace.size_ranks
        return Arrivals(self.trace.time_us[:steps], None if ranks is None else ranks[:steps])

    def _spans(self, tables: Sequence[EventTable | PhaseTable], arrivals: Arrivals, steps: int) -> list[Span]:
        time_us = arrivals.time_us
        return [
            (one.from_.within(steps, time_us), steps if one.to is None else one.to.within(steps, time_us))
            for one in tables
        ]

    def _refuse(self, findings: Sequence[Finding]) -> None:
        if findings:
            raise _refused(self.path, self.text, findings)


def _trace(path: Path, text: str, document: WorldDocument) -> Arrivals | None:
    if document.arrivals is None or document.arrivals.file is None:
        return None
    try:
        return arrivals_of(document.arrivals, path.parent / document.arrivals.file)
    except OutcomesError as error:
        advice = (
            "name a .csv or .parquet file, its column of seconds, and which of its traces; paths start at this file"
        )
        raise _refused(path, text, [Finding(("arrivals", "file"), str(error), advice)]) from error


def _refused(path: Path, text: str, findings: Sequence[Finding]) -> WorldFileError:
    return WorldFileError("\n".join(map(str, located(path, text, findings, {}))))
