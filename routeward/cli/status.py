"""`routeward status`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.connection import Server
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

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from routeward.v1.admin_service_pb2 import CategoryPosterior, GetPosteriorResponse, ModelPosterior


def status(
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
    tables = [_table(category) for category in posterior.categories]
    note = f"revision {posterior.revision}, {computed}; calls and votes count less as they are forgotten"
    models = [model for category in posterior.categories for model in category.models]
    if not all(_seen(model.outcome_count) and _seen(model.quality_count) for model in models):
        note += "\nin brackets: expected of a model that nothing was observed of in this category"
    return Group(*tables, Text(note, "dim"))


def _table(category: "CategoryPosterior") -> "RenderableType":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(category.category, "bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", overflow="fold", min_width=16)
    for heading in ("share", "quality", "cost", "latency", "errors", "calls", "votes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in sorted(category.models, key=lambda one: (-one.probability, one.model)):
        table.add_row(
            f"{model.model} ({model.excluded})" if model.excluded else model.model,
            percent(model.probability),
            _believed(f"{model.quality:.3f} ± {model.quality_sd:.3f}", model.quality_count),
            _believed(usd(model.cost_usd), model.outcome_count),
            _believed(seconds(model.latency.ToTimedelta().total_seconds()), model.outcome_count),
            _believed(percent(model.error_rate), model.outcome_count),
            f"{model.outcome_count:,.0f}",
            f"{model.quality_count:,.0f}",
            style="dim" if model.excluded else None,
        )
    return table


def _believed(shown: str, count: float) -> "Text":
    """Set what rests on no observation apart from what does."""
    from rich.text import Text

    return Text(shown) if _seen(count) else Text(f"({shown})", "dim")


def _seen(count: float) -> bool:
    """Tell whether a count, after forgetting, is shown as more than 0."""
    return round(count) > 0
