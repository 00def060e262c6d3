"""The pictures, each with one line that says what it shows, and a line instead where the numbers are not known."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from simulations.page.charts.courses import allocations, numbered
from simulations.page.charts.front import named, shown_points
from simulations.page.charts.latency import QUANTILES, distributions, latency_kinds, quantile, spans
from simulations.page.charts.spec import Spec
from simulations.page.html import Child, table, tag
from simulations.page.result import Point, Result
from simulations.page.units import UNKNOWN, count, day, percent, seconds, usd, usd_per_thousand


class Words(NamedTuple):
    """What is said of a picture: its title, what it shows ({interval} is filled in), what is missing without it."""

    title: str
    shows: str
    missing: str


WORDS: Final = {
    "value": Words(
        "Value over time",
        "What each policy adds up to beyond what ran; the band is its {interval}. Above zero is better.",
        "The log has no times.",
    ),
    "spend": Words(
        "Spend over time", "What each policy's calls cost in all; a band is a {interval}.", "No costs over time."
    ),
    "allocation": Words(
        "Who got the requests",
        "Share of each model over time, of the choices named below. At dotted lines something changed.",
        "The log has no times.",
    ),
    "front": Words(
        "Cost and quality",
        "Left is cheaper, up is better; bars are {interval}s.",
        "Quality or cost is unknown of every policy that stands.",
    ),
    "quality": Words(
        "Models by category",
        "How good the answers are, in n calls.",
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
        "Each says by another way what a policy is worth. Where they differ by more than their {interval}s, take care.",
        "There are no estimates of policies that stand.",
    ),
}


_OF_EVALUATIONS: Final = ("quality", "calibration", "overlap", "missingness", "agreement")


class Sheet(NamedTuple):
    """A result of the page: its number on it, its charts by name, and whether the page has its "What if?"."""

    result: Result
    number: int
    charts: Mapping[str, Spec]
    wishes: bool


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
    shows = _shown(sheet, name)
    chart = tag(
        "div", id=place, class_=f"chart {name}", data_chart=name, role="img", aria_label=f"{words.title}. {shows}"
    )
    figure = tag("figure", chart, tag("figcaption", shows), aria_labelledby=f"{place}-title")
    return tag("section", tag(level, words.title, id=f"{place}-title"), figure, *more, id=f"{place}-part")


def _shown(sheet: Sheet, name: str) -> str:
    """Return what a picture of this result shows."""
    result = sheet.result
    shows = WORDS[name].shows.format(interval=f"{percent(result.confidence)} interval")
    if name == "quality":
        grey = any(cell.answer_se is not None for cell in result.cells)
        star = any(cell.p_best is not None for cell in result.cells)
        said = ("The greyer a field, the less is known." if grey else "", "★ is probably worth most in its row.")
        return " ".join(filter(None, (shows, *(said if star else said[:1]))))
    if name == "latency" and not latency_kinds(result):
        return "From the time within which half of the answers are there (p50, the dot) to that of 19 in 20 (p95)."
    if name != "front" or not sheet.wishes:
        return shows
    known = ", of what could have been known" if any(p.hindsight for p in result.policies.values()) else ""
    return f"{shows} The large point is worth most at the values below{known}."


def allocation(sheet: Sheet) -> Element | None:
    """Return who got the requests: by whose choices, and category."""
    choices = allocations(sheet.result)
    categories = dict.fromkeys(category for shares in choices.values() for category in shares)
    chooser = tag(
        "p",
        *_choice(f"whose-{sheet.number}", "Choices of ", choices, "whose", {sheet.result.baseline: " (what ran)"}),
        " ",
        *_choice(f"category-{sheet.number}", "Category ", categories, "category"),
        class_="controls",
    )
    return picture(sheet, "allocation", chooser, _changes(sheet.result))


def _choice(
    name: str, text: str, options: Iterable[str], class_: str, more: Mapping[str, str] = {}
) -> tuple[Element, Element]:
    """Return a field to choose one of some names, with its label; `more` is said of names."""
    found = [tag("option", f"{each}{more.get(each, '')}", value=each) for each in options]
    return tag("label", text, for_=name), tag("select", *found, id=name, class_=class_)


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
    points = list(enumerate(shown_points(sheet.result)))
    policies = [_deploy(place, point, point.name) for place, point in points if point.answer_value_usd is None]
    swept = [
        _deploy(place, one, usd(one.answer_value_usd)) for place, one in points if one.answer_value_usd is not None
    ]
    panel = tag("div", tag("p", "Choose a point to see how to deploy it."), class_="panel", aria_live="polite")
    groups = [tag("div", *policies, class_="deployable", role="group", aria_label="Policies of the picture")]
    if swept:
        says = "Best per category (the open points, each judged by the other half of the calls), for an answer worth"
        groups.append(tag("p", says, class_="note"))
        groups.append(tag("div", *swept, class_="deployable", role="group", aria_label=says))
    numbers = _numbers(table(*_points([point for _, point in points], sheet.result)))
    return picture(sheet, "front", *groups, panel, numbers)


def _deploy(place: int, point: Point, text: str) -> Element:
    button = tag("button", text, type="button", class_="deploy", data_point=place, aria_pressed="false")
    button.set("aria-label", named(point))
    return button


def quality(sheet: Sheet) -> Element | None:
    """Return models by category, and the same as a table."""
    return picture(sheet, "quality", _numbers(table(*_cells(sheet.result))))


def latency(sheet: Sheet) -> Element | None:
    """Return how long answers take, quantiles, and a field for the limit."""
    name = f"slo-{sheet.number}"
    field = tag("input", type="number", min="0", step="any", id=name, class_="slo", placeholder="none")
    kinds = latency_kinds(sheet.result)
    chosen = _choice(f"kind-{sheet.number}", "Curves of ", kinds, "kind") if len(kinds) > 1 else ()
    limit = tag("p", *chosen, " ", tag("label", "Limit in seconds ", for_=name), field, class_="controls")
    return picture(sheet, "latency", limit, _quantiles(sheet.result))


def _quantiles(result: Result) -> Element:
    """Return quantiles, from histograms where there are any, and the shares within the limit that these tell."""
    histograms = distributions(result)
    edges = () if result.latencies is None else result.latencies.edges_s
    rows: list[list[Child]] = [
        [
            name,
            *(seconds(quantile(edges, counts, share)) for share in QUANTILES),
            tag("span", "–", class_="within", data_name=name),
        ]
        for name, counts in histograms.items()
    ]
    told = {name: ends for name, ends in spans(result).items() if name not in histograms}
    if not histograms:
        return table(("", "p50", "p95"), [[name, seconds(p50), seconds(p95)] for name, (p50, p95) in told.items()])
    rows += [[name, seconds(p50), seconds(p95), UNKNOWN, UNKNOWN] for name, (p50, p95) in told.items()]
    return table(("", *(f"p{share * 100:.0f}" for share in QUANTILES), "within the limit"), rows)


def _numbers(content: Element) -> Element:
    return tag("details", tag("summary", "The numbers"), content)


def _points(points: list[Point], result: Result) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            named(point),
            f"{percent(point.answer)}{_error(point.answer_se, percent, result)}",
            f"{usd_per_thousand(point.cost_usd)}{_error(point.cost_usd_se, usd_per_thousand, result)}",
            seconds(point.latency_s),
        ]
        for point in points
    ]
    level = f"± {percent(result.confidence)} interval"
    return ["policy", f"answer, {level}", f"cost per 1,000 requests, {level}", "waiting"], rows


def _error(standard_error: float | None, words: Callable[[float | None], str], result: Result) -> str:
    return "" if standard_error is None else f" ± {words(result.deviations * standard_error)}"


def _cells(result: Result) -> tuple[list[str], list[list[str]]]:
    level = f"answer, ± {percent(result.confidence)} interval"
    headings = ["category", "model", "calls", level, "P(worth most)", "cost per 1,000", "waiting", "errors"]
    return headings, [
        [
            cell.category,
            cell.model,
            count(cell.rows),
            f"{percent(cell.answer)}{_error(cell.answer_se, percent, result)}",
            percent(cell.p_best),
            usd_per_thousand(cell.cost_usd),
            seconds(cell.latency_s),
            percent(cell.error),
        ]
        for cell in result.cells
    ]
