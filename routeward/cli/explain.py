"""`routeward explain`."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

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
from routeward.cli.explanation_tables import on_paper
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
from routeward.cli.output import show
from routeward.cli.unknown import told_with_names
from routeward.decisions import Constraints, Objective, RouteOptions
from routeward.explanations import Explanation


def explain(
    context: typer.Context,
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="What route printed.", show_default=False)
    ] = "",
    *,
    category: Annotated[str, typer.Option(help="Instead of a decision: kind of task of an imagined call.")] = "",
    input_tokens: InputTokens = None,
    max_output_tokens: MaxOutputTokens = None,
    profile: Profile = "",
    answer_value_usd: AnswerValueUsd = None,
    second_value_usd: SecondValueUsd = None,
    model: ForcedModel = "",
    previous: Previous = "",
    cached_input_tokens: CachedInputTokens = None,
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
    """Say why a decision came out as it did, or how a call would be decided now."""
    require_cache(previous, cached_input_tokens)
    constraints = constraints_of(
        only,
        capability,
        region,
        max_cost_usd=max_cost_usd,
        max_latency=max_latency,
        min_quality=min_quality,
        least_violation=least_violation,
    )
    options = RouteOptions(
        input_tokens=input_tokens,
        max_output_tokens=max_output_tokens,
        profile=profile,
        objective=Objective(answer_value_usd=answer_value_usd, second_value_usd=second_value_usd),
        constraints=constraints,
        model=model,
        previous=previous,
        cached_input_tokens=cached_input_tokens,
    )
    _require_one_subject(decision_id, category, options)
    server = Server(target, api_key, insecure, root_certificates, timeout)
    explanation = _ask(context, server, decision_id, category, options)
    show(document_of(explanation), lambda: on_paper(explanation), as_json=as_json)


def document_of(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON values."""
    made, limits = explanation.decision, explanation.limits
    return {
        "category": explanation.category,
        "kind": explanation.kind.name,
        "reason": explanation.reason.name if explanation.reason else None,
        "decision": made
        and {
            "model": made.model,
            "propensity": made.propensity,
            "decided_time": _time(made.decided_time),
            "fallback_model": made.fallback_model or None,
        },
        "objective": asdict(explanation.objective),
        "limits": {name: getattr(limits, name) for name in ("max_cost_usd", "max_latency_s", "min_quality")},
        "input_tokens": explanation.input_tokens,
        "revision": explanation.revision,
        "computed_time": _time(explanation.computed_time),
        "models": [{**asdict(one), "excluded": one.excluded or None} for one in explanation.models],
    }


def _require_one_subject(decision_id: str, category: str, options: RouteOptions) -> None:
    if decision_id and category:
        raise typer.BadParameter("give a DECISION_ID, or the --category of an imagined call, not both")
    if not decision_id and not category:
        raise typer.BadParameter("give a DECISION_ID, or the --category of an imagined call")
    nothing = {"objective": Objective(), "constraints": Constraints()}
    if decision_id and any(value != nothing.get(name) for name, value in options.items() if value not in (None, "")):
        raise typer.BadParameter("a decision is explained by the call it was made for: leave what the call needs out")


def _ask(context: typer.Context, server: Server, decision_id: str, category: str, options: RouteOptions) -> Explanation:
    def typed(field: str) -> Any:
        return typed_in(context, field.removeprefix("call."))

    with told_with_names(server), told_by_option(typed), server.client() as client:
        return client.explain(decision_id) if decision_id else client.explain_call(category, **options)


def _time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
