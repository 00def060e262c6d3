"""A simulation as JSON values; unknown is null."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from simulations.events import Event
from simulations.outcomes import Outcomes
from simulations.results import PolicyResult, Score
from simulations.world import World

_KEYS: Final = {"start": "from", "end": "to"}


def policy_json(result: PolicyResult, budget_usd: float | None) -> dict[str, object]:
    """Return what a policy reached."""
    return {
        **_score_json(result.score),
        "regret": result.regret,
        "shares": dict(result.shares),
        "passes_best_fixed_at": result.passes_best_fixed_at,
        "phases": [
            {
                "name": phase.name,
                "from": phase.start,
                "to": phase.end,
                **_score_json(score),
                "quality": result.quality[phase].mean,
                **_spend_json(result.spend_usd[phase], budget_usd),
            }
            for phase, score in result.phases.items()
        ],
        "events": [
            {"event": event.kind, "model": event.model, "from": event.start, "to": event.end, **event.figures}
            for event in result.events
        ],
    }


def _score_json(score: Score) -> dict[str, float | None]:
    return {"score": score.mean, "score_se": score.standard_error}


def _spend_json(spend: Score, budget_usd: float | None) -> dict[str, float | None]:
    share = None if budget_usd is None or spend.mean is None else spend.mean / budget_usd
    return {"cost_usd": spend.mean, "cost_usd_se": spend.standard_error, "budget_share": share}


def world_json(world: World, outcomes: Outcomes) -> dict[str, object]:
    """Return what a world is made of, and what of its table is not in it."""
    return {
        "categories": list(world.categories),
        "models": {model.id: asdict(model.prices) for model in world.models},
        "prompts": len(world.prompts),
        "dropped_prompts": world.dropped_prompts,
        "rejected_rows": dict(outcomes.rejected),
    }


def finite(score: float) -> float | None:
    """Return a number, None for one that is not defined."""
    return score if math.isfinite(score) else None


def happenings(events: Iterable[Event]) -> list[dict[str, object]]:
    """Return events as JSON values, in the terms of a world file."""
    told = []
    for event in events:
        known = asdict(event)
        told.append({"event": event.kind, **{_KEYS.get(name, name): value for name, value in known.items()}})
    return told
