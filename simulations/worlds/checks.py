"""What is wrong between the parts of a world file, each of which is right by itself."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from adapters.toml.explain import did_you_mean, toml_of
from adapters.toml.problems import Finding
from simulations.events import Role
from simulations.worlds.schema import KINDS, REFERENCE, EventTable, WorldDocument

_OPTIONAL: Final = {"to", "share", "factor", "favoured"}
ROLES: Final[Mapping[str, Role]] = {role.value: role for role in Role}


def check(document: WorldDocument) -> Iterator[Finding]:
    """Find what needs neither the table nor the trace to be seen."""
    yield from _sources(document)
    yield from _arrivals(document)
    for place, event in enumerate(document.events):
        yield from _keys(place, event)
    yield from _twice(document)


def check_world(document: WorldDocument, models: Sequence[str], categories: int) -> Iterator[Finding]:
    """Find events of a model that the world does not have, or of more categories than it has."""
    added = 0
    for place, event in enumerate(document.events):
        added += event.count or 0
        if event.count and added >= categories:
            message = f"{added} categories are to be added, and the table has {categories} in all"
            yield Finding(("events", place, "count"), message, "leave at least one that is there from the start")
        for key in ("model", "favoured"):
            name = getattr(event, key)
            if name is not None and name not in ROLES and name not in models:
                advice = did_you_mean(name, [*models, *ROLES])
                yield Finding(("events", place, key), f'there is no model "{name}"', advice)


def check_spans(name: str, spans: Sequence[tuple[int, int]], steps: int) -> Iterator[Finding]:
    """Find events or phases that are empty, or reach past the end of a run of this many requests."""
    for place, (start, end) in enumerate(spans):
        if start >= steps:
            message = f"from is past the end of the run, which has {steps:,} requests"
            yield Finding((name, place, "from"), message, "let it begin earlier, or raise steps")
        elif end > steps:
            message = f"to is past the end of the run, which has {steps:,} requests"
            yield Finding((name, place, "to"), message, "leave to out for the end of the run, or raise steps")
        elif start >= end:
            message = f"from is request {start:,} and to is request {end:,}, so nothing lies between them"
            yield Finding((name, place, "to"), message, "let to be later than from")


def check_attacks(document: WorldDocument, spans: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """Find two attacks at a time, which could say opposite things of a model."""
    attacks = [(*spans[i], i) for i, event in enumerate(document.events) if event.kind == "false-judgements"]
    for (_, end, _), (start, _, place) in pairwise(sorted(attacks)):
        if start < end:
            message = "false-judgements begin before those of another event have ended"
            yield Finding(("events", place, "from"), message, "let one end first, or join them to one event")


def _sources(document: WorldDocument) -> Iterator[Finding]:
    if document.outcomes is not None and document.generator is not None:
        yield Finding(("generator",), "outcomes and [generator] are both given", "keep one of them")
    if document.objective is not None and document.objectives:
        message = "[objective] and [[objectives]] are both given"
        yield Finding(("objective",), message, "keep [objective] for one, or [[objectives]] for several")
    if document.generator is not None:
        for key, name in (("models", "id"), ("tasks", "category")):
            names = [getattr(one, name) for one in getattr(document.generator, key)]
            for place, one in enumerate(names):
                if one in names[:place]:
                    message = f'"{one}" is the {name} of two {key}'
                    yield Finding(("generator", key, place, name), message, "give each a name of its own")
    if len(set(document.models)) != len(document.models):
        yield Finding(("models",), "a model is named twice", "name each once")


def _arrivals(document: WorldDocument) -> Iterator[Finding]:
    arrivals = document.arrivals
    if arrivals is None:
        return
    if arrivals.file is not None and arrivals.requests_per_second is not None:
        message = "requests_per_second and file are both given"
        yield Finding(("arrivals", "requests_per_second"), message, "remove it; speed makes a trace faster")
    if arrivals.file is None:
        for key in sorted(arrivals.model_fields_set - {"requests_per_second"}):
            yield Finding(("arrivals", key), f"{key} is given without a file", "add  file = ...,  or remove it")


def _keys(place: int, event: EventTable) -> Iterator[Finding]:
    """Find keys that an event of this kind does not have, and those that it lacks."""
    wanted = KINDS[event.kind]
    given = [name.rstrip("_") for name in event.model_fields_set if name != "kind"]
    for key in sorted(set(given) - set(wanted)):
        message = f"{key} means nothing for {event.kind}"
        yield Finding(("events", place, key), message, f"remove it; there are {', '.join(wanted)}")
    for key in wanted:
        if key not in given and key not in _OPTIONAL:
            message = f"{event.kind} has no {key}"
            example = REFERENCE.keys["events", "*", key].example
            yield Finding(("events", place), message, f"add  {key} = {toml_of(example)}")


def _twice(document: WorldDocument) -> Iterator[Finding]:
    seen = set[str]()
    for place, event in enumerate(document.events):
        if event.kind == "model-added" and event.model is not None:
            if event.model in seen:
                message = f'the model "{event.model}" is added twice'
                yield Finding(("events", place, "model"), message, "remove one of the events")
            seen.add(event.model)
    names = [phase.name for phase in document.phases]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Finding(("phases", place, "name"), f'two phases are called "{name}"', "give each a name of its own")
