"""Reads the document of `routeward evaluate`."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from simulations.page.deploy import DEFAULT, chosen_models, fixed, valued
from simulations.page.errors import DocumentError
from simulations.page.fields import Fields, Interval, Numbers
from simulations.page.result import (
    EVERYWHERE,
    GREEN,
    LOGGED,
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
from simulations.page.units import usd


def evaluated(document: Mapping[str, Any]) -> Result:
    """Return what an evaluation found. Raises DocumentError, which names the field that is wrong."""
    fields = Fields.at(document, "")
    log, objective = fields.within("log"), fields.within("objective")
    weights = {category.text("name"): category.number("rows") for category in fields.each("categories")}
    return Result(
        kind="evaluate",
        document=document,
        name=log.text("name", "log"),
        verdict=status_of(fields, "verdict"),
        rows=log.number("rows"),
        first_us=time_us_of(log, "from"),
        last_us=time_us_of(log, "to"),
        format=log.text("format"),
        rejected={**rejected_of(log.within("rejected")), **rejected_of(log.within("unusable"))},
        answer_value_usd=objective.number("answer_value_usd"),
        second_value_usd=objective.number("second_value_usd"),
        checks=tuple(check_of(check) for check in fields.each("checks")),
        confidence=fields.number("confidence") or 0.95,
        policies=_policies(fields),
        front=tuple(_point(point, objective.number("second_value_usd"), weights) for point in fields.each("front")),
        cells=tuple(cell_of(cell) for cell in fields.each("cells")),
        models=tuple(model.text("id") for model in fields.each("models")),
        categories=weights,
        timeline=_timeline(fields.within("time"), weights),
        changes=tuple(_changes(fields)),
        latencies=latencies_of(fields.within("latency")),
        calibration=tuple(_bin(each) for each in fields.each("calibration")),
        missingness={model: shares.of for model, shares in fields.within("missingness").items()},
    )


def status_of(fields: Fields, name: str) -> str:
    """Return a light, red where there is none. Raises DocumentError for anything else."""
    status = fields.text(name, RED)
    if status not in STATUSES:
        raise DocumentError(f"{fields.path}{'.' if fields.path else ''}{name} is {status!r}; green, amber or red")
    return status


def time_us_of(fields: Fields, name: str) -> float | None:
    """Read a time: microseconds, or a text as of ISO 8601."""
    value = fields.of.get(name)
    if not isinstance(value, str):
        return fields.number(name)
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise DocumentError(f"{fields.path}.{name} is {value!r}; a time as 2026-01-31T12:00:00+00:00") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6


def rejected_of(fields: Fields) -> dict[str, float | None]:
    """Read rows left out by reason: a count, or an object that has one."""
    return {
        reason: fields.within(reason).number("count") if isinstance(value, Mapping) else fields.number(reason)
        for reason, value in fields.of.items()
    }


def check_of(fields: Fields) -> Check:
    """Return a check."""
    return Check(
        fields.text("name"),
        fields.text("policy"),
        status_of(fields, "status"),
        fields.number("value"),
        fields.number("limit"),
        fields.text("says"),
    )


def _policies(fields: Fields) -> dict[str, Policy]:
    logged, verdict = fields.within("logged"), status_of(fields, "verdict")
    found = {name: _policy(name, policy, verdict) for name, policy in fields.within("policies").items()}
    if not logged.of:
        return found
    ran = Policy(
        LOGGED,
        GREEN,
        estimator="the mean of the log",
        headline=fields.interval("logged"),
        components=logged.mapping("components"),
        shares=_logged_shares(fields),
    )
    return {LOGGED: ran, **found}


def _logged_shares(fields: Fields) -> dict[str, float | None]:
    """Add up each model's share of the traffic over the categories."""
    shares: dict[str, float | None] = {}
    for cell in fields.each("cells"):
        model = cell.text("model")
        shares[model] = (shares.get(model) or 0.0) + (cell.number("share_of_traffic") or 0.0)
    return shares


def _policy(name: str, fields: Fields, verdict: str) -> Policy:
    lift, estimates = fields.within("lift"), fields.within("estimates")
    status = RED if verdict == RED else status_of(fields, "status")
    refused = status == RED
    found = {estimator: estimates.interval(estimator) for estimator in estimates.of}
    return Policy(
        name=name,
        status=status,
        reasons=fields.texts("reasons"),
        estimator=fields.within("headline").text("estimator"),
        headline=None if refused else fields.interval("headline"),
        lift=None if refused else fields.interval("lift"),
        simultaneous=None if refused else _simultaneous(lift),
        estimates={estimator: interval for estimator, interval in found.items() if interval is not None},
        components=fields.mapping("components"),
        components_se=fields.mapping("components_se"),
        weights=_weights(fields.within("weights")),
        shares=fields.mapping("shares"),
        toml=fields.text("toml"),
    )


def _weights(fields: Fields) -> dict[str, float | None]:
    found = {name: fields.number(name) for name, value in fields.of.items() if not isinstance(value, list | tuple)}
    return {"max_share" if name == "largest_share" else name: value for name, value in found.items()}


def _simultaneous(lift: Fields) -> Interval | None:
    if "low_simultaneous" not in lift.of:
        return None
    return Interval(lift.number("value"), lift.number("low_simultaneous"), lift.number("high_simultaneous"))


