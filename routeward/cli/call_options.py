"""Options of commands that say what a call to an LLM needs."""

from functools import partial
from typing import Annotated

import typer

from routeward.decisions import Constraints, OnInfeasible

_asked = partial(typer.Option, rich_help_panel="Request")
_limit = partial(typer.Option, rich_help_panel="Constraints")

InputTokens = Annotated[int | None, _asked(help="Tokens of the prompt.")]
MaxOutputTokens = Annotated[int | None, _asked(help="Largest answer, in tokens.")]
Profile = Annotated[str, _asked(help="Objective from the configuration.", show_default="balanced")]
AnswerValueUsd = Annotated[float | None, _asked(help="Dollars that a fully good answer is worth.")]
SecondValueUsd = Annotated[float | None, _asked(help="Dollars that a second less of waiting is worth.")]
ForcedModel = Annotated[str, _asked(help="Force this model.")]
Previous = Annotated[str, _asked(metavar="DECISION_ID", help="Decision whose prompt cache is warm.")]
CachedInputTokens = Annotated[int | None, _asked(help="Prompt tokens that this cache holds.")]
Only = Annotated[list[str] | None, _limit(metavar="MODEL", help="Choose among these; repeatable.")]
Capability = Annotated[list[str] | None, _limit(metavar="NAME", help="What it must be able to; repeatable.")]
Region = Annotated[str, _limit(help="Where it must be served from.")]
MaxCostUsd = Annotated[float | None, _limit(help="Largest expected cost.")]
MaxLatency = Annotated[float | None, _limit(metavar="SECONDS", help="Largest latency.")]
MinQuality = Annotated[float | None, _limit(help="Smallest expected quality, 0 to 1.")]
LeastViolation = Annotated[bool, _limit("--least-violation", metavar="", help="Where none fits, take the nearest.")]


def require_cache(previous: str, cached_input_tokens: int | None) -> None:
    """Raise typer.BadParameter where a cache is given without the decision whose model holds it."""
    if cached_input_tokens is not None and not previous:
        raise typer.BadParameter("--cached-input-tokens needs --previous, whose model holds the cache")


def constraints_of(
    only: list[str] | None,
    capability: list[str] | None,
    region: str,
    *,
    max_cost_usd: float | None,
    max_latency: float | None,
    min_quality: float | None,
    least_violation: bool,
) -> Constraints:
    """Return the constraints that these options say."""
    return Constraints(
        models=only or (),
        capabilities=capability or (),
        region=region,
        max_cost_usd=max_cost_usd,
        max_latency_s=max_latency,
        min_quality=min_quality,
        on_infeasible=OnInfeasible.LEAST_VIOLATION if least_violation else OnInfeasible.REFUSE,
    )
