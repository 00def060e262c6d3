"""`routeward status`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.connection import Server
from routeward.cli.fields import told_by_option, typed_in
from routeward.cli.options import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_S,
    ApiKey,
    Insecure,
    Json,
    RootCertificates,
    Target,
    Timeout,
)
from routeward.cli.output import percent, seconds, show, usd
from routeward.cli.unknown import told_with_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

    from routeward.v1.admin_service_pb2 import CategoryPosterior, GetPosteriorResponse, ModelPosterior

NAME_COLUMNS: Final = 16
"""How narrow names of models may be folded before a column is left out."""
GAP: Final = 2
FADED: Final = 0.01


def status(
    context: typer.Context,
    *,
    category: Annotated[str, typer.Option(help="The only category to show.", show_default="all")] = "",
    profile: Annotated[
        str, typer.Option(help="Objective from the configuration, for the shares.", show_default="balanced")
    ] = "",
    target: Target = DEFAULT_TARGET,
    api_key: ApiKey = "",
    insecure: Insecure = False,
    root_certificates: RootCertificates = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Show what was learned: quality, cost, latency, errors and share of every model in every category."""
    from routeward.v1.admin_service_pb2 import GetPosteriorRequest

    server = Server(target, api_key, insecure, root_certificates, timeout)
    with told_with_names(server), told_by_option(partial(typed_in, context)):
        posterior = server.posterior(GetPosteriorRequest(category=category, profile=profile))
    show(document_of(posterior), lambda: _human(posterior), as_json=as_json)


def document_of(posterior: "GetPosteriorResponse") -> dict[str, Any]:
    """Return what is believed as JSON values."""
    return {
        "revision": posterior.revision,
        "computed_time": posterior.computed_time.ToJsonString(),
        "categories": [
            {"category": one.category, "models": [_model_document(model) for model in one.models]}
            for one in posterior.categories
        ],
    }


def _model_document(model: "ModelPosterior") -> dict[str, Any]:
    return {
        "model": model.model,
        "share": model.probability,
        "quality": model.quality,
        "quality_sd": model.quality_sd,
        "cost_usd": model.cost_usd,
        "latency_s": model.latency.ToTimedelta().total_seconds(),
        "latency_p95_s": model.latency_p95.ToTimedelta().total_seconds(),
        "error_rate": model.error_rate,
        "outcome_count": model.outcome_count,
        "quality_count": model.quality_count,
        "excluded": model.excluded or None,
    }


def _human(posterior: "GetPosteriorResponse") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    if not posterior.categories:
        return Text("Nothing was asked for yet; try  routeward route summarization")
    computed = posterior.computed_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")
    notes = [f"revision {posterior.revision}, {computed}"]
    models = [model for category in posterior.categories for model in category.models]
    if any(_faded(count) for model in models for count in (model.outcome_count, model.quality_count)):
        notes.append("older calls and votes count less: the configuration has a half-life")
    if not all(_seen(model.outcome_count) and _seen(model.quality_count) for model in models):
        notes.append("in brackets: expected of a model that nothing was observed of in this category")
    return Group(*map(_Fitting, posterior.categories), Text("\n".join(notes), "dim"))


class _Fitting:
    """The table of a category; where it does not fit, without what matters least."""

    def __init__(self, category: "CategoryPosterior") -> None:
        self._category = category

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        models = sorted(self._category.models, key=lambda one: (-one.probability, one.model))
        names = [f"{one.model} ({one.excluded})" if one.excluded else one.model for one in models]
        columns = {heading: [cell(model) for model in models] for heading, cell in COLUMNS.items()}
        for heading in LEAST_FIRST:
            if _width(names, columns) > options.max_width:
                del columns[heading]
        dim = ["dim" if model.excluded else None for model in models]
        yield _table(self._category.category, names, columns, dim)


def _width(names: "Sequence[str]", columns: "Mapping[str, Sequence[Text]]") -> int:
    """Return how wide a table is whose names are folded as far as they may be."""
    widths = [max(len(heading), *map(len, cells), 0) for heading, cells in columns.items()]
    return min(NAME_COLUMNS, max(map(len, names), default=0)) + sum(GAP + width for width in widths)


def _table(
    title: str, names: "Sequence[str]", columns: "Mapping[str, Sequence[Text]]", styles: "Sequence[str | None]"
) -> "RenderableType":
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    table.add_column("model", overflow="fold", min_width=min(NAME_COLUMNS, max(map(len, names), default=0)))
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for row, (name, style) in enumerate(zip(names, styles, strict=True)):
        table.add_row(name, *(cells[row] for cells in columns.values()), style=style)
    return Group(Text(title, "bold"), table, "")


def _believed(shown: str, count: float) -> "Text":
    """Set what rests on no observation apart from what does."""
    from rich.text import Text

    return Text(shown) if _seen(count) else Text(f"({shown})", "dim")


def _seen(count: float) -> bool:
    """Tell whether a count, after forgetting, is shown as more than 0."""
    return round(count) > 0


def _faded(count: float) -> bool:
    """Tell whether a count can only stem from forgetting: what is not forgotten counts as a whole."""
    return abs(count - round(count)) > FADED


def _count(value: float) -> "Text":
    from rich.text import Text

    return Text(f"{value:,.0f}")


def _share(model: "ModelPosterior") -> "Text":
    from rich.text import Text

    return Text(percent(model.probability))


COLUMNS: "Final[Mapping[str, Callable[[ModelPosterior], Text]]]" = {
    "share": _share,
    "quality": lambda one: _believed(f"{one.quality:.3f} ± {one.quality_sd:.3f}", one.quality_count),
    "cost": lambda one: _believed(usd(one.cost_usd), one.outcome_count),
    "latency": lambda one: _believed(seconds(one.latency.ToTimedelta().total_seconds()), one.outcome_count),
    "errors": lambda one: _believed(percent(one.error_rate), one.outcome_count),
    "calls": lambda one: _count(one.outcome_count),
    "votes": lambda one: _count(one.quality_count),
}
LEAST_FIRST: Final = ("votes", "calls", "errors")
