"""Whatever the mode: probabilities sum to one, stay within floor and caps, and are those that draws have."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.catalogue import Model, Prices
from bandit.draw import draw
from bandit.errors import InfeasibleError
from bandit.modes import CheapestWithin, Mode, Reason
from bandit.policy import policy
from bandit.posterior import infer
from bandit.priors import InferenceSettings
from bandit.request import Limits, Request
from bandit.signals import Kind
from bandit.snapshot import PolicySettings, Snapshot, snapshot_of
from bandit.sums import Moments, RowKey, Sums, add_rows, with_axes

MODELS = tuple(Model(f"m{i}", Prices(10.0 ** (i - 1), 3.0 * 10.0 ** (i - 1))) for i in range(4))
EVERYONE = Request("chat", eligible=0b1111, input_tokens=1_000)

Cell = tuple[int, float]
"""Outcomes of a model, and the share of good answers."""

cells = st.lists(st.tuples(st.integers(0, 10**5), st.floats(0, 1)), min_size=4, max_size=4)
cheapest = st.builds(CheapestWithin, st.floats(1e-4, 1), st.floats(0.5, 0.9999), st.floats(0, 0.5))
modes = st.builds(
    Mode,
    cheapest_within=st.none() | cheapest,
    baseline=st.sampled_from(["", "m0", "m3"]),
    observe_share=st.floats(0, 1),
    guard=st.just(0.0) | st.floats(0.001, 0.99),
)


def snapshot(of: list[Cell], settings: PolicySettings) -> Snapshot:
    rows = {}
    for model, (n, quality) in zip(MODELS, of, strict=True):
        if n:
            good = round(n * quality) << 20
            rows[RowKey("chat", model.id, "quality", "thumb", 0)] = Moments(n, good, good)
            rows[RowKey("chat", model.id, "error", "", 0)] = Moments(n, 0, 0)
            rows[RowKey("chat", model.id, "latency", "", 0)] = Moments(n, 0, n << 18)
    sums = with_axes(add_rows(Sums.empty(10**7), rows), ["chat"], [model.id for model in MODELS])
    return snapshot_of(infer(sums, 0, InferenceSettings()), MODELS, settings)


@given(
    cells,
    modes,
    st.integers(1, 15),
    st.floats(0, 0.3),
    st.dictionaries(st.sampled_from(["m1", "m2"]), st.floats(0.01, 1)),
    st.sampled_from([0.0, 0.05, 0.5]),
    st.none() | st.floats(1e-3, 100),
    st.booleans(),
)
def test_a_distribution_is_complete_and_within_floor_and_caps(
    of, mode, eligible, floor, caps, canary, latency, least_violation
):
    seen = snapshot(of, PolicySettings(0.25, floor, caps, canary, modes={"default": mode}))
    limits = Limits(max_latency_s=latency, least_violation=least_violation)
    try:
        distribution = policy(seen, EVERYONE._replace(eligible=eligible, limits=limits))
    except InfeasibleError:
        return
    drawn, intended = (
        np.array(distribution.probabilities),
        np.array(distribution.intended or distribution.probabilities),
    )
    left, most = list(distribution.ranking), np.array(seen.caps or (1.0,) * 4)
    assert sorted(set(left)) == sorted(left)
    assert {m for m in range(4) if drawn[m] > 0} <= set(left) <= {m for m in range(4) if eligible >> m & 1}
    for probabilities in (drawn, intended):
        assert probabilities.sum() == pytest.approx(1.0, abs=1e-9)
        assert (probabilities >= 0).all()
    if most[left].sum() > 1:
        assert (intended <= most + 1e-9).all()
        if distribution.reason in (None, Reason.BASELINE_EXCLUDED):
            assert (intended[left] >= np.minimum(min(floor, 1 / len(left)), most[left]) - 1e-9).all()
    assert distribution.cumulative[-1] == 1.0


@given(cells, modes, st.floats(0, 0.999999999))
def test_a_draw_has_the_probability_it_reports(of, mode, uniform):
    distribution = policy(snapshot(of, PolicySettings(modes={"default": mode})), EVERYONE)

    class Fixed:
        def random(self) -> float:
            return float(uniform)

    drawn = draw(distribution, Fixed())
    below = sum(distribution.probabilities[: drawn.position])
    assert drawn.propensity == distribution.probabilities[drawn.position] > 0
    assert below - 1e-12 <= uniform <= below + drawn.propensity + 1e-12


@given(cells, st.floats(0, 1), st.floats(0, 0.1))
def test_a_share_of_observation_is_the_mixture_that_is_drawn_from(of, share, floor):
    plain = policy(snapshot(of, PolicySettings(floor=floor)), EVERYONE)
    mode = Mode(baseline="m3", observe_share=share)
    mixed = policy(snapshot(of, PolicySettings(floor=floor, modes={"chat": mode})), EVERYONE)
    baseline = np.array([0.0, 0.0, 0.0, 1.0])
    assert mixed.probabilities == pytest.approx(share * np.array(plain.probabilities) + (1 - share) * baseline)
    assert (mixed.intended or mixed.probabilities) == plain.probabilities
    assert mixed.kind is (Kind.SAMPLED if share else Kind.BASELINE)


def test_drawn_shares_are_the_mixture():
    """Each share within 4.9 standard errors: false-alarm rate below 4e-6 over the four models."""
    seen = snapshot([(50, 0.8)] * 4, PolicySettings(modes={"chat": Mode(baseline="m2", observe_share=0.3)}))
    distribution, rng = policy(seen, EVERYONE), np.random.default_rng(11)
    counts = np.bincount([draw(distribution, rng).position for _ in range(20_000)], minlength=4) / 20_000
    p = np.array(distribution.probabilities)
    assert (np.abs(counts - p) < 4.9 * np.sqrt(p * (1 - p) / 20_000) + 1e-12).all()


def test_a_category_that_is_not_named_has_the_mode_of_default():
    settings = PolicySettings(modes={"default": Mode(baseline="m0", observe_share=0.0), "own": Mode()})
    seen = snapshot([(50, 0.8)] * 4, settings)
    assert policy(seen, EVERYONE).probabilities == (1.0, 0.0, 0.0, 0.0)
    assert policy(seen, EVERYONE._replace(category="own")).kind is Kind.SAMPLED


def test_a_baseline_that_cannot_serve_the_request_leaves_it_to_the_policy_and_says_so():
    settings = PolicySettings(modes={"chat": Mode(baseline="m3", observe_share=0.0)})
    seen, plain = snapshot([(50, 0.8)] * 4, settings), snapshot([(50, 0.8)] * 4, PolicySettings())
    for request in (EVERYONE._replace(eligible=0b0111), EVERYONE._replace(limits=Limits(max_cost_usd=0.01))):
        distribution = policy(seen, request)
        assert distribution.reason is Reason.BASELINE_EXCLUDED
        assert distribution.probabilities == policy(plain, request).probabilities
        assert distribution.kind is Kind.SAMPLED


def test_the_cheapest_model_within_the_margin_is_played():
    settings = PolicySettings(floor=0.0, modes={"chat": Mode(cheapest_within=CheapestWithin(0.05, 0.9))})
    distribution = policy(snapshot([(50_000, q) for q in (0.7, 0.88, 0.9, 0.91)], settings), EVERYONE)
    assert distribution.probabilities == (0.0, 1.0, 0.0, 0.0)
    assert distribution.ranking == (1, 2, 3, 0)


def test_what_is_cheaper_and_undecided_is_tested_cheapest_first_with_a_bounded_share():
    settings = PolicySettings(floor=0.0, modes={"chat": Mode(cheapest_within=CheapestWithin(0.05, 0.9, 0.04))})
    of = [(60, 0.83), (60, 0.84), (50_000, 0.9), (50_000, 0.9)]
    assert policy(snapshot(of, settings), EVERYONE).probabilities == pytest.approx((0.04, 0.0, 0.96, 0.0))
    decided = [(50_000, 0.7), *of[1:]]
    assert policy(snapshot(decided, settings), EVERYONE).probabilities == pytest.approx((0.0, 0.04, 0.96, 0.0))


def test_testing_against_a_dear_model_costs_no_more_than_the_share():
    mode = CheapestWithin(0.05, 0.9, 0.04)
    settings = PolicySettings(floor=0.0, modes={"chat": Mode(cheapest_within=mode)})
    seen = snapshot([(3_000, 0.86), (50_000, 0.885), (50_000, 0.5), (1_500, 0.9)], settings)
    distribution = policy(seen, EVERYONE)
    cost = distribution.forecasts.cost_usd
    assert 0.0 < distribution.probabilities[3] < 0.001
    assert np.array(distribution.probabilities) @ cost <= cost[1] * 1.04 * (1 + 1e-9)


def test_while_nothing_is_known_to_be_good_enough_what_may_be_is_tried():
    settings = PolicySettings(modes={"chat": Mode(cheapest_within=CheapestWithin())})
    unknown = sorted(policy(snapshot([(0, 0.0)] * 4, settings), EVERYONE).probabilities)
    assert unknown == pytest.approx([0.125, 0.125, 0.125, 0.625], abs=0.001)
    some = policy(snapshot([(100, 0.2), (100, 0.8), (100, 0.82), (100, 0.1)], settings), EVERYONE).probabilities
    assert some[1] > 0.15
    assert some[2] > 0.6
    assert some[0] < 0.001 > some[3]


def test_errors_count_as_bad_answers_where_the_cheapest_is_chosen():
    settings = PolicySettings(floor=0.0, modes={"chat": Mode(cheapest_within=CheapestWithin(0.05, 0.9))})
    posterior = snapshot([(50_000, 0.9)] * 4, settings).posterior
    failing = replace(posterior.error, mean=posterior.error.mean + np.array([0.3, 0.0, 0.0, 0.0]))
    seen = snapshot_of(replace(posterior, error=failing), MODELS, settings)
    assert policy(seen, EVERYONE).probabilities == (0.0, 1.0, 0.0, 0.0)


def test_a_guard_plays_the_baseline_before_it_is_known_and_says_what_it_would_have_done():
    seen = snapshot([(0, 0.0)] * 4, PolicySettings(modes={"chat": Mode(baseline="m1", guard=0.05)}))
    distribution = policy(seen, EVERYONE)
    assert distribution.probabilities == (0.0, 1.0, 0.0, 0.0)
    assert distribution.kind is Kind.BASELINE
    assert distribution.intended == policy(snapshot([(0, 0.0)] * 4, PolicySettings()), EVERYONE).probabilities


def guarded(of: list[Cell], alpha: float) -> Kind:
    return policy(snapshot(of, PolicySettings(modes={"chat": Mode(baseline="m1", guard=alpha)})), EVERYONE).kind


def test_what_the_baseline_has_saved_is_spent_on_exploring_and_no_more():
    saved = [(0, 0.0), (200, 0.8), (0, 0.0), (0, 0.0)]
    assert guarded(saved, 0.05) is Kind.SAMPLED
    assert guarded([(40, 0.3), *saved[1:]], 0.05) is Kind.BASELINE
    assert guarded([(40, 0.3), (2_000, 0.8), *saved[2:]], 0.05) is Kind.SAMPLED
    assert guarded([(40, 0.3), *saved[1:]], 0.5) is Kind.SAMPLED


def test_a_guard_lets_a_better_model_have_all_traffic():
    assert guarded([(100_000, 0.95), (200, 0.8), (0, 0.0), (0, 0.0)], 0.05) is Kind.SAMPLED


def test_a_guard_works_where_every_utility_is_negative():
    settings = PolicySettings(modes={"chat": Mode(baseline="m1", guard=0.05)})
    worthless = EVERYONE._replace(objective=EVERYONE.objective._replace(answer_value_usd=0.0))
    saved = [(0, 0.0), (5_000, 0.8), (0, 0.0), (0, 0.0)]
    assert policy(snapshot(saved, settings), worthless).forecasts.utility_usd.max() < 0
    assert policy(snapshot(saved, settings), worthless).kind is Kind.SAMPLED
    assert policy(snapshot([(0, 0.0)] * 4, settings), worthless).kind is Kind.BASELINE


def test_a_model_with_few_outcomes_is_capped_until_it_has_enough():
    settings = PolicySettings(canary_share=0.05, canary_observations=30)
    of = [(29, 1.0), (500, 0.5), (500, 0.5), (500, 0.5)]
    assert policy(snapshot(of, settings), EVERYONE).probabilities[0] == pytest.approx(0.05)
    assert policy(snapshot([(30, 1.0), *of[1:]], settings), EVERYONE).probabilities[0] > 0.9
    assert policy(snapshot(of, PolicySettings()), EVERYONE).probabilities[0] > 0.9


def test_a_canary_counts_outcomes_of_every_category():
    settings = PolicySettings(canary_share=0.05, canary_observations=30)
    rows = {
        RowKey(category, model.id, "error", "", 0): Moments(16, 0, 0)
        for category in ("chat", "code")
        for model in MODELS
    }
    sums = with_axes(add_rows(Sums.empty(10**7), rows), ["chat"], [model.id for model in MODELS])
    assert snapshot_of(infer(sums, 0, InferenceSettings()), MODELS, settings).caps == ()


def test_where_every_model_is_new_none_is_held_back():
    of = [(29, 1.0), *[(29, 0.2)] * 3]
    settings = PolicySettings(canary_share=0.05)
    free, canaries = (policy(snapshot(of, one), EVERYONE).probabilities for one in (PolicySettings(), settings))
    assert canaries == free
    assert canaries[0] > 0.9


FAST, SLOW, NEVER = (0.0, 3_000), (3.0, 3_000), (0.0, 0)
"""Mean ln seconds, and how often called."""


def of_latencies(*latencies: tuple[float, int]) -> Snapshot:
    rows = {}
    for model, (ln_s, n) in zip(MODELS, latencies, strict=True):
        if n:
            y = round(n * ln_s * 2**20)
            rows[RowKey("chat", model.id, "latency", "", 0)] = Moments(
                n, y, round((n * ln_s * ln_s + n * 0.25) * 2**20)
            )
            rows[RowKey("chat", model.id, "error", "", 0)] = Moments(n, 0, 0)
    sums = with_axes(add_rows(Sums.empty(10**7), rows), ["chat"], [model.id for model in MODELS])
    return snapshot_of(infer(sums, 0, InferenceSettings()), MODELS, PolicySettings())


def within(seconds: float, **changes: bool) -> Request:
    return EVERYONE._replace(limits=Limits(max_latency_s=seconds, **changes))


def test_a_model_that_may_be_fast_enough_is_tried_with_part_of_the_tolerance():
    distribution = policy(of_latencies(FAST, SLOW, NEVER, NEVER), within(3.0))
    assert distribution.exclusions == {"m1": "max_latency"}
    assert distribution.probabilities[2:] == pytest.approx([0.0125] * 2, abs=0.001)
    assert distribution.reason is None


def test_where_no_latency_is_known_the_models_that_may_keep_the_limit_are_tried_and_it_is_said():
    distribution = policy(of_latencies(SLOW, NEVER, SLOW, NEVER), within(3.0))
    assert distribution.reason is Reason.LATENCY_UNKNOWN
    assert distribution.probabilities == pytest.approx([0.0, 0.5, 0.0, 0.5], abs=1e-6)
    with pytest.raises(InfeasibleError):
        policy(of_latencies(SLOW, SLOW, SLOW, SLOW), within(3.0))


def test_the_least_violation_explores_what_is_not_known():
    near = policy(of_latencies(SLOW, SLOW, (2.0, 3_000), NEVER), within(0.01, least_violation=True))
    assert near.reason is Reason.LEAST_VIOLATION
    assert near.probabilities[0] == near.probabilities[1] == 0.0
    assert min(near.probabilities[2:]) > 0.0
