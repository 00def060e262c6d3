"""`routeward status`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.belief_tables import LEAST_FIRST, faded, grid_of
from routeward.cli.budget_tables import budget_document, budget_table
from routeward.cli.connection import Server
from routeward.cli.fields import told_by_option, typed_in
from routeward.cli.grids import Fitting, seen
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
from routeward.cli.output import show
from routeward.cli.unknown import told_with_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from routeward.v1.admin_service_pb2 import BudgetStanding, GetPosteriorResponse, ModelPosterior


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
    """Show what was learned of every model in every category, its share, and where budgets stand."""
    from routeward.v1.admin_service_pb2 import GetPosteriorRequest

    server = Server(target, api_key, insecure, root_certificates, timeout)
    with told_with_names(server), told_by_option(partial(typed_in, context)):
        posterior, budgets = server.posterior(GetPosteriorRequest(category=category, profile=profile)), server.budgets()
    document = {**document_of(posterior), "budgets": [budget_document(one) for one in budgets]}
    show(document, lambda: _human(posterior, budgets), as_json=as_json)


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


def _human(posterior: "GetPosteriorResponse", budgets: "Sequence[BudgetStanding]" = ()) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    if not posterior.categories:
        return Text("Nothing was asked for yet; try  routeward route summarization")
    computed = posterior.computed_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")
    notes = [f"revision {posterior.revision}, {computed}"]
    models = [model for category in posterior.categories for model in category.models]
    if any(faded(count) for model in models for count in (model.outcome_count, model.quality_count)):
        notes.append("older calls and votes count less: the configuration has a half-life")
    if not all(seen(model.outcome_count) and seen(model.quality_count) for model in models):
        notes.append("in brackets: expected of a model that nothing was observed of in this category")
    paid = (budget_table(budgets), "") if budgets else ()
    grids = {one.category: grid_of(one.models) for one in posterior.categories}
    return Group(Fitting(grids, LEAST_FIRST), *paid, Text("\n".join(notes), "dim"))
