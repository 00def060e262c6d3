"""The price that meets a budget."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bandit.budget import Budget
from bandit.catalogue import Model, Prices
from bandit.modes import Mode
from bandit.pacing import demand_of, priced
from bandit.policy import policy
from bandit.posterior import infer
from bandit.priors import InferenceSettings
from bandit.request import Limits, Objective, Request
from bandit.snapshot import PolicySettings, Snapshot, snapshot_of
from bandit.spend import MINUTE_US, Spend, SpendKey, Tally, billed
from bandit.sums import Moments, RowKey, Sums, add_rows, with_axes

NOW_US = 19_675 * 86_400_000_000
COSTS = {"cheap": 3e-5, "middle": 5e-4, "dear": 1.5e-2}
GOOD = {"cheap": 0.79, "middle": 0.925, "dear": 0.935}
CATEGORIES = ("chat", "code", "mail")
RICH = Objective(10.0, 0.0)
DEFAULTS = PolicySettings()


def snapshot(scale: float = 1.0, costs: dict[str, float] = COSTS, settings: PolicySettings = DEFAULTS) -> Snapshot:
    """Beliefs after a thousand judged calls of each cell; prompts are free, answers have 200 tokens."""
    rows, n, one = {}, 1000, 1 << 20
    for c, category in enumerate(CATEGORIES):
        for model, good in GOOD.items():
            successes = round(n * (good - 0.02 * c * (model == "cheap"))) * one
            rows[RowKey(category, model, "quality", "thumb", 0)] = Moments(n, successes, successes)
            rows[RowKey(category, model, "error", "", 0)] = Moments(n, 0, 0)
            y = float(np.log(200.0))
            rows[RowKey(category, model, "output_tokens", "", 0)] = Moments(
                n, round(n * y * one), round(n * y * y * one)
            )
    models = [Model(name, Prices(0.0, scale * usd / 200.0 * 1e6)) for name, usd in sorted(costs.items())]
    sums = with_axes(add_rows(Sums.empty(10**7), rows), CATEGORIES, list(costs))
    return snapshot_of(infer(sums, 0, InferenceSettings()), models, settings)


def with_budgets(seen: Snapshot, *budgets: Budget, spend: Spend | None = None, objective: Objective = RICH) -> Snapshot:
    told = Spend.empty(168, NOW_US) if spend is None else spend
    prices = priced(seen, budgets, told, NOW_US, objectives={"": objective}, input_tokens={"": 1000})
    return replace(seen, budgets=prices)


def request(category: str = "chat", objective: Objective = RICH) -> Request:
    return Request(category, 0b111, 1000, objective)


def expected_usd(
    seen: Snapshot, category: str = "chat", objective: Objective = RICH, limits: Limits | None = None
) -> float:
    asked = request(category, objective)
    distribution = policy(seen, asked if limits is None else asked._replace(limits=limits))
    return float(np.array(distribution.probabilities) @ distribution.forecasts.cost_usd)


def mean_usd(seen: Snapshot, objective: Objective = RICH) -> float:
    return float(np.mean([expected_usd(seen, category, objective) for category in CATEGORIES]))


def per_request(usd: float, category: str = "") -> Budget:
    return Budget(f"{category}{usd}", category=category, usd_per_request=usd)


@pytest.mark.parametrize("usd", [1e-4, 3e-4, 7e-4, 2e-3, 5e-3])
def test_at_the_price_requests_cost_what_they_may_over_a_range_of_500(usd):
    seen = with_budgets(snapshot(), per_request(usd))
    assert seen.budgets[0].price > 0
    assert mean_usd(seen) == pytest.approx(usd, rel=0.1)


@pytest.mark.parametrize("usd", [2e-6, 4e-6])
@pytest.mark.parametrize("dear", [1e-3, 1e-2, 0.1, 1.0])
def test_a_model_that_is_too_dear_does_not_move_the_price_however_dear_it_is(usd, dear):
    seen = with_budgets(snapshot(costs={"cheap": 1e-6, "middle": 1e-5, "dear": dear}), per_request(usd))
    assert policy(seen, request()).exclusions == {"dear": "budget"}
    assert mean_usd(seen) == pytest.approx(usd, rel=0.02)


def test_the_price_is_right_among_models_whose_prices_are_100_000_apart_and_all_are_within_reach():
    seen = with_budgets(snapshot(costs={"cheap": 1e-6, "middle": 1e-3, "dear": 0.1}), per_request(5e-3))
    assert policy(seen, request()).exclusions == {}
    assert mean_usd(seen) == pytest.approx(5e-3, rel=0.02)


@pytest.mark.parametrize(
    ("caps", "usd"),
    [({"middle": 0.2}, 1e-3), ({"middle": 0.2}, 2e-3), ({"cheap": 0.3}, 5e-4), ({"cheap": 0.3}, 1e-3)],
)
def test_a_budget_is_kept_with_caps(caps, usd):
    assert mean_usd(with_budgets(snapshot(settings=PolicySettings(caps=caps)), per_request(usd))) == pytest.approx(
        usd, rel=0.02
    )


def test_caps_are_scaled_to_one_among_the_models_within_reach():
    seen = snapshot(settings=PolicySettings(caps={"cheap": 0.1, "middle": 0.1, "dear": 0.5}))
    demand = demand_of(seen, [per_request(1.0)], Spend.empty(168, NOW_US), NOW_US, {"": RICH}, {"": 1000})
    groups = np.ones(len(demand.groups))
    shares = demand.probabilities(groups, COSTS["middle"] * 2.0 * groups)
    np.testing.assert_allclose(shares, [[0.5, 0.0, 0.5]] * len(groups), atol=1e-9)


@pytest.mark.parametrize("usd", [2e-3, 3e-3, 7e-3])
def test_a_budget_is_kept_beside_a_dear_baseline(usd):
    settings = PolicySettings(modes={"default": Mode(baseline="dear", observe_share=0.9)})
    assert mean_usd(with_budgets(snapshot(settings=settings), per_request(usd))) == pytest.approx(usd, rel=0.02)


def test_where_the_share_of_a_baseline_is_more_than_the_budget_nothing_is_spent_beside_it():
    settings = PolicySettings(modes={"default": Mode(baseline="dear", observe_share=0.5)})
    least = 0.5 * COSTS["dear"] + 0.5 * COSTS["cheap"]
    assert mean_usd(with_budgets(snapshot(settings=settings), per_request(5e-3))) == pytest.approx(least, rel=0.02)


def test_a_baseline_that_is_too_dear_has_no_share():
    settings = PolicySettings(modes={"default": Mode(baseline="dear", observe_share=0.5)})
    assert mean_usd(with_budgets(snapshot(settings=settings), per_request(2e-4))) == pytest.approx(2e-4, rel=0.02)


def test_a_budget_that_is_enough_has_no_price_and_changes_nothing():
    seen = with_budgets(snapshot(), per_request(0.1))
    assert seen.budgets[0].price == 0.0
    assert policy(seen, request()).probabilities == policy(snapshot(), request()).probabilities


def test_a_budget_that_cannot_be_met_leaves_the_cheapest_model_almost_alone():
    distribution = policy(with_budgets(snapshot(), per_request(1e-6)), request())
    assert distribution.probabilities[0] > 0.99


def test_the_price_does_not_depend_on_the_currency():
    small = with_budgets(snapshot(), per_request(3e-4)).budgets[0].price
    large = with_budgets(snapshot(1000.0), per_request(0.3), objective=Objective(10_000.0, 0.0)).budgets[0].price
    assert large == pytest.approx(small, rel=0.01)


def test_a_change_of_a_list_price_moves_the_price_of_money_at_once():
    budget = per_request(7e-4)
    free = with_budgets(snapshot(costs={**COSTS, "dear": 1e-4}), budget)
    assert free.budgets[0].price == 0.0
    assert mean_usd(with_budgets(snapshot(), budget)) == pytest.approx(7e-4, rel=0.05)


def test_forecasts_show_what_the_price_adds_and_the_cost_as_it_is():
    seen = with_budgets(snapshot(), per_request(3e-4))
    forecasts, plain = policy(seen, request()).forecasts, policy(snapshot(), request()).forecasts
    assert forecasts.cost_usd.tolist() == plain.cost_usd.tolist()
    assert forecasts.budget_price == seen.budgets[0].price
    np.testing.assert_allclose(forecasts.budget_usd, forecasts.budget_price * forecasts.cost_usd)
    np.testing.assert_allclose(forecasts.utility_usd, plain.utility_usd - forecasts.budget_usd)


def test_a_call_that_could_not_be_settled_in_time_is_not_made():
    seen = with_budgets(snapshot(), per_request(1e-4))
    distribution = policy(seen, request())
    assert distribution.probabilities[1] == 0.0
    assert distribution.exclusions == {"dear": "budget"}


def test_a_floor_spends_at_most_its_share_of_what_a_request_costs():
    floor = 0.05
    seen = with_budgets(snapshot(settings=PolicySettings(floor=floor)), per_request(7e-4))
    distribution = policy(seen, request())
    dear = distribution.probabilities[1]
    assert 0.0 < dear < floor
    assert mean_usd(seen) == pytest.approx(7e-4, rel=0.05)


def test_two_budgets_share_the_burden_so_that_neither_is_paid_for_twice():
    everything, chat = per_request(7e-4), per_request(2e-4, "chat")
    seen = with_budgets(snapshot(), everything, chat)
    assert expected_usd(seen, "chat") == pytest.approx(2e-4, rel=0.1)
    assert mean_usd(seen) == pytest.approx(7e-4, rel=0.1)
    assert seen.budget_price("chat", "") == pytest.approx(sum(one.price for one in seen.budgets))
    assert seen.budget_price("code", "") == seen.budgets[0].price


def test_when_the_money_of_a_period_is_spent_only_the_cheapest_model_is_left():
    day = Budget("day", usd_per_period=1.0)
    now_us = NOW_US + 3600 * 1_000_000
    told = billed(
        Spend.empty(168, NOW_US), {SpendKey("chat", "", True, NOW_US // MINUTE_US): Tally(9, 2 * 10**9)}, now_us
    )
    prices = priced(snapshot(), [day], told, now_us, objectives={"": RICH}, input_tokens={"": 1000})
    distribution = policy(replace(snapshot(), budgets=prices), request())
    assert distribution.probabilities == (1.0, 0.0, 0.0)
    assert set(distribution.exclusions) == {"dear", "middle"}


@pytest.mark.parametrize(("usd", "bias"), [(2e-4, 0.5), (2e-4, 3.0), (2e-3, 1.0)])
def test_what_was_billed_corrects_what_was_expected(usd, bias):
    """Calls cost `bias` times what the posterior expects."""
    assert mean_bill_usd(snapshot(), usd, lambda now, category: bias * expected_usd(now, category)) == pytest.approx(
        usd, rel=0.02
    )


@pytest.mark.parametrize("usd", [6e-4, 3e-3])
def test_what_was_billed_corrects_for_limits_of_requests(usd):
    """The limit excludes the cheap model, on whose requests the price counted."""
    good = Limits(min_quality=0.9)
    assert mean_bill_usd(
        snapshot(), usd, lambda now, category: expected_usd(now, category, limits=good)
    ) == pytest.approx(usd, rel=0.02)


def mean_bill_usd(seen: Snapshot, usd: float, usd_of: Callable[[Snapshot, str], float]) -> float:
    """Return what a request costs in the end; bills come 20 seconds late, and nothing is left to chance."""
    spend, bills = Spend.empty(168, NOW_US), list[dict[SpendKey, Tally]]()
    for step in range(150):
        now_us = NOW_US + step * 20_000_000
        spend = billed(spend, bills[-1] if bills else {}, now_us)
        prices = priced(seen, [per_request(usd)], spend, now_us, objectives={"": RICH}, input_tokens={"": 1000})
        now, minute = replace(seen, budgets=prices), now_us // MINUTE_US
        bills.append(
            {
                SpendKey(category, "", prices[0].price > 0, minute): Tally(7, round(7 * usd_of(now, category) * 1e9))
                for category in CATEGORIES
            }
        )
    last = [tally for rows in bills[-60:] for tally in rows.values()]
    return sum(tally.nano_usd for tally in last) * 1e-9 / sum(tally.n for tally in last)


def test_groups_weigh_as_much_as_they_were_billed_and_fade_with_a_day():
    rows = {
        SpendKey("chat", "", True, NOW_US // MINUTE_US): Tally(300, 0),
        SpendKey("code", "fast", True, NOW_US // MINUTE_US): Tally(100, 0),
    }
    told = billed(Spend.empty(168, NOW_US), rows, NOW_US)
    demand = demand_of(snapshot(), [per_request(1.0)], told, NOW_US, {"": RICH, "fast": Objective(1.0)}, {"": 1000})
    assert demand.groups[:2] == (("chat", ""), ("code", "fast"))
    assert demand.weights[0] / demand.weights[1] == pytest.approx(3.0, rel=0.1)
    later = demand_of(
        snapshot(),
        [per_request(1.0)],
        billed(told, {}, NOW_US + 86_400_000_000),
        NOW_US + 86_400_000_000,
        {"": RICH},
        {"": 1000},
    )
    assert later.weights[1] == pytest.approx(demand.weights[1] / 2, rel=0.05)


def test_a_budget_for_little_traffic_is_priced_among_much_other():
    minute = NOW_US // MINUTE_US
    rows = {SpendKey(f"busy-{n:03}", "", True, minute): Tally(1000, 0) for n in range(100)}
    told = billed(Spend.empty(168, NOW_US), {**rows, SpendKey("chat", "", True, minute): Tally(1, 0)}, NOW_US)
    assert with_budgets(snapshot(), per_request(3e-4, "chat"), spend=told).budgets[0].price > 0
