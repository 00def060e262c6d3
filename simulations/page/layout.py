"""Puts the page together: one HTML file that needs nothing else and talks to nobody."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any, Final
from xml.etree.ElementTree import Element

from simulations.page.charts.front import named, shown_points
from simulations.page.charts.latency import distributions
from simulations.page.compact import pooled, rounded
from simulations.page.figures import specs
from simulations.page.html import as_html, tag
from simulations.page.parts.diagnostics import diagnostics
from simulations.page.parts.pictures import Sheet, allocation, front, latency, picture, quality
from simulations.page.parts.verdict import Volume, verdict
from simulations.page.parts.whatif import whatif
from simulations.page.result import Result
from simulations.page.units import count, day
from simulations.page.whatif import point_means, statistics

_SCRIPTS: Final = ("units.js", "whatif.js", "charts.js", "front.js", "fields.js", "downloads.js", "main.js")
_KINDS: Final = {"evaluate": "Evaluation of", "replay": "Replay of"}


def page(results: Sequence[Result], plotly: str, requests_per_month: float | None = None) -> str:
    """Return the page of one or more results, with the script of plotly inside.

    `requests_per_month` is the volume that dollars a month are told for; None takes the pace of each log.
    """
    scripts = plotly, "".join(_asset(name) for name in _SCRIPTS)
    main = tag("main", *(_article(result, n, requests_per_month) for n, result in enumerate(results)))
    return Template(_asset("page.html")).substitute(
        policy=_content_policy(scripts),
        title=" and ".join(_title(result) for result in results).translate(_ENTITIES),
        style=_asset("page.css"),
        header=as_html(_header(results)),
        main=as_html(main),
        plotly=scripts[0],
        script=scripts[1],
    )


_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JSON_ESCAPES: Final = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


def _asset(name: str) -> str:
    return files("simulations.page").joinpath("assets", name).read_text(encoding="utf-8")


def _title(result: Result) -> str:
    return f"{_KINDS[result.kind]} {result.name}"


def _content_policy(scripts: Sequence[str]) -> str:
    """Return what the page may do: run these scripts, style itself, show its own pictures, and nothing else."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts)
    rules = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    return f"{rules}; base-uri 'none'; form-action 'none'"


def _header(results: Sequence[Result]) -> Element:
    return tag(
        "header",
        tag("h1", "routeward report"),
        tag(
            "nav",
            *(tag("a", _title(r), href=f"#result-{n}") for n, r in enumerate(results) if len(results) > 1),
            *(
                tag("button", kind.upper(), type="button", class_="download", data_kind=kind)
                for kind in ("json", "csv")
            ),
            tag("button", "Light or dark", type="button", class_="theme"),
            aria_label="Report",
        ),
        _json("documents", rounded(documents_by_name(results))),
    )


def documents_by_name(results: Sequence[Result]) -> dict[str, Mapping[str, Any]]:
    """Return documents by names that differ."""
    if len(results) == 1:
        return {_title(results[0]): results[0].document}
    return {f"{number} {_title(result)}": result.document for number, result in enumerate(results, 1)}


def _article(result: Result, number: int, requests_per_month: float | None) -> Element:
    charts, known = specs(result), statistics(result)
    what_if = whatif(result, known, number)
    sheet = Sheet(result, number, charts, what_if.find(".//form") is not None)
    drawn, series = pooled(rounded(charts))
    asked = requests_per_month is not None
    volume = Volume(requests_per_month if asked else result.requests_per_month, asked)
    return tag(
        "article",
        tag("h2", _title(result)),
        tag("p", _about(result), class_="note"),
        verdict(result, number, volume),
        tag("div", picture(sheet, "value"), picture(sheet, "spend"), class_="pictures"),
        allocation(sheet),
        front(sheet),
        quality(sheet),
        latency(sheet),
        what_if,
        diagnostics(sheet),
        _json(
            "data",
            {
                "charts": drawn,
                "series": series,
                "statistics": known.as_json(),
                "prices": result.prices,
                "points": _points(result),
                "latency": rounded(_latency(result)),
            },
        ),
        id=f"result-{number}",
        class_="result",
    )


def _about(result: Result) -> str:
    told = [f"{count(result.rows)} calls", f"{day(result.first_us)} to {day(result.last_us)}"]
    return ", ".join([*told, f"format {result.format}"] if result.format else told)


def _points(result: Result) -> list[dict[str, object]]:
    return [
        {
            "name": named(point),
            "answer": point.answer,
            "cost_usd": point.cost_usd,
            "toml": point.toml,
            "comparable": point.name not in result.policies or not result.policies[point.name].hindsight,
            "means": asdict(point_means(point, result)),
        }
        for point in shown_points(result)
    ]


def _latency(result: Result) -> dict[str, object] | None:
    return None if result.latencies is None else {"edges_s": result.latencies.edges_s, "counts": distributions(result)}


def _json(name: str, content: Mapping[str, Any]) -> Element:
    """Return data for the scripts; nothing in it can end its element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":")).translate(_JSON_ESCAPES)
    return tag("script", text, type="application/json", class_=name)
