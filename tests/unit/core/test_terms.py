"""Terms of a decision: what they add up to, what they rest on, and what excluded a model."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bandit.budget import Account, Budget, PricedBudget
from bandit.catalogue import Model, Prices
from bandit.policy import policy
from bandit.posterior import infer
from bandit.priors import InferenceSettings
from bandit.records import DistributionRecord, ModelForecast
from bandit.request import Objective, Request
from bandit.snapshot import PolicySettings, snapshot_of
from bandit.stated import stated_best
from bandit.sums import Sums, with_axes
from bandit.terms import Terms, explained, model_forecasts, terms_of

PRICES = tuple(Prices(usd, 3.0 * usd) for usd in (0.1, 1.0, 10.0))
MODELS = tuple(Model(f"m{i}", prices) for i, prices in enumerate(PRICES))
ASKED = Request("chat", eligible=0b111, input_tokens=1_000)

CHEAP, DEAR = ModelForecast(0.4, 0.8, 0.001, 1.0, 0.1), ModelForecast(0.6, 0.9, 0.004, 2.0, 0.0)
DRAWN_FROM = DistributionRecord(
    revision=7,
    snapshot_us=4,
    config_hash="c0ffee",
    answer_value_usd=0.05,
    second_value_usd=0.001,
    forecasts={"cheap": CHEAP, "dear": DEAR},
    exclusions={"retired": "disabled"},
)


def priced_at(price: float) -> PricedBudget:
    account = Account(usd=1.0, requests=1, target_usd=1e-3, largest_usd=math.inf, owed_requests=0.0)
    return PricedBudget(Budget("each", usd_per_request=1e-3), account, price)


@pytest.fixture
def snapshot(learned):
    def build(**settings):
        sums = Sums.empty(10_000_000)
        for model, count in (("m0", 40), ("m1", 3)):
            sums = learned(sums, "chat", model, "quality", [1, 1, 0, 1] * count)
            sums = learned(sums, "chat", model, "latency", [0.5, 0.7, 2.0] * count)
            sums = learned(sums, "chat", model, "output_tokens", [100, 300] * count)
        sums = with_axes(sums, (), [model.id for model in MODELS])
        return snapshot_of(infer(sums, 0, InferenceSettings()), MODELS, PolicySettings(**settings))

    return build


@pytest.mark.parametrize("objective", [Objective(), Objective(3.0, 0.0), Objective(0.0, 0.2), Objective(0.0, 0.0)])
@pytest.mark.parametrize("category", ["chat", "poetry"])
@pytest.mark.parametrize("cached", ["", "m1"])
@pytest.mark.parametrize("price", [0.0, 1.5])
def test_the_terms_of_every_model_balance_to_the_utility_that_decided(snapshot, objective, category, cached, price):
    seen = replace(snapshot(), budgets=(priced_at(price),))
    request = ASKED._replace(category=category, objective=objective, cached_model=cached, cached_input_tokens=500)
    distribution = policy(seen, request)
    forecasts = model_forecasts(seen, category, distribution)
    for m, model in enumerate(MODELS):
        terms = terms_of(forecasts[model.id], objective, distribution.forecasts.budget_price)
        assert terms.budget_usd == pytest.approx(price * terms.cost_usd)
        scale = terms.answer_usd + terms.cost_usd + terms.budget_usd + terms.waiting_usd
        assert terms.utility_usd == pytest.approx(
            float(distribution.forecasts.utility_usd[m]), rel=0, abs=1e-14 * scale
        )


def test_every_term_is_what_the_formula_says():
    assert terms_of(CHEAP, Objective(0.05, 0.001), budget_price=2.0) == pytest.approx(
        (0.05 * 0.8 * 0.9, 0.001, 0.002, 0.001)
    )
    assert Terms(10.0, 4.0, 2.0, 1.0).utility_usd == 3.0


def test_the_deviation_is_that_of_the_posterior_however_much_is_explored(snapshot):
    bold, timid = (snapshot(exploration=exploration) for exploration in (1.0, 0.01))
    deviations = [
        [one.utility_sd_usd for one in model_forecasts(seen, "chat", policy(seen, ASKED)).values()]
        for seen in (bold, timid)
    ]
    assert deviations[0] == deviations[1]
    known, hardly, never = deviations[0]
    assert known is not None
    assert hardly is not None
    assert never is not None
    assert never > hardly > known > 0.0


def test_what_it_rests_on_tells_a_measurement_from_what_is_expected_of_any_model(snapshot):
    seen = snapshot()
    forecasts = model_forecasts(seen, "chat", policy(seen, ASKED))
    counts = {model: (one.outcome_count, one.quality_count) for model, one in forecasts.items()}
    assert counts["m2"] == (0.0, 0.0)
    assert counts["m0"] == pytest.approx((200.0, 160.0), rel=0.1)
    elsewhere = model_forecasts(seen, "poetry", policy(seen, ASKED._replace(category="poetry")))
    assert [one.outcome_count for one in elsewhere.values()] == [0.0] * 3


def test_shifts_are_those_that_the_posterior_believes(snapshot):
    seen = snapshot()
    posterior, row = seen.posterior, seen.row("chat")
    found = model_forecasts(seen, "chat", policy(seen, ASKED))["m1"]
    column = posterior.models.index("m1")
    beliefs = posterior.quality, posterior.error, posterior.latency
    assert (found.quality_shift, found.error_shift, found.latency_shift) == tuple(
        float(belief.shift[row, column]) for belief in beliefs
    )
    assert all(0.0 < float(belief.shift[row, column]) < 1.0 for belief in beliefs)


def test_the_likeliest_comes_first_and_of_equal_ones_the_more_useful():
    also = {"idle": DEAR._replace(probability=0.0), "worse": CHEAP._replace(probability=0.0, quality=0.1)}
    drawn_from = DRAWN_FROM._replace(forecasts={**also, **DRAWN_FROM.forecasts})
    assert [one.model for one in explained(drawn_from)] == ["dear", "cheap", "idle", "worse", "retired"]


def test_a_model_beyond_a_limit_is_named_with_its_terms_and_one_that_could_not_serve_without():
    exclusions = {"cheap": "min_quality", "retired": "disabled", "abroad": "region"}
    drawn_from = DRAWN_FROM._replace(
        forecasts={"cheap": CHEAP._replace(probability=0.0), "dear": DEAR._replace(probability=1.0)},
        exclusions=exclusions,
    )
    found = {one.model: one for one in explained(drawn_from)}
    assert {model: one.excluded for model, one in found.items()} == {"dear": "", **exclusions}
    assert found["cheap"].terms == terms_of(CHEAP, Objective(), 0.0)
    assert (found["abroad"].terms, found["abroad"].forecast, found["abroad"].probability) == (None, None, 0.0)


def test_what_the_policy_intended_beside_a_baseline_is_told():
    plain = {one.model: one.intended for one in explained(DRAWN_FROM)}
    mixed = {one.model: one.intended for one in explained(DRAWN_FROM._replace(intended={"cheap": 0.9, "dear": 0.1}))}
    assert plain == {"cheap": None, "dear": None, "retired": None}
    assert mixed == {"cheap": 0.9, "dear": 0.1, "retired": None}


def test_a_price_acts_on_the_term_of_cost_alone(snapshot):
    seen = snapshot()
    dearer = [replace(MODELS[0], prices=Prices(1.0, 3.0)), *MODELS[1:]]
    repriced = snapshot_of(seen.posterior, dearer, seen.settings)
    before, after = (
        terms_of(model_forecasts(one, "chat", policy(one, ASKED))["m0"], Objective(), 0.0) for one in (seen, repriced)
    )
    assert after.cost_usd == pytest.approx(10.0 * before.cost_usd)
    assert after._replace(cost_usd=0.0) == before._replace(cost_usd=0.0)


def test_a_budget_doubles_every_dollar_in_what_is_said_of_the_best(snapshot):
    """As twice the prices would: the draws are the same."""
    seen = snapshot()
    scarce = replace(seen, budgets=(priced_at(1.0),))
    twice = [Prices(2.0 * prices.input_usd_per_mtok, 2.0 * prices.output_usd_per_mtok) for prices in PRICES]
    doubled = [replace(one, prices=prices) for one, prices in zip(MODELS, twice, strict=True)]
    dearer = snapshot_of(seen.posterior, doubled, seen.settings)
    said = [stated_best(one, ASKED, np.random.default_rng(3)) for one in (seen, scarce, dearer)]
    assert said[1] == said[2] != said[0]


def test_the_price_of_a_budget_is_a_term_of_what_was_logged():
    (dear, cheap, _) = explained(DRAWN_FROM._replace(budget_price=0.5))
    assert dear.terms is not None
    assert cheap.terms is not None
    assert (dear.terms.budget_usd, cheap.terms.budget_usd) == (0.002, 0.0005)
