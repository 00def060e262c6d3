"""What outcomes are worth under other prices, and what is unknown."""

from collections.abc import Callable

import numpy as np
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.log import CallLog
from bandit.catalogue import Prices
from bandit.signals import Kind, Status
from simulations.errors import OptionsError
from simulations.replay.course import Course, Stage
from simulations.replay.figures import figures_of
from simulations.replay.offer import Learner, WhatIf, logged_prices, offered
from simulations.replay.stage import stage_of
from simulations.replay.traffic import traffic_of
from simulations.replay.unlearning import CHEAPEST, HINDSIGHT, LOGGED, PRICIEST, unlearning

Staged = Callable[..., Stage]


def call(number: int, model: str, **changes: object) -> Call:
    """A call of 1,000 prompt tokens as the caller counts them, 2 and 10 $/Mtok, whose model counts a tenth more."""
    known = {
        "kind": Kind.SAMPLED,
        "requested_tokens": 1000 + 10 * number,
        "input_tokens": 1100 + 11 * number,
        "output_tokens": 50,
        "cost_usd": ((1100 + 11 * number) * 2 + 50 * 10) * 1e-6,
        "latency_s": 2.0,
        "status": Status.OK,
        "quality": 1.0,
    }
    return Call("chat", model, 1_700_000_000_000_000 + number * 1_000_000, **{**known, **changes})  # type: ignore[arg-type]


def priced(log: CallLog, **prices: Prices) -> Stage:
    traffic = traffic_of(log)
    logged = logged_prices(traffic)
    learner = Learner(offered(traffic, (), WhatIf(prices), logged))
    return stage_of(traffic, learner, logged, drift="none")[0]


def test_an_outcome_costs_the_request_its_own_prompt_at_the_new_price() -> None:
    ready = priced(CallLog(call(n, "one", output_tokens=50 + n) for n in range(40)), one=Prices(4.0, 10.0))
    cost = ready.worth.cost_usd(np.array([3]), np.array([30]))
    assert cost == pytest.approx((1300 * 1.1 * 4 + 53 * 10) * 1e-6)


def test_prices_of_the_log_give_the_costs_of_the_log() -> None:
    log = [
        call(n, "one", output_tokens=50 + n, cost_usd=((1100 + 11 * n) * 2 + (50 + n) * 10) * 1e-6) for n in range(40)
    ]
    ready = priced(CallLog(log))
    rows = np.arange(40)
    assert ready.worth.cost_usd(rows, rows) == pytest.approx([one.cost_usd for one in log], rel=1e-4)


def test_a_call_that_knows_its_cost_alone_costs_in_proportion() -> None:
    calls = [call(n, "one", cost_usd=0.01, output_tokens=None, input_tokens=None) for n in range(30)]
    ready = priced(CallLog(calls), one=Prices(0.0, 100.0))
    rows = np.arange(30)
    assert ready.worth.cost_usd(rows, rows) == pytest.approx(0.02)  # it was billed 0.01 for an answer of 200 tokens


def test_a_call_that_failed_costs_nothing_unless_the_log_bills_it() -> None:
    calls = [call(n, "one", quality=None, status=Status.ERROR, cost_usd=None) for n in range(3)]
    calls += [call(n, "one", quality=None, status=Status.ERROR) for n in range(3, 6)] + [
        call(n, "one") for n in range(6, 30)
    ]
    worth = priced(CallLog(calls)).worth
    rows = np.arange(30)
    cost = worth.cost_usd(rows, rows)
    assert (cost[:3] == 0.0).all()
    assert (cost[3:] > 0.0).all()
    assert worth.answer.tolist() == [0.0] * 6 + [1.0] * 24
    assert worth.error.tolist() == [1.0] * 6 + [0.0] * 24


def test_what_an_outcome_does_not_know_is_the_mean_of_its_model_and_counted() -> None:
    calls = [call(n, "one", quality=(1.0, 0.0, None)[n % 3], latency_s=None if n == 4 else 2.0) for n in range(30)]
    calls += [call(n, "two", quality=None) for n in range(30)]
    ready = priced(CallLog(calls))
    of_one = ready.traffic.model == ready.traffic.models.index("one")
    assert ready.worth.answer[of_one].tolist() == [(1.0, 0.0, 0.5)[n % 3] for n in range(30)]
    assert np.isnan(ready.worth.answer[~of_one]).all()
    assert ready.worth.taken == {"quality": 10, "cost": 0, "latency": 1}


def test_seldom_judgements_stand_for_answers_alone_and_failures_for_nothing() -> None:
    """`two` answers 70 calls of 100, a tenth of them is judged, and all but one of these seven were good."""
    calls = [call(n, "one") for n in range(30)]
    for n in range(100):
        if n % 10 < 3:
            calls.append(call(n, "two", quality=None, status=Status.ERROR, cost_usd=None))
        else:
            calls.append(call(n, "two", quality=float(n != 9) if n % 10 == 9 and n < 70 else None))
    ready = priced(CallLog(calls))
    two = ready.traffic.model == ready.traffic.models.index("two")
    failed = ready.traffic.status[two] == Status.ERROR
    assert (ready.worth.answer[two][failed] == 0.0).all()
    assert ready.worth.answer[two][~failed].mean() == pytest.approx(6 / 7)
    shown = figures_of(ready, 0, bootstrap=False, stops_when_dry=False)["fixed:two"].figures
    assert shown["answer"] == pytest.approx(0.7 * 6 / 7, abs=0.05)


