"""Reads the document of `routeward replay`: means over seeds, with bands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from simulations.page.errors import DocumentError
from simulations.page.evaluate import cell_of, check_of, latencies_of, rejected_of, status_of
from simulations.page.fields import Fields, Interval, Numbers
from simulations.page.result import (
    EVERYWHERE,
    GREEN,
    LOGGED,
    RED,
    Check,
    Course,
    Moved,
    Point,
    Policy,
    Result,
    Timeline,
)

BAND: Final = 0.9
"""Bands go from 5 to 95 % of the runs."""
_EVERYWHERE: Final = "all"
"""The allocation over all categories, in a document."""
_BY_PRICE: Final = frozenset({"cheapest", "priciest"})


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
        prices=dict(_prices(fields.within("models"))),
        categories={category.text("name"): category.number("requests") for category in fields.each("categories")},
        timeline=_timeline(fields, (*learners, LOGGED)),
        latencies=latencies_of(fields.within("latency")),
    )


def _prices(models: Fields) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the prices of the models whose prices are known."""
    for model, fields in models.items():
        prices = fields.within("prices")
        asked, given = prices.number("input_usd_per_mtok"), prices.number("output_usd_per_mtok")
        if asked is not None and given is not None:
            yield model, (asked, given)


def _objective(settings: Fields, name: str) -> float | None:
    asked = settings.number(name)
    return settings.within("default_objective").number(name) if asked is None else asked


def _policy(name: str, fields: Fields, verdict: str, checks: tuple[Check, ...]) -> Policy:
    status = RED if verdict == RED else status_of(fields, "status")
    if name == LOGGED:  # what ran is a fact
        status, checks = GREEN, ()
    refused, shares = status == RED, fields.within("shares")
    hindsight = fields.of.get("hindsight") is True
    adapts = hindsight or fields.of.get("learns") is True
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
        moved_by=Moved.ANYTHING if adapts else Moved.OFFER if name in _BY_PRICE else Moved.NOTHING,
        hindsight=hindsight,
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


def _timeline(fields: Fields, shown: Sequence[str]) -> Timeline | None:
    times, rows = fields.within("time").numbers("ends_us"), fields.within("time").numbers("requests")
    if not (times or rows):
        return None
    allocation = fields.within("allocation")
    shares = {name: dict(_allocation(allocation.within(name))) for name in shown if name in allocation.of}
    courses = {name: _course(bands) for name, bands in fields.within("bands").items()}
    if any(len(course.value) > len(times or rows) for course in courses.values()):
        raise DocumentError("bands are longer than time; give a file that `routeward replay --json FILE` wrote")
    return Timeline(times or rows, bool(times), courses, shares)


def _allocation(categories: Fields) -> Iterator[tuple[str, dict[str, Numbers]]]:
    """Yield shares by model of all categories, which comes first, and of each."""
    for category, models in categories.items():
        shares = {model: models.within(model).numbers("mean") for model in models.of}
        yield EVERYWHERE if category == _EVERYWHERE else category, shares


def _course(bands: Fields) -> Course:
    value, spend = bands.within("value_usd"), bands.within("spend_usd")
    return Course(*(band.numbers(part) for band in (value, spend) for part in ("mean", "low", "high")))
