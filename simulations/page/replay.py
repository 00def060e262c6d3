"""Reads the document of `routeward replay`: means over seeds, with bands."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from simulations.page.errors import DocumentError
from simulations.page.evaluate import cell_of, check_of, latencies_of, rejected_of, status_of
from simulations.page.fields import Fields, Interval
from simulations.page.result import GREEN, LOGGED, RED, Check, Course, Point, Policy, Result, Timeline

BAND: Final = 0.9
"""Bands go from 5 to 95 % of the runs."""
EVERYWHERE: Final = "all"
"""The allocation over all categories."""


def replayed(document: Mapping[str, Any]) -> Result:
    """Return what a replay found. Raises DocumentError, which names the field that is wrong."""
    fields = Fields.at(document, "")
    log, settings = fields.within("log"), fields.within("settings")
    status, checks = status_of(fields, "status"), tuple(check_of(check) for check in fields.each("checks"))
    learners = tuple(name for name, policy in fields.within("policies").items() if policy.of.get("learns") is True)
    return Result(
        kind="replay",
        document=document,
        name=log.text("name", "a log"),
        verdict=status,
        rows=log.number("rows"),
        first_us=log.number("from_us"),
        last_us=log.number("to_us"),
        format=log.text("format"),
        rejected={**rejected_of(log.within("rejected")), **rejected_of(log.within("left_out"))},
        answer_value_usd=_objective(settings, "answer_value_usd"),
        second_value_usd=_objective(settings, "second_value_usd"),
        confidence=BAND,
        subjects=learners,
        checks=checks,
        policies={name: _policy(name, p, status, checks) for name, p in fields.within("policies").items()},
        front=tuple(_point(name, policy) for name, policy in fields.within("policies").items()),
        cells=tuple(cell_of(cell) for cell in fields.each("cells")),
        models=tuple(fields.within("models").of),
        categories={category.text("name"): category.number("requests") for category in fields.each("categories")},
        timeline=_timeline(fields, next(iter(learners), LOGGED)),
        latencies=latencies_of(fields.within("latency")),
    )


def _objective(settings: Fields, name: str) -> float | None:
    asked = settings.number(name)
    return settings.within("default_objective").number(name) if asked is None else asked


def _policy(name: str, fields: Fields, verdict: str, checks: tuple[Check, ...]) -> Policy:
    status = RED if verdict == RED else status_of(fields, "status")
    refused = status == RED
    shares = fields.within("shares")
    return Policy(
        name=name,
        status=status,
        reasons=tuple(check.says for check in checks if check.policy in ("", name) and check.status != GREEN),
        estimator="replay of tapes",
        headline=None if refused else _band(fields, "value_usd"),
        lift=None if refused or name == LOGGED else _band(fields, "lift_usd"),
        components=dict(_components(fields, "mean")),
        components_se=dict(_components(fields, "se")),
        shares={model: shares.within(model).number("mean") for model in shares.of},
    )


def _band(fields: Fields, name: str) -> Interval:
    found = fields.within(name)
    return Interval(found.number("mean"), found.number("low"), found.number("high"))


def _components(fields: Fields, part: str) -> Iterator[tuple[str, float | None]]:
    """Yield what a request got and cost."""
    yield "error", fields.within("error_rate").number(part)
    for name in ("answer", "cost_usd", "latency_s", "latency_p50_s", "latency_p95_s"):
        yield name, fields.within(name).number(part)


def _point(name: str, fields: Fields) -> Point:
    means, errors = dict(_components(fields, "mean")), dict(_components(fields, "se"))
    cost, latency = means["cost_usd"], means["latency_s"]
    return Point(name, means["answer"], errors["answer"], cost, errors["cost_usd"], latency, fields.text("toml"))


def _timeline(fields: Fields, learner: str) -> Timeline | None:
    times, rows = fields.within("time").numbers("ends_us"), fields.within("time").numbers("requests")
    if not (times or rows):
        return None
    allocation = fields.within("allocation").within(learner)
    shares = {
        ("all categories" if category == EVERYWHERE else category): {
            model: models.within(model).numbers("mean") for model in models.of
        }
        for category, models in allocation.items()
    }
    courses = {name: _course(bands) for name, bands in fields.within("bands").items()}
    if any(len(course.value) > len(times or rows) for course in courses.values()):
        raise DocumentError("bands are longer than time; give a file that `routeward replay --json FILE` wrote")
    return Timeline(times or rows, bool(times), courses, shares, learner)


def _course(bands: Fields) -> Course:
    value, spend = bands.within("value_usd"), bands.within("spend_usd")
    return Course(value.numbers("mean"), value.numbers("low"), value.numbers("high"), spend.numbers("mean"))