def test_a_cancelled_call_tells_neither_answer_nor_error() -> None:
    calls = [call(n, "one", quality=0.5) for n in range(30)] + [call(30, "one", quality=1.0, status=Status.CANCELLED)]
    calls += [call(n, "one", quality=None, status=Status.ERROR) for n in range(31, 41)]
    worth = priced(CallLog(calls)).worth
    assert np.isnan(worth.error[30])
    assert worth.answer[30] == pytest.approx(0.5 * 30 / 40)  # as good as others, failing as often
    assert worth.taken["quality"] == 1


def test_a_cost_that_is_unknown_is_that_of_calls_that_did_not_fail() -> None:
    unknown = {"cost_usd": None, "input_tokens": None, "output_tokens": None}
    calls = [call(n, "one") for n in range(30)]
    calls += [call(n, "one", status=Status.ERROR, quality=None, **unknown) for n in range(30, 50)]
    calls += [call(50, "one", **unknown)]
    worth = priced(CallLog(calls)).worth
    rows = np.full(1, 50)
    assert worth.cost_usd(rows, rows) == pytest.approx((1500 * 1.1 * 2 + 50 * 10) * 1e-6, rel=1e-3)
    assert (worth.cost_usd(np.arange(30, 50), np.arange(30, 50)) == 0.0).all()
    assert worth.taken["cost"] == 1


def cached(n: int) -> Call:
    """A call whose prompt is read from the cache but for 100 tokens, at 2, 0.5 and 10 $/Mtok, and of many lengths."""
    prompt, answer = 1100 + 11 * n, 50 + n * 7 % 13
    usd = (100 * 2 + (prompt - 100) * 0.5 + answer * 10) * 1e-6
    return call(n, "one", cached_input_tokens=prompt - 100, output_tokens=answer, cost_usd=usd)


@pytest.mark.parametrize("listed", [{}, {"one": Prices(2.0, 10.0, 0.5)}])
def test_prompts_from_the_cache_cost_what_the_log_says(listed: dict[str, Prices]) -> None:
    log = [cached(n) for n in range(40)]
    ready, rows = priced(CallLog(log), **listed), np.arange(40)
    assert ready.worth.cost_usd(rows, rows) == pytest.approx([one.cost_usd for one in log], rel=1e-3)


def test_prompts_from_the_cache_cost_as_any_where_no_price_is_listed_for_them() -> None:
    ready = priced(CallLog([cached(n) for n in range(40)]), one=Prices(2.0, 0.0))
    assert ready.worth.cost_usd(np.array([3]), np.array([30])) == pytest.approx(1300 * 1.1 * 2 * 1e-6)


def test_requests_of_unknown_length_cost_what_the_outcome_did() -> None:
    calls = [call(n, "one", requested_tokens=None) for n in range(30)]
    ready, rows = priced(CallLog(calls)), np.arange(30)
    assert ready.worth.cost_usd(rows[::-1].copy(), rows) == pytest.approx(
        [one.cost_usd for one in calls[::-1]], rel=1e-4
    )


def test_a_model_that_was_never_judged_has_no_value_and_takes_none_from_others() -> None:
    calls = [call(n, "one") for n in range(30)] + [call(n, "two", quality=None) for n in range(30)]
    shown = figures_of(priced(CallLog(calls)), 0, bootstrap=False, stops_when_dry=False)
    assert np.isnan(shown["fixed:two"].figures["value_usd"])
    assert np.isnan(shown["fixed:two"].value_usd).all()
    assert shown["fixed:two"].figures["cost_usd"] > 0
    assert shown["fixed:one"].figures["valued"] == 1.0
    assert shown["fixed:one"].figures["value_usd"] > 0


def test_the_cheapest_and_the_priciest_follow_the_new_prices_and_hindsight_the_value() -> None:
    calls = [call(n, model, quality=float(model == "good")) for n in range(30) for model in ("good", "bad")]
    ready = priced(CallLog(calls), good=Prices(2.0, 10.0), bad=Prices(1.0, 5.0))
    played = dict(unlearning(ready, Course.of(ready, 0)))
    names = {name: {ready.traffic.models[m] for m in ready.traffic.model[one.outcomes]} for name, one in played.items()}
    assert names[CHEAPEST] == {"bad"}
    assert names[PRICIEST] == names[HINDSIGHT] == {"good"}
    assert names["fixed:bad"] == {"bad"}


def test_what_was_logged_gets_its_own_outcomes_and_no_lift(stage: Staged, invented: Callable[..., CallLog]) -> None:
    ready = stage(invented(200), Learner(refresh_s=50_000.0))
    course = Course.of(ready, 4)
    assert np.array_equal(dict(unlearning(ready, course))[LOGGED].outcomes, course.rows)
    assert figures_of(ready, 4, bootstrap=True, stops_when_dry=False)[LOGGED].figures["lift_usd"] == 0.0


def test_a_model_without_a_price_is_refused_with_what_to_do() -> None:
    traffic = traffic_of(CallLog(call(n, "one", cost_usd=None) for n in range(5)))
    with pytest.raises(OptionsError, match="--price one=INPUT,OUTPUT"):
        offered(traffic, (), WhatIf(), logged_prices(traffic))
    assert offered(traffic, (), WhatIf({"one": Prices(1.0, 2.0)}), {})[0].prices == Prices(1.0, 2.0)


@pytest.mark.parametrize(
    ("what_if", "complaint"),
    [
        (WhatIf(models=("won",)), "--models names 'won', which is not among the models: one"),
        (WhatIf(without=("two",)), "--without names 'two'"),
        (WhatIf(without=("one",)), "no model is left"),
        (WhatIf({"two": Prices(1, 1)}), "--price names 'two'"),
    ],
)
def test_names_that_are_not_in_the_log_are_refused(what_if: WhatIf, complaint: str) -> None:
    traffic = traffic_of(CallLog(call(n, "one") for n in range(5)))
    with pytest.raises(OptionsError, match=complaint):
        offered(traffic, (), what_if, logged_prices(traffic))
