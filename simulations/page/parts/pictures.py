"""The pictures, each with one line that says what it shows, and a line instead where the numbers are not known."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from simulations.page.charts.courses import numbered
from simulations.page.charts.front import Z95, shown_points
from simulations.page.charts.latency import QUANTILES, distributions, quantile
from simulations.page.charts.spec import Spec
from simulations.page.html import Child, table, tag
from simulations.page.result import Cell, Point, Result
from simulations.page.units import UNKNOWN, count, day, percent, seconds, usd_per_thousand


class Words(NamedTuple):
    """What is said of a picture: its title, what it shows, and what is missing where it cannot be drawn."""

    title: str
    shows: str
    missing: str


WORDS: Final = {
    "value": Words(
        "Value over time",
        "What each policy adds up to beyond what ran; the band is its interval. Above zero is better.",
        "The log has no times.",
    ),
    "spend": Words(
        "Spend over time", "What each policy's calls cost in all. Flatter is cheaper.", "No costs over time."
    ),
    "allocation": Words(
        "Who got the requests",
        "Share of each model over time. At dotted lines something changed.",
        "The log has no times.",
    ),
    "front": Words(
        "Cost and quality",
        "Left is cheaper, up is better; bars are intervals of 95 %. The large point is worth most at the values below.",
        "Quality or cost is unknown of every policy that stands.",
    ),
    "quality": Words(
        "Models by category",
        "How good the answers are. The greyer a field, the less is known; ★ is probably the best of its row.",
        "No quality by model and category.",
    ),
    "latency": Words(
        "How long answers take",
        "Share of answers that are there after a time. Left is faster; the line is the limit you set.",
        "No latency is known.",
    ),
    "calibration": Words(
        "Were models drawn as logged?",
        "Points on the line: the logged propensities are true. Off the line, no estimate can be trusted.",
        "The log has no probabilities of models that were not drawn.",
    ),
    "overlap": Words(
        "Which models were tried where",
        "Share of a category's requests by model. Of what was never tried, nothing can be said.",
        "No rows by category and model.",
    ),
    "missingness": Words(
        "What is known of each model's calls",
        "Bars of one colour should be alike: where one model is judged more often, means can mislead.",
        "Not counted.",
    ),
    "agreement": Words(
        "Do the estimators agree?",
        "Each says by another way what a policy is worth. Where they differ by more than their bars, be careful.",
        "There are no estimates of policies that stand.",
    ),
}


_OF_EVALUATIONS: Final = ("quality", "calibration", "overlap", "missingness", "agreement")


class Sheet(NamedTuple):
    """A result of the page: its number on it, and its charts by name."""

    result: Result
    number: int
    charts: Mapping[str, Spec]


def picture(sheet: Sheet, name: str, *more: Element | None, level: str = "h3") -> Element | None:
    """Return a picture with its words, or why it is not there; `more` stands below it. None for what replays lack."""
    words, place = WORDS[name], f"{name}-{sheet.number}"
    if name not in sheet.charts:
        if sheet.result.kind == "replay" and name in _OF_EVALUATIONS:
            return None
        refused = any(policy.refused for policy in sheet.result.policies.values())
        why = "Not shown: the gate refused it." if refused else f"Not known. {words.missing}"
        absent = tag("p", why, class_="absent")
        return tag("section", tag(level, words.title, id=f"{place}-title"), absent, id=f"{place}-part")
    chart = tag(
        "div", id=place, class_=f"chart {name}", data_chart=name, role="img", aria_label=f"{words.title}. {words.shows}"
    )
    figure = tag("figure", chart, tag("figcaption", words.shows), aria_labelledby=f"{place}-title")
    return tag("section", tag(level, words.title, id=f"{place}-title"), figure, *more, id=f"{place}-part")


def allocation(sheet: Sheet) -> Element | None:
    """Return who got the requests, by category."""
    timeline = sheet.result.timeline
    categories = timeline.shares if timeline is not None else {}
    name = f"category-{sheet.number}"
    choice = tag("select", *(tag("option", each, value=each) for each in categories), id=name, class_="category")
    chooser = (
        tag("p", tag("label", "Category ", for_=name), choice, class_="controls")
        if "allocation" in sheet.charts
        else None
    )
    return picture(sheet, "allocation", chooser, _changes(sheet.result))


def _changes(result: Result) -> Element | None:
    """Return what the numbers in the pictures stand for."""
    if not result.changes or result.timeline is None:
        return None
    said: dict[float, list[str]] = {at: [] for at in numbered(result.changes)}
    for change in result.changes:
        where = f" ({change.category})" if change.category else ""
        said[change.at].append(f"{change.model or 'all models'}{where}: {change.what}")
    timed = result.timeline.timed
    items = [tag("li", f"{day(at) if timed else f'row {at:,.0f}'}: {'; '.join(each)}") for at, each in said.items()]
    return tag("details", tag("summary", f"What happened ({len(items)})"), tag("ol", *items))


def front(sheet: Sheet) -> Element | None:
    """Return the front, its points as buttons for the keyboard, and the panel of the one that is chosen."""
    points = shown_points(sheet.result)
    buttons = [
        tag("button", point.name, type="button", class_="deploy", data_point=place, aria_pressed="false")
        for place, point in enumerate(points)
    ]
    panel = tag("div", tag("p", "Choose a point to see how to deploy it."), class_="panel", aria_live="polite")
    choice = tag("div", *buttons, class_="deployable", role="group", aria_label="Points of the picture")
    return picture(sheet, "front", choice, panel, _numbers(table(*_points(points))))


def quality(sheet: Sheet) -> Element | None:
    """Return models by category, and the same as a table."""
    return picture(sheet, "quality", _numbers(table(*_cells(sheet.result.cells))))


def latency(sheet: Sheet) -> Element | None:
    """Return how long answers take, quantiles, and a field for the limit."""
    name = f"slo-{sheet.number}"
    field = tag("input", type="number", min="0", step="any", id=name, class_="slo", placeholder="none")
    limit = tag("p", tag("label", "Limit in seconds ", for_=name), field, class_="controls")
    headings = ("", *(f"p{share * 100:.0f}" for share in QUANTILES), "within the limit")
    return picture(sheet, "latency", limit, table(headings, _quantiles(sheet.result)))


def _quantiles(result: Result) -> Iterator[list[Child]]:
    histograms = distributions(result)
    edges = () if result.latencies is None else result.latencies.edges_s
    for name, counts in histograms.items():
        found = (seconds(quantile(edges, counts, share)) for share in QUANTILES)
        yield [name, *found, tag("span", "–", class_="within", data_name=name)]
    for name, policy in result.policies.items():
        told = [policy.components.get(f"latency_p{share * 100:.0f}_s") for share in QUANTILES]
        if name not in histograms and not policy.refused and any(each is not None for each in told):
            yield [name, *map(seconds, told), UNKNOWN]


def _numbers(content: Element) -> Element:
    return tag("details", tag("summary", "The numbers"), content)


def _points(points: list[Point]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            point.name,
            f"{percent(point.answer)}{_error(point.answer_se, percent)}",
            f"{usd_per_thousand(point.cost_usd)}{_error(point.cost_usd_se, usd_per_thousand)}",
            seconds(point.latency_s),
        ]
        for point in points
    ]
    return ["policy", "answer", "cost per 1,000 requests", "waiting"], rows


def _error(standard_error: float | None, words: Callable[[float | None], str]) -> str:
    return "" if standard_error is None else f" ± {words(Z95 * standard_error)}"


def _cells(cells: tuple[Cell, ...]) -> tuple[list[str], list[list[str]]]:
    headings = ["category", "model", "calls", "answer", "P(best)", "cost per 1,000", "waiting", "errors"]
    return headings, [
        [
            cell.category,
            cell.model,
            count(cell.rows),
            f"{percent(cell.answer)}{_error(cell.answer_se, percent)}",
            percent(cell.p_best),
            usd_per_thousand(cell.cost_usd),
            seconds(cell.latency_s),
            percent(cell.error),
        ]
        for cell in cells
    ]
