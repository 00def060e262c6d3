"""What Route decides, and what it refuses."""

import pytest

from bandit.catalogue import Model, Prices
from bandit.modes import Mode
from bandit.signals import Kind
from bandit.snapshot import PolicySettings
from server.credentials import Principal
from server.errors import (
    CategoryUnknownError,
    InvalidFieldError,
    ModelUnknownError,
    NoEligibleModelError,
    ProfileUnknownError,
)
from server.requests import Call, Constraints
from server.tokens import DecisionToken

DAY_S = 86_400


def limited(**constraints):
    return Call("chat", input_tokens=500, constraints=Constraints(**constraints))


def expected_cost(decision):
    return decision.distribution.forecasts.cost_usd[decision.option.position]


async def test_the_propensity_is_the_probability_in_the_distribution_it_was_drawn_from(parts):
    for _ in range(50):
        decision = parts.route(Call("chat"))
        assert decision.kind is Kind.SAMPLED
        assert decision.propensity == decision.distribution.probabilities[decision.option.position]
        assert 0.0 <= decision.uniform < 1.0


async def test_the_same_state_and_randomness_decide_the_same(parts_of):
    first, second = await parts_of(), await parts_of()
    calls = [Call("chat", input_tokens=tokens) for tokens in range(1, 200, 7)]
    assert [first.route(call).id for call in calls] == [second.route(call).id for call in calls]


async def test_the_decision_id_says_what_was_decided(parts):
    decision = parts.route(Call("chat", input_tokens=321))
    assert parts.keys.verify(decision.id, parts.clock(), DAY_S) == DecisionToken(
        namespace="acme",
        category="chat",
        model=decision.model,
        kind=Kind.SAMPLED,
        propensity=decision.propensity,
        decided_us=parts.clock(),
        nonce=decision.nonce,
        input_tokens=321,
    )


async def test_a_token_count_that_was_not_sent_stays_unknown_in_the_decision_id(parts):
    decision = parts.route(Call("chat"))
    assert parts.keys.verify(decision.id, parts.clock(), DAY_S).input_tokens is None


async def test_a_call_without_a_token_count_is_priced_at_the_typical_size_of_its_category(parts):
    assert parts.route(Call("chat")).question.request == parts.route(Call("chat", input_tokens=500)).question.request


async def test_near_token_counts_share_a_distribution(parts):
    first, second = parts.route(Call("chat", input_tokens=1000)), parts.route(Call("chat", input_tokens=1003))
    assert first.distribution is second.distribution


async def test_a_cost_limit_is_judged_by_the_exact_token_count(parts):
    decision = parts.route(limited(max_cost_usd=1.0))
    assert decision.question.request.input_tokens == 500


async def test_a_new_snapshot_forgets_the_distributions_of_the_last(parts):
    before = parts.route(Call("chat")).distribution
    await parts.publisher.refresh(parts.namespace)
    assert parts.route(Call("chat")).distribution is not before


async def test_fallbacks_have_decision_ids_of_their_own_that_name_their_parent(parts):
    decision = parts.route(Call("chat"))
    attempts = [parts.keys.verify(one, parts.clock(), DAY_S) for one in decision.fallback_ids]
    assert [one.model for one in attempts] == [*decision.option.fallbacks]
    assert {one.parent for one in attempts} == {decision.nonce}
    assert {one.kind for one in attempts} == {Kind.FALLBACK}
    assert len({decision.nonce, *(one.nonce for one in attempts)}) == 1 + len(attempts)


async def test_the_first_fallback_sits_at_another_provider(parts):
    providers = {model.id: model.provider for model in parts.settings.catalogue.models}
    for _ in range(20):
        decision = parts.route(Call("chat"))
        assert providers[decision.option.fallbacks[0]] != providers[decision.model]


async def test_no_more_fallbacks_than_configured_are_named(parts_of):
    parts = await parts_of(max_fallbacks=1)
    assert len(parts.route(Call("chat")).fallback_ids) == 1


async def test_a_disabled_model_is_never_chosen_and_the_reason_is_kept(parts):
    decision = parts.route(Call("chat"))
    assert decision.question.exclusions == {"retired": "disabled"}
    assert decision.distribution.probabilities[3] == 0.0


async def test_a_forced_model_is_certain_and_has_no_fallbacks(parts):
    decision = parts.route(Call("chat", model="other"))
    assert (decision.model, decision.kind, decision.propensity) == ("other", Kind.FORCED, 1.0)
    assert decision.uniform is None
    assert (decision.option.fallbacks, decision.fallback_ids) == ((), [])


async def test_a_forced_model_wins_over_constraints(parts):
    constraints = Constraints(models=frozenset({"small"}), region="us", max_cost_usd=0.0)
    assert parts.route(Call("chat", model="other", constraints=constraints)).model == "other"


async def test_a_forced_model_that_is_disabled_is_refused(parts):
    with pytest.raises(NoEligibleModelError) as refused:
        parts.route(Call("chat", model="retired"))
    assert refused.value.metadata == {"retired": "disabled"}


