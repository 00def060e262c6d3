"""From a checked world file to what the simulator runs: events, phases, and the invented table."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from bandit.catalogue import Prices
from bandit.request import Objective
from simulations.events import (
    CategoriesAdded,
    Event,
    FalseJudgements,
    LatencyChange,
    ModelAdded,
    Outage,
    PriceChange,
    QualityDrop,
    Role,
)
from simulations.generator import MODELS, TASKS, InventedModel, Task, generate
from simulations.outcomes import Outcomes
from simulations.scenario import Phase
from simulations.worlds.checks import ROLES
from simulations.worlds.schema import EventTable, GeneratorTable, ObjectiveTable, PhaseTable

Span = tuple[int, int]
_MEASURES: Final = ("share", "factor")
_CHANGES: Final[Mapping[str, type[QualityDrop | Outage | LatencyChange | PriceChange]]] = {
    kind.kind: kind for kind in (QualityDrop, Outage, LatencyChange, PriceChange)
}


def event_of(table: EventTable, span: Span) -> Event:
    """Return an event that happens in a span of requests; measures that are not given are those of its kind."""
    start, end = span
    if table.kind == CategoriesAdded.kind:
        return CategoriesAdded(table.count or 0, start)
    model = _model(table.model)
    if table.kind == ModelAdded.kind:
        return ModelAdded(model, start)
    given: dict[str, Any] = {name: value for name in _MEASURES if (value := getattr(table, name)) is not None}
    if table.kind == FalseJudgements.kind:
        given |= {} if table.favoured is None else {"favoured": _model(table.favoured)}
        return FalseJudgements(model, start, end, **given)
    return _CHANGES[table.kind](model, start, end, **given)


def phases_of(
    tables: Sequence[PhaseTable], spans: Sequence[Span], events: Sequence[Event], steps: int
) -> tuple[Phase, ...]:
    """Return the phases that are given; without any, the run is cut where events begin and end."""
    if tables:
        return tuple(Phase(one.name, *span, one.first_new) for one, span in zip(tables, spans, strict=True))
    cuts = {0, steps} | {event.start for event in events} | {getattr(event, "end", steps) for event in events}
    bounds = sorted(cuts)
    if len(bounds) == 2:
        return (Phase("all", 0, steps),)
    return tuple(Phase(f"{start}-{end}", start, end) for start, end in pairwise(bounds))


def invented_outcomes(table: GeneratorTable) -> Outcomes:
    """Return the invented table; models and tasks that are not given are those of `routeward generate`."""
    models = [
        InventedModel(
            id=one.id,
            prices=Prices(one.input_usd_per_mtok, one.output_usd_per_mtok),
            **one.model_dump(include={"skill", "first_token_s", "tokens_per_s", "verbosity", "tokenizer"}),
        )
        for one in table.models
    ]
    tasks = [Task(**one.model_dump()) for one in table.tasks]
    return generate(table.seed, prompts_per_category=table.prompts, models=models or MODELS, tasks=tasks or TASKS)


def objective_of(table: ObjectiveTable) -> Objective:
    """Return an objective."""
    return Objective(table.answer_value_usd, table.second_value_usd)


def _model(name: str | None) -> str | Role:
    return ROLES.get(name or "", name or "")
