"""Reads the document of `routeward evaluate`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from simulations.page.errors import DocumentError
from simulations.page.fields import Fields, Interval, Numbers
from simulations.page.result import (
    RED,
    STATUSES,
    Bin,
    Cell,
    Change,
    Check,
    Course,
    Latencies,
    Point,
    Policy,
    Result,
    Timeline,
)


def evaluated(document: Mapping[str, Any]) -> Result:
    """Return what an evaluation found. Raises DocumentError, which names the field that is wrong."""
    fields = Fields.at(document, "")
    log, objective = fields.within("log"), fields.within("objective")
    return Result(
        kind="evaluate",
        document=document,
        name=log.text("name", "log"),
        verdict=_status(fields, "verdict"),
        rows=log.number("rows"),
        first_us=_time_us(log, "from"),
        last_us=_time_us(log, "to"),
        format=log.text("format"),
        rejected=_rejected(log.within("rejected")),
        answer_value_usd=objective.number("answer_value_usd"),
        second_value_usd=objective.number("second_value_usd"),
        checks=tuple(_check(check) for check in fields.each("checks")),
        policies={name: _policy(name, policy) for name, policy in fields.within("policies").items()},
        front=tuple(_point(point) for point in fields.each("front")),
        cells=tuple(_cell(cell) for cell in fields.each("cells")),
        models=tuple(model.text("id") for model in fields.each("models")),
        categories={category.text("name"): category.number("rows") for category in fields.each("categories")},
        timeline=_timeline(fields.within("time")),
        changes=tuple(_change(change) for change in fields.each("change_points")),
        latencies=_latencies(fields.within("latency")),
        calibration=tuple(_bin(each) for each in fields.each("calibration")),
        missingness={model: shares.of for model, shares in fields.within("missingness").items()},
    )


def _status(fields: Fields, name: str) -> str:
    status = fields.text(name, RED)
    if status not in STATUSES:
        raise DocumentError(f"{fields.path}{'.' if fields.path else ''}{name} is {status!r}; green, amber or red")
    return status


def _time_us(fields: Fields, name: str) -> float | None:
    """Read a time: microseconds, or a text as of ISO 8601."""
    value = fields.of.get(name)
    if not isinstance(value, str):
        return fields.number(name)
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise DocumentError(f"{fields.path}.{name} is {value!r}; a time as 2026-01-31T12:00:00+00:00") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6


def _rejected(fields: Fields) -> dict[str, float | None]:
    """Read rows left out by reason: a count, or an object that has one."""
    return {
        reason: fields.within(reason).number("count") if isinstance(value, Mapping) else fields.number(reason)
        for reason, value in fields.of.items()
    }


def _check(fields: Fields) -> Check:
    return Check(
        fields.text("name"),
        fields.text("policy"),
        _status(fields, "status"),
        fields.number("value"),
        fields.number("limit"),
        fields.text("says"),
    )


def _policy(name: str, fields: Fields) -> Policy:
    lift, estimates = fields.within("lift"), fields.within("estimates")
    refused = (status := _status(fields, "status")) == RED
    found = {estimator: estimates.interval(estimator) for estimator in estimates.of}
    return Policy(
        name=name,
        status=status,
        reasons=fields.texts("reasons"),
        estimator=fields.within("headline").text("estimator"),
        headline=None if refused else fields.interval("headline"),
        lift=None if refused else fields.interval("lift"),
        simultaneous=_simultaneous(lift) if lift.of and not refused else None,
        estimates={estimator: interval for estimator, interval in found.items() if interval is not None},
        components=fields.mapping("components"),
        components_se=fields.mapping("components_se"),
        weights=fields.mapping("weights"),
        shares=fields.mapping("shares"),
        toml=fields.text("toml"),
    )


def _simultaneous(lift: Fields) -> Interval:
    return Interval(lift.number("value"), lift.number("low_simultaneous"), lift.number("high_simultaneous"))


def _point(fields: Fields) -> Point:
    return Point(
        fields.text("name"),
        fields.number("answer"),
        fields.number("answer_se"),
        fields.number("cost_usd"),
        fields.number("cost_usd_se"),
        fields.number("latency_s"),
        fields.text("toml"),
    )


def _cell(fields: Fields) -> Cell:
    numbers = ("rows", "answer", "answer_se", "cost_usd", "latency_s", "error", "p_best")
    return Cell(fields.text("category"), fields.text("model"), *(fields.number(name) for name in numbers))


def _timeline(fields: Fields) -> Timeline | None:
    times = fields.numbers("starts_us")
    if not times:
        return None
    courses = {"logged": Course(fields.numbers("logged_value"), (), (), fields.numbers("logged_spend"))}
    for name, policy in fields.within("policies").items():
        courses[name] = Course(*(policy.numbers(part) for part in Course._fields))
    shares: dict[str, Mapping[str, Numbers]] = {
        category: {model: models.numbers(model) for model in models.of}
        for category, models in fields.within("shares").items()
    }
    return Timeline(times, courses, shares)


def _change(fields: Fields) -> Change:
    time_us = fields.number("time_us")
    if time_us is None:
        raise DocumentError(f"{fields.path}.time_us is unknown; leave out a change point without a time")
    return Change(time_us, fields.text("category"), fields.text("model"), fields.text("what"))


def _latencies(fields: Fields) -> Latencies | None:
    edges = fields.numbers("edges_s")
    if len(edges) < 2:
        return None
    models, policies = fields.within("models"), fields.within("policies")
    return Latencies(
        edges,
        {model: models.numbers(model) for model in models.of},
        {policy: policies.numbers(policy) for policy in policies.of},
    )


def _bin(fields: Fields) -> Bin:
    return Bin(*(fields.number(name) for name in Bin._fields))