def _point(fields: Fields, second_value_usd: float | None, rows: Mapping[str, float | None]) -> Point:
    asked = fields.number("answer_value_usd")
    return Point(
        fields.text("name") if asked is None else f"best per category, answer worth {usd(asked)}",
        fields.number("answer"),
        fields.number("answer_se"),
        fields.number("cost_usd"),
        fields.number("cost_usd_se"),
        fields.number("latency_s"),
        fixed(fields.text("toml")) if asked is None else valued(asked, second_value_usd),
        asked,
        _shares_of(chosen_models(fields.text("toml")), rows),
    )


def _shares_of(chosen: Mapping[str, str], rows: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each model's share of the requests, of the model that is chosen in each category; {} where unknown."""
    whole, shares = sum(count or 0.0 for count in rows.values()), dict[str, float | None]()
    for category, count in rows.items():
        model = chosen.get(category, chosen.get(DEFAULT, ""))
        if not (model and whole and count is not None):
            return {}
        shares[model] = (shares.get(model) or 0.0) + count / whole
    return shares


def cell_of(fields: Fields) -> Cell:
    """Read what is known of a model in a category."""
    numbers = ("rows", "answer", "answer_se", "cost_usd", "latency_s", "error", "p_best")
    return Cell(fields.text("category"), fields.text("model"), *(fields.number(name) for name in numbers))


def _timeline(fields: Fields, weights: Mapping[str, float | None]) -> Timeline | None:
    times, rows = fields.numbers("starts_us"), fields.numbers("first_rows")
    if not (times or rows):
        return None
    # Of the log there are sums of each slice, of the policies sums up to the end of each.
    ran = (_added_up(fields.numbers(part)) for part in ("logged_value", "logged_spend"))
    value, spend = ran
    courses = {LOGGED: Course(value, (), (), spend)}
    for name, policy in fields.within("policies").items():
        courses[name] = Course(*(policy.numbers(part) for part in Course._fields))
    shares = {
        category: {model: models.numbers(model) for model in models.of}
        for category, models in fields.within("shares").items()
    }
    every = {model: fields.within("shares_all").numbers(model) for model in fields.within("shares_all").of}
    everywhere = every or _everywhere(shares, weights)
    return Timeline(
        times or rows, bool(times), courses, {LOGGED: {EVERYWHERE: everywhere} | shares} if everywhere else {}
    )


def _everywhere(shares: Mapping[str, Mapping[str, Numbers]], weights: Mapping[str, float | None]) -> dict[str, Numbers]:
    """Return shares over all categories, each of the weight that it has in the whole log."""
    models = dict.fromkeys(model for by_model in shares.values() for model in by_model)
    columns = {
        model: [(weights.get(category) or 0.0, by_model.get(model, ())) for category, by_model in shares.items()]
        for model in models
    }
    length = max((len(numbers) for column in columns.values() for _, numbers in column), default=0)
    return {model: tuple(_mean_at(place, column) for place in range(length)) for model, column in columns.items()}


def _mean_at(place: int, column: Iterable[tuple[float, Numbers]]) -> float | None:
    known = [(weight, numbers[place]) for weight, numbers in column if place < len(numbers)]
    told = [(weight, number) for weight, number in known if number is not None and weight > 0]
    whole = sum(weight for weight, _ in told)
    return sum(weight * number for weight, number in told) / whole if whole else None


def _added_up(numbers: Numbers) -> Numbers:
    """Return sums up to each; from the first unknown one on, they are unknown."""
    total, sums = 0.0, list[float | None]()
    for number in numbers:
        total += math.nan if number is None else number
        sums.append(None if math.isnan(total) else total)
    return tuple(sums)


def _changes(fields: Fields) -> Iterator[Change]:
    """Yield what happened at moments of the timeline; without one there is nowhere to show it."""
    time = fields.within("time")
    if time.of:
        timed = bool(time.numbers("starts_us"))
        yield from (_change(change, timed=timed) for change in fields.each("change_points"))


def _change(fields: Fields, *, timed: bool) -> Change:
    at = fields.number("time_us" if timed else "first_row")
    if at is None:
        raise DocumentError(f"{fields.path} has no time; leave out a change point without one")
    return Change(at, fields.text("category"), fields.text("model"), fields.text("what"))


def latencies_of(fields: Fields) -> Latencies | None:
    """Read histograms; None without edges."""
    edges = fields.numbers("edges_s")
    if len(edges) < 2:
        return None
    models, policies = ({n: found.numbers(n) for n in found.of} for found in map(fields.within, ("models", "policies")))
    counted = max((len(counts) for counts in (*models.values(), *policies.values())), default=0)
    # A count before the first edge and one after the last: from no time at all, and to no end.
    open_ended = counted == len(edges) + 1
    return Latencies((0.0, *edges, None) if open_ended else edges, models, policies)


def _bin(fields: Fields) -> Bin:
    low, high, expected, chosen, n = (fields.number(name) for name in Bin._fields)
    if not n or expected is None or chosen is None:
        return Bin(low, high, None, None, n)
    return Bin(low, high, expected / n, chosen / n, n)
