"""`routeward route`."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.call_options import (
    AnswerValueUsd,
    CachedInputTokens,
    Capability,
    ForcedModel,
    InputTokens,
    LeastViolation,
    MaxCostUsd,
    MaxLatency,
    MaxOutputTokens,
    MinQuality,
    Only,
    Previous,
    Profile,
    Region,
    SecondValueUsd,
    constraints_of,
    require_cache,
)
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
from routeward.decisions import Decision, Objective

if TYPE_CHECKING:
    from rich.console import RenderableType

_asked = partial(typer.Option, rich_help_panel="Request")


def route(
    context: typer.Context,
    category: Annotated[
        str, typer.Argument(metavar="CATEGORY", help="Kind of task, for example summarization.", show_default=False)
    ],
    *,
    input_tokens: InputTokens = None,
    max_output_tokens: MaxOutputTokens = None,
    profile: Profile = "",
    answer_value_usd: AnswerValueUsd = None,
    second_value_usd: SecondValueUsd = None,
    model: ForcedModel = "",
    previous: Previous = "",
    cached_input_tokens: CachedInputTokens = None,
    session_id: Annotated[str, _asked(help="Session, for the log.")] = "",
    request_id: Annotated[str, _asked(help="Correlation id, for the log.")] = "",
    only: Only = None,
    capability: Capability = None,
    region: Region = "",
    max_cost_usd: MaxCostUsd = None,
    max_latency: MaxLatency = None,
    min_quality: MinQuality = None,
    least_violation: LeastViolation = False,
    target: Target = DEFAULT_TARGET,
    api_key: ApiKey = "",
    insecure: Insecure = False,
    root_certificates: RootCertificates = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Ask which model should serve a call."""
    require_cache(previous, cached_input_tokens)
    server = Server(target, api_key, insecure, root_certificates, timeout)
    constraints = constraints_of(
        only,
        capability,
        region,
        max_cost_usd=max_cost_usd,
        max_latency=max_latency,
        min_quality=min_quality,
        least_violation=least_violation,
    )
    with told_with_names(server), told_by_option(partial(typed_in, context)), server.client() as client:
        decision = client.route(
            category,
            input_tokens=input_tokens,
            max_output_tokens=max_output_tokens,
            profile=profile,
            objective=Objective(answer_value_usd=answer_value_usd, second_value_usd=second_value_usd),
            constraints=constraints,
            model=model,
            previous=previous,
            cached_input_tokens=cached_input_tokens,
            session_id=session_id,
            request_id=request_id,
        )
    show(document_of(decision), lambda: _human(decision), as_json=as_json)


def document_of(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON values."""
    return {
        "decision_id": decision.decision_id,
        "model": decision.model,
        "kind": decision.kind.name,
        "propensity": decision.propensity,
        "fallbacks": [{"model": one.model, "decision_id": one.decision_id} for one in decision.fallbacks],
        "forecast": asdict(decision.forecast) if decision.forecast else None,
        "revision": decision.revision,
        "reason": decision.reason.name if decision.reason else None,
    }


def _human(decision: Decision) -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    why = f", {decision.reason.name.lower().replace('_', ' ')}" if decision.reason else ""
    facts.add_row("chosen", f"{decision.kind.name.lower()} with probability {decision.propensity:.3g}{why}")
    if decision.forecast:
        forecast = decision.forecast
        facts.add_row("quality", percent(forecast.quality))
        facts.add_row("cost", usd(forecast.cost_usd))
        facts.add_row("latency", f"{seconds(forecast.latency_s)}, 95 % below {seconds(forecast.latency_p95_s)}")
        facts.add_row("errors", percent(forecast.error_rate))
    if decision.fallbacks:
        facts.add_row("fallbacks", ", ".join(one.model for one in decision.fallbacks))
    command = f"routeward feedback {decision.decision_id} --status ok --latency SECONDS"
    return Group(
        Text(decision.model, "bold"),
        Padding(facts, (0, 0, 1, 2), expand=False),
        Text("Tell how it went:", "dim"),
        # Whole, so that it can be copied.
        Text(command, no_wrap=True, overflow="ignore"),
    )
