"""Decisions that the client makes alone when the server cannot be reached."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from routeward.decisions import Constraints, Decision, DecisionKind

StaticFallback = str | Mapping[str, str | Sequence[str]]
"""The model to use without a server: one for all, or one or several (in order) for each category.

The category "default" stands for those that are not named.
"""


def degraded_decision(
    fallback: StaticFallback | None,
    category: str,
    *,
    model: str = "",
    constraints: Constraints | None = None,
) -> Decision | None:
    """Return a decision that needs no server, None where the fallback names no allowed model.

    A forced model is kept, and so are `constraints.models`; no other constraint can be checked without the
    server.
    """
    if fallback is None:
        return None
    candidates = [model] if model else _candidates(fallback, category)
    if constraints is not None and constraints.models:
        candidates = [candidate for candidate in candidates if candidate in constraints.models]
    chosen = [Decision(decision_id="", model=name, kind=DecisionKind.DEGRADED) for name in candidates]
    return replace(chosen[0], fallbacks=tuple(chosen[1:])) if chosen else None


def _candidates(fallback: StaticFallback, category: str) -> Sequence[str]:
    models = fallback if isinstance(fallback, str) else fallback.get(category, fallback.get("default", ()))
    return [models] if isinstance(models, str) else models
