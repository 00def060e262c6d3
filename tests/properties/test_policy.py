"""Distributions: exact, complete, and moved by what should move them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bandit.catalogue import Model, Prices
from bandit.draw import draw
from bandit.errors import InfeasibleError
from bandit.modes import Reason
from bandit.policy import Distribution, policy
from bandit.posterior import infer
from bandit.priors import InferenceSettings
from bandit.request import Limits, Objective, Request, quarter_octave
from bandit.shares import with_caps, with_floor
from bandit.snapshot import PolicySettings, Snapshot, snapshot_of
from bandit.sums import Moments, RowKey, Sums, add_rows, with_axes

MODELS = tuple(Model(f"m{i}", Prices(10.0 ** (i - 1), 3.0 * 10.0 ** (i - 1)), provider=f"p{i % 2}") for i in range(4))
EVERYONE = Request("chat", eligible=0b1111, input_tokens=1_000)

cells = st.tuples(st.integers(0, 10**6), st.floats(0, 1), st.floats(-3, 3), st.floats(0.01, 1.0), st.floats(0, 8))


def snapshot(cells_of: list[tuple[int, float, float, float, float]], settings: PolicySettings) -> Snapshot:
    rows = {}
    for model, (n, quality, ln_latency, sd, ln_tokens) in zip(MODELS, cells_of, strict=True):
        if n:
            good = round(n * quality) << 20
            rows[RowKey("chat", model.id, "quality", "thumb", 0)] = Moments(n, good, good)
            rows[RowKey("chat", model.id, "latency", "", 0)] = normal_moments(n, ln_latency, sd)
            rows[RowKey("chat", model.id, "output_tokens", "", 0)] = normal_moments(n, ln_tokens, sd)
    sums = with_axes(add_rows(Sums.empty(10**7), rows), ["chat"], [model.id for model in MODELS])
    return snapshot_of(infer(sums, 0, InferenceSettings()), MODELS, settings)


def normal_moments(n: int, mean: float, sd: float) -> Moments:
    return Moments(n, round(n * mean * 2**20), round(n * (mean * mean + sd * sd) * 2**20))


EVEN = snapshot([(50, 0.8, 0.0, 0.5, 5.0)] * 4, PolicySettings())


@given(
    st.lists(cells, min_size=4, max_size=4),
    st.integers(1, 15),
    st.floats(0, 0.5),
    st.floats(0, 2),
    st.dictionaries(st.sampled_from(["m0", "m1", "m2"]), st.floats(0, 1)),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
)
def test_probabilities_sum_to_one_and_are_never_negative(of, eligible, floor, exploration, caps, value, second):
    seen = snapshot(of, PolicySettings(exploration=exploration, floor=floor, caps=caps))
    request = EVERYONE._replace(eligible=eligible, objective=Objective(value, second))
    distribution = policy(seen, request)
    assert sum(distribution.probabilities) == pytest.approx(1.0, abs=1e-9)
    assert min(distribution.probabilities) >= 0.0
    for m, probability in enumerate(distribution.probabilities):
        assert probability == 0.0 or eligible >> m & 1
    assert distribution.cumulative[-1] == 1.0


@given(st.lists(cells, min_size=4, max_size=4), st.integers(1, 15), st.floats(0, 0.999999999))
def test_a_draw_has_the_probability_it_reports(of, eligible, uniform):
    distribution = policy(snapshot(of, PolicySettings()), EVERYONE._replace(eligible=eligible))

    class Fixed:
        def random(self) -> float:
            return float(uniform)

    drawn = draw(distribution, Fixed())
    below = sum(distribution.probabilities[: drawn.position])
    assert eligible >> drawn.position & 1
    assert drawn.propensity == distribution.probabilities[drawn.position] > 0
    assert below - 1e-12 <= uniform <= below + drawn.propensity + 1e-12


def test_drawn_shares_are_the_probabilities():
    """Each share within 4.9 standard errors: false-alarm rate below 4e-6 over the four models."""
    distribution = policy(EVEN, EVERYONE)
    rng = np.random.default_rng(11)
    counts = np.bincount([draw(distribution, rng).position for _ in range(20_000)], minlength=4) / 20_000
    p = np.array(distribution.probabilities)
    assert (np.abs(counts - p) < 4.9 * np.sqrt(p * (1 - p) / 20_000) + 1e-12).all()


@pytest.mark.parametrize("removed", [0, 1, 3])
def test_probabilities_agree_with_monte_carlo_when_a_constraint_removed_models(removed):
    """200,000 draws of the utilities of the models that are left; tolerance .01 is nine standard errors."""
    seen = snapshot(
        [(5, 0.9, 0.2, 0.3, 5.0), (8, 0.7, -0.5, 0.8, 4.0), (3, 0.8, 0.5, 0.5, 6.0), (400_000, 0.85, 0.0, 0.1, 5.0)],
        PolicySettings(floor=0.0, exploration=1.0),
    )
    request = EVERYONE._replace(eligible=0b1111 & ~(1 << removed))
    forecasts = policy(seen, request).forecasts
    left = [m for m in range(4) if m != removed]
    sd = np.sqrt(forecasts.utility_variance[left])
    draws = np.random.default_rng(5).normal(forecasts.utility_usd[left], sd, size=(200_000, 3))
    shares = np.bincount(draws.argmax(axis=1), minlength=3) / 200_000
    assert np.abs(np.array(policy(seen, request).probabilities)[left] - shares).max() < 0.01


def test_a_price_change_moves_the_very_next_decision():
    dear = policy(EVEN, EVERYONE).probabilities[2]
    models = tuple(replace(m, prices=Prices(0.01, 0.01)) if m.id == "m2" else m for m in MODELS)
    repriced = snapshot_of(EVEN.posterior, models, EVEN.settings)
    assert policy(repriced, EVERYONE).probabilities[2] > 2 * dear


def test_exploration_scales_the_draw_and_nothing_that_is_said():
    greedy = snapshot_of(EVEN.posterior, MODELS, PolicySettings(exploration=0.0))
    said, drawn = policy(greedy, EVERYONE), policy(EVEN, EVERYONE)
    assert said.forecasts.utility_variance.tolist() == drawn.forecasts.utility_variance.tolist()
    assert said.probabilities != drawn.probabilities


def test_an_explored_model_keeps_its_floor():
    worst = snapshot([(10**6, q, 0.0, 0.1, 5.0) for q in (0.9, 0.1, 0.1, 0.1)], PolicySettings(floor=0.01))
    assert min(policy(worst, EVERYONE).probabilities) == pytest.approx(0.01)


def test_a_cached_prompt_is_priced_as_cached():
    models = tuple(replace(m, prices=replace(m.prices, cached_input_usd_per_mtok=0.0)) for m in MODELS)
    seen = snapshot_of(EVEN.posterior, models, EVEN.settings)
    cold = policy(seen, EVERYONE)
    warm = policy(seen, EVERYONE._replace(cached_model="m2", cached_input_tokens=900))
    saved = cold.forecasts.cost_usd - warm.forecasts.cost_usd
    assert saved[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]
    ratio = EVEN.expectations.input_ratio[0, 2]
    assert saved[2] == pytest.approx(900 * 10e-6 * ratio)
    assert warm.probabilities[2] > cold.probabilities[2]


def test_a_short_answer_bounds_the_forecast_of_cost():
    short = policy(EVEN, EVERYONE._replace(max_output_tokens=1))
    assert (short.forecasts.cost_usd < policy(EVEN, EVERYONE).forecasts.cost_usd).all()


def test_no_answer_is_longer_than_its_model_can_make_it():
    models = tuple(replace(m, max_output_tokens=1 if m.id == "m2" else None) for m in MODELS)
    capped = policy(snapshot_of(EVEN.posterior, models, EVEN.settings), EVERYONE).forecasts.cost_usd
    free = policy(EVEN, EVERYONE).forecasts.cost_usd
    assert capped[2] < free[2]
    assert capped[[0, 1, 3]].tolist() == free[[0, 1, 3]].tolist()


def limited(**limits: float | bool) -> Distribution:
    return policy(EVEN, EVERYONE._replace(limits=Limits(**limits)))  # type: ignore[arg-type]


def test_limits_exclude_models_and_say_which_limit_did():
    distribution = limited(max_cost_usd=0.01)
    assert distribution.exclusions == {"m2": "max_cost_usd", "m3": "max_cost_usd"}
    assert distribution.probabilities[2:] == (0.0, 0.0)
    assert distribution.reason is None


def test_no_model_within_the_limits_is_refused_naming_each():
    with pytest.raises(InfeasibleError, match="m0: min_quality") as refused:
        limited(min_quality=0.99)
    assert set(refused.value.exclusions) == {"m0", "m1", "m2", "m3"}


def test_the_least_violation_is_chosen_when_asked_for():
    distribution = limited(max_cost_usd=1e-9, least_violation=True)
    assert distribution.reason is Reason.LEAST_VIOLATION
    assert distribution.probabilities == (1.0, 0.0, 0.0, 0.0)


def test_a_latency_limit_is_judged_by_the_predictive_tail():
    seen = snapshot([(1000, 0.8, 0.0, 0.5, 5.0)] * 3 + [(1000, 0.8, -1.0, 0.1, 5.0)], PolicySettings())
    tail = EVERYONE._replace(limits=Limits(max_latency_s=1.0, latency_probability=0.95))
    assert set(policy(seen, tail).exclusions) == {"m0", "m1", "m2"}
    half = EVERYONE._replace(limits=Limits(max_latency_s=1.1, latency_probability=0.5))
    assert policy(seen, half).exclusions == {}


def test_nothing_eligible_is_infeasible():
    with pytest.raises(InfeasibleError):
        policy(EVEN, EVERYONE._replace(eligible=0))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8), st.floats(0, 1))
@example([(1.0, 0.5), (1e-320, 1.0)], 0.0)
@example([(1.0, 0.5), (0.0, 0.0), (0.0, 0.7)], 0.0)
@example([(0.5, 0.1), (0.2, 0.2), (0.3, 0.7000000000000001)], 0.0)
def test_capped_shares_keep_their_caps_and_sum_to_one(pairs, floor):
    weights, caps = np.array(pairs).T
    even = weights / weights.sum() if weights.sum() > 0.01 else np.ones(len(caps)) / len(caps)
    shares = np.array(with_caps(with_floor(even.tolist(), floor), caps.tolist()))
    assert shares.sum() == pytest.approx(1.0, abs=1e-9)
    assert (shares >= 0).all()
    if caps.sum() > 1:
        assert (shares <= caps + 1e-9).all()


def test_what_a_cap_cuts_off_goes_to_the_others_in_proportion():
    shares = with_caps([0.7, 0.2, 0.1], [0.4, 1.0, 1.0])
    assert shares == pytest.approx([0.4, 0.4, 0.2])


def test_caps_that_leave_nothing_over_are_scaled_to_one():
    assert with_caps([0.7, 0.3], [0.2, 0.3]) == pytest.approx([0.4, 0.6])


@given(st.integers(0, 10**8))
def test_a_token_bucket_is_at_most_a_quarter_octave_wide(tokens):
    representative = quarter_octave(tokens)
    assert representative == tokens or 2**-0.25 < representative / tokens < 2**0.25
    assert quarter_octave(tokens + 1) >= representative