@pytest.mark.parametrize(
    "call", [Call("chat", model="gpt-9"), Call("chat", constraints=Constraints(models=frozenset({"small", "gpt-9"})))]
)
async def test_a_model_that_is_not_configured_is_named_in_the_error(parts, call):
    with pytest.raises(ModelUnknownError) as refused:
        parts.route(call)
    assert refused.value.metadata == {"model": "gpt-9"}


async def test_an_unknown_profile_is_refused(parts):
    with pytest.raises(ProfileUnknownError):
        parts.route(Call("chat", profile="cheap"))


async def test_fields_of_the_objective_override_the_profile_one_by_one(parts):
    objective = parts.route(Call("chat", profile="frugal", second_value_usd=0.5)).question.request.objective
    assert (objective.answer_value_usd, objective.second_value_usd) == (0.001, 0.5)


async def test_zero_in_the_objective_is_a_value_and_not_absence(parts):
    objective = parts.route(Call("chat", answer_value_usd=0.0)).question.request.objective
    assert objective.answer_value_usd == 0.0


async def test_an_unknown_category_is_created_and_waits_to_be_stored(parts):
    decision = parts.route(Call("poetry"))
    assert decision.question.request.category == "poetry"
    assert decision.reason == ""
    assert parts.namespace.unsaved_categories == {"poetry"}


async def test_beyond_the_limit_unknown_categories_are_routed_as_default(parts_of):
    parts = await parts_of(max_categories=3)
    parts.route(Call("poetry"))
    decision = parts.route(Call("prose"))
    assert (decision.question.request.category, decision.reason) == ("default", "CATEGORY_LIMIT")
    assert parts.keys.verify(decision.id, parts.clock(), DAY_S).category == "default"
    assert parts.route(Call("poetry")).reason == ""


async def test_strict_categories_refuse_unknown_ones_and_create_nothing(parts_of):
    parts = await parts_of(strict_categories=True)
    with pytest.raises(CategoryUnknownError) as refused:
        parts.route(Call("poetry"))
    assert refused.value.metadata == {"category": "poetry"}
    assert "poetry" not in parts.namespace.categories


async def test_when_no_model_is_left_the_error_names_what_excluded_each(parts):
    call = Call(
        "chat",
        input_tokens=9_000,
        constraints=Constraints(capabilities=frozenset({"tools"}), max_cost_usd=1e-6),
    )
    with pytest.raises(NoEligibleModelError) as refused:
        parts.route(call)
    assert refused.value.metadata == {
        "small": "capabilities",
        "large": "max_cost_usd",
        "other": "max_cost_usd",
        "retired": "disabled",
    }


async def test_hard_exclusions_alone_are_named_as_well(parts):
    with pytest.raises(NoEligibleModelError) as refused:
        parts.route(limited(models=frozenset({"small"}), region="eu"))
    assert refused.value.metadata == {
        "small": "region",
        "large": "models",
        "other": "models",
        "retired": "disabled",
    }


async def test_a_prompt_that_is_too_long_for_a_model_excludes_it(parts):
    assert parts.route(Call("chat", input_tokens=7_999)).question.exclusions == {"retired": "disabled"}
    longer = parts.route(Call("chat", input_tokens=7_999, max_output_tokens=2))
    assert longer.question.exclusions == {"retired": "disabled", "small": "context_length"}


async def test_the_least_violation_is_chosen_where_the_call_asks_for_it(parts):
    decision = parts.route(limited(max_cost_usd=1e-9, least_violation=True))
    assert (decision.model, decision.reason, decision.propensity) == ("small", "LEAST_VIOLATION", 1.0)


async def test_staying_on_the_model_that_holds_the_cache_is_priced_so(parts):
    previous = parts.route(Call("chat", model="large"))
    call = Call("chat", input_tokens=4_000, model="large", previous_decision_id=previous.id)
    cold = parts.route(call._replace(previous_decision_id=""))
    warm = parts.route(call._replace(cached_input_tokens=4_000))
    assert parts.route(call).question.request == cold.question.request
    assert expected_cost(warm) < 0.7 * expected_cost(cold)


async def test_a_previous_decision_that_is_none_of_the_caller_is_an_invalid_field(parts_of):
    parts = await parts_of("acme", "globex")
    own = parts.route(Call("chat")).id
    foreign = parts.router.route(Call("chat"), Principal("globex")).id
    for previous in (foreign, own[:-1] + "A", "garbled"):
        with pytest.raises(InvalidFieldError) as refused:
            parts.route(Call("chat", previous_decision_id=previous))
        assert refused.value.violations[0].field == "previous_decision_id"


@pytest.mark.parametrize("later_s", [8 * DAY_S, -95])
async def test_a_previous_decision_that_has_expired_or_lies_ahead_holds_no_cache(parts, later_s):
    previous = parts.route(Call("chat")).id
    parts.clock.pass_s(later_s)
    call = Call("chat", input_tokens=5_000)
    late = parts.route(call._replace(previous_decision_id=previous, cached_input_tokens=4_000))
    assert late.question.request == parts.route(call).question.request


