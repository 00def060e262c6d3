"""Decisions without a server."""

import pytest

from routeward import Constraints, DecisionKind
from routeward.degraded import StaticFallback, degraded_decision

BY_CATEGORY = {"summarization": ["small", "large"], "code": "coder", "default": "any"}


def models(
    fallback: StaticFallback | None, category: str, *, model: str = "", constraints: Constraints | None = None
) -> list[str] | None:
    decision = degraded_decision(fallback, category, model=model, constraints=constraints)
    return None if decision is None else [decision.model, *(other.model for other in decision.fallbacks)]


@pytest.mark.parametrize(
    ("fallback", "category", "expected"),
    [
        ("small", "anything", ["small"]),
        (BY_CATEGORY, "summarization", ["small", "large"]),
        (BY_CATEGORY, "code", ["coder"]),
        (BY_CATEGORY, "poetry", ["any"]),
        ({"code": "coder"}, "poetry", None),
        ({"code": []}, "code", None),
        (None, "code", None),
    ],
)
def test_the_fallback_names_models_for_all_or_for_each_category(fallback, category, expected):
    assert models(fallback, category) == expected


def test_a_forced_model_is_kept():
    assert models(BY_CATEGORY, "code", model="mine") == ["mine"]


def test_the_list_of_allowed_models_is_kept():
    assert models(BY_CATEGORY, "summarization", constraints=Constraints(models=["large"])) == ["large"]
    assert models(BY_CATEGORY, "summarization", constraints=Constraints(models=["other"])) is None
    assert models(BY_CATEGORY, "summarization", constraints=Constraints(region="eu")) == ["small", "large"]


def test_it_is_marked_and_nothing_can_be_learned_from_it():
    decision = degraded_decision(BY_CATEGORY, "summarization")
    assert decision is not None
    assert [(each.kind, each.decision_id, each.propensity) for each in (decision, *decision.fallbacks)] == [
        (DecisionKind.DEGRADED, "", 1.0)
    ] * 2
