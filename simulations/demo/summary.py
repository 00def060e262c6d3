"""What the demo ends with, for people."""

from collections.abc import Iterator
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulations.demo.accounts import Account
from simulations.demo.command import CONFIG, Demo
from simulations.demo.curve import RECENT
from simulations.demo.figures import UNKNOWN, per_thousand, percent, seconds, whole
from simulations.demo.lessons import Lesson
from simulations.demo.screen import LABEL

_NAMES: Final = {
    "oracle": "best model of each category",
    "best-fixed": "best single model",
    "dearest": "the dearest",
    "cheapest": "the cheapest",
    "random": "a random model",
}


def summary(demo: Demo) -> RenderableType:
    """Return what was learned, what it is worth, and what was remembered."""
    return Group(*_learned(demo), *_worth(demo), *_curve(demo), *_remembered(demo), *_further(demo))


def _learned(demo: Demo) -> list[RenderableType]:
    table = _table("preferred model", "chosen", "calls", "quality", "latency", "cost", "in truth")
    for lesson in demo.lessons:
        table.add_row(Text(lesson.category, "bold"))
        table.add_row(
            f"  {lesson.model}",
            percent(lesson.probability),
            f"{lesson.outcomes:,.0f}",
            f"{lesson.quality:.2f} ± {lesson.quality_sd:.2f}",
            seconds(lesson.latency_s),
            per_thousand(lesson.cost_usd),
            _verdict(lesson),
        )
    note = "chosen: from now on; cost, and what is lost in truth against the best model,\nper 1,000 requests"
    return [_heading("What it learned"), table, _note(note)]


def _verdict(lesson: Lesson) -> Text:
    if lesson.is_best:
        return Text("best", "green")
    return Text(per_thousand(-lesson.behind_usd), "yellow")


def _worth(demo: Demo) -> list[RenderableType]:
    table = _table("policy", "score", "value", "cost", "quality", "latency")
    rows = [("routeward", demo.routeward, "bold green"), ("routeward, last quarter", demo.late, "green")]
    rows += [(label, one, "") for label, one in _named_rivals(demo)]
    for label, one, style in sorted(rows, key=_rank):
        table.add_row(label, *_figures(one), style=style)
    answer, second = demo.options.answer_value_usd, demo.options.second_value_usd
    note = (
        f"value = ${answer:g} x quality - cost - ${second:g} x seconds of latency;\nvalue and cost per 1,000 requests"
    )
    return [_heading("What that is worth"), table, _note(note)]


def _named_rivals(demo: Demo) -> Iterator[tuple[str, Account]]:
    """Give each rival once, with every name that it goes by: the best single model may be the cheapest too."""
    names: dict[Account, list[str]] = {}
    for name, one in demo.rivals.items():
        names.setdefault(one, []).append(_NAMES[name])
    for one, known_as in names.items():
        label = ", and ".join(known_as)
        yield f"{label}: {one.model}" if one.model else label, one


def _rank(row: tuple[str, Account, str]) -> tuple[float, float]:
    """Sort by score: another quarter of the requests may be worth more or less to everybody."""
    one = row[1]
    return (0.0 if one.score is None else -one.score), -one.value_usd


def _curve(demo: Demo) -> list[RenderableType]:
    table = _table("requests", f"score of the last {RECENT}")
    for point in demo.curve:
        table.add_row(f"{point.requests:,}".rjust(len("requests")), whole(point.score))
    return [_heading("How fast it learned"), table]


def _figures(one: Account) -> tuple[str, ...]:
    quality = UNKNOWN if one.quality is None else f"{one.quality:.3f}"
    return whole(one.score), per_thousand(one.value_usd), per_thousand(one.cost_usd), quality, seconds(one.latency_s)


def _remembered(demo: Demo) -> list[RenderableType]:
    memory, saved = demo.memory, demo.memory.saved
    return [
        _heading("What it remembers"),
        _line(
            "Saved",
            f"{saved.outcomes + saved.thumbs:,} signals ({saved.outcomes:,} outcomes, {saved.thumbs:,} thumbs)",
        ),
        _line("", f"and {saved.decisions:,} decisions in {saved.file}, {saved.size_bytes / 1e6:.1f} MB"),
        _line(
            "Restarted",
            f"ready after {memory.restarted_in_s:.1f} s at revision {memory.revision_after:,} again,",
        ),
        _line(
            "",
            "with the same posteriors to the last bit" if memory.remembered else "but NOT with the same posteriors",
            fine=memory.remembered,
        ),
        _line(
            "Verified",
            f"{saved.discrepancies:,} sums DIFFER from the log of the signals"
            if saved.discrepancies
            else "the sums equal those of the log of all signals, exactly",
            fine=not saved.discrepancies,
        ),
    ]


def _further(demo: Demo) -> list[RenderableType]:
    keep = demo.options.keep
    if keep is None:
        return [
            _note("\nOn your own table: --outcomes FILE\nTo keep the configuration and the database: --keep FOLDER")
        ]
    return [
        _heading("Look at it"),
        Text(f"routeward serve --config {keep / CONFIG} --listen 127.0.0.1:7443"),
        Text("routeward status"),
    ]


def _heading(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _note(text: str) -> Text:
    return Text(text, "dim")


def _line(label: str, text: str, *, fine: bool = True) -> Text:
    return Text.assemble((label.ljust(LABEL), "" if fine else "bold red"), (text, "" if fine else "bold red"))


def _table(first: str, *headings: str) -> Table:
    """Return a table whose first column takes what room the numbers leave."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