async def test_a_call_that_is_refused_makes_no_category(parts):
    with pytest.raises(ProfileUnknownError):
        parts.route(Call("poetry", profile="nobody"))
    with pytest.raises(ModelUnknownError):
        parts.route(Call("poetry", model="nobody"))
    assert "poetry" not in parts.publisher.namespaces["acme"].categories


async def test_namespaces_have_categories_of_their_own(parts_of):
    parts = await parts_of("acme", "globex")
    parts.route(Call("poetry"))
    assert "poetry" not in parts.publisher.namespaces["globex"].categories


async def test_the_cache_of_distributions_is_bounded(parts, monkeypatch):
    monkeypatch.setattr("server.namespace.MAX_CHOICES", 5)
    monkeypatch.setattr("server.editions.MAX_CACHED_ELIGIBILITIES", 5)
    for number in range(40):
        parts.route(Call("chat", answer_value_usd=1.0 + number, constraints=Constraints(region="eu" * (number % 2))))
        parts.route(
            Call("chat", constraints=Constraints(models=frozenset({"small", f"{'large' * (number % 2)}"} - {""})))
        )
    assert len(parts.namespace.published.choices) <= 5


async def test_a_price_change_moves_the_next_decision(parts_of):
    usual = await parts_of()
    cheap = Model("large", Prices(0.0, 0.0), provider="acme", context_tokens=128_000)
    models = tuple(cheap if model.id == "large" else model for model in usual.settings.catalogue.models)
    repriced = await parts_of(models=models)
    before, after = (parts.route(Call("chat", input_tokens=5_000)).distribution for parts in (usual, repriced))
    assert after.probabilities[1] > 1.1 * before.probabilities[1]


async def test_what_a_decision_was_made_from_is_the_published_snapshot(parts):
    before = parts.namespace.published
    decision = parts.route(Call("chat"))
    await parts.publisher.refresh(parts.namespace)
    assert decision.question.published is before
    assert parts.namespace.published is not before


def beside(baseline: str, *, observe_share: float = 1.0, guard: float = 0.0) -> PolicySettings:
    return PolicySettings(modes={"chat": Mode(baseline=baseline, observe_share=observe_share, guard=guard)})


async def test_a_share_of_0_plays_the_baseline_and_the_id_says_so(parts_of):
    parts = await parts_of(policy=beside("large", observe_share=0.0))
    for _ in range(20):
        decision = parts.route(Call("chat"))
        assert (decision.model, decision.kind, decision.propensity) == ("large", Kind.BASELINE, 1.0)
        assert parts.keys.verify(decision.id, parts.clock(), DAY_S).kind is Kind.BASELINE
    assert parts.route(Call("poetry")).kind is Kind.SAMPLED


async def test_a_share_between_draws_from_the_mixture(parts_of):
    parts = await parts_of(policy=beside("large", observe_share=0.3))
    decision = parts.route(Call("chat"))
    assert decision.kind is Kind.SAMPLED
    assert decision.propensity == decision.distribution.probabilities[decision.option.position]
    assert decision.distribution.probabilities[1] >= 0.7


async def test_a_baseline_that_cannot_serve_the_call_is_named_as_the_reason(parts_of):
    parts = await parts_of(policy=beside("small", observe_share=0.0))
    decision = parts.route(Call("chat", constraints=Constraints(region="eu")))
    assert (decision.model, decision.kind, decision.reason) == ("other", Kind.SAMPLED, "BASELINE_EXCLUDED")


async def test_a_forced_model_knows_no_baseline(parts_of):
    parts = await parts_of(policy=beside("small", observe_share=0.0))
    decision = parts.route(Call("chat", model="other"))
    assert (decision.model, decision.kind, decision.reason) == ("other", Kind.FORCED, "")


async def test_a_guard_begins_with_the_baseline(parts_of):
    parts = await parts_of(policy=beside("large", guard=0.05))
    assert {(one.model, one.kind) for one in (parts.route(Call("chat")) for _ in range(20))} == {
        ("large", Kind.BASELINE)
    }


async def test_a_latency_that_is_not_known_is_tried_and_named_as_the_reason(parts):
    decision = parts.route(limited(max_latency_s=0.5))
    assert (decision.kind, decision.reason) == (Kind.SAMPLED, "LATENCY_UNKNOWN")


async def test_strict_categories_know_the_default_one_without_being_told(parts_of):
    parts = await parts_of(strict_categories=True, categories={})
    assert parts.route(Call("default")).question.request.category == "default"


async def test_fingerprints_take_half_of_the_categories_and_leave_the_rest_to_those_with_a_name(parts_of):
    parts = await parts_of(max_categories=8)
    categories = [parts.route(Call(f"auto-{number:012x}")).token.category for number in range(6)]
    assert categories == [*(f"auto-{number:012x}" for number in range(4)), "default", "default"]
    assert parts.route(Call("poetry")).token.category == "poetry"
