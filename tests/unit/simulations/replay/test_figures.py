"""What is unknown of some requests is left out of means, curves and lifts, and every policy is checked for it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.log import CallLog
from bandit.signals import Kind, Status
from simulations.replay.checks import overall, status_of
from simulations.replay.command import ReplayOptions, replay
from simulations.replay.course import Stage
from simulations.replay.figures import LEARNER, Shown, figures_of
from simulations.replay.offer import Learner
from simulations.replay.unlearning import LOGGED

Staged = Callable[..., Stage]
SLOW = Learner(refresh_s=1e6)


def half_judged(calls: int = 400) -> CallLog:
    """Two categories, taking turns; of `two` nobody ever judged an answer in the category code."""
    rng = np.random.default_rng(4)

    def call(number: int) -> Call:
        category, model = ("chat", "code")[number % 2], ("one", "two")[int(rng.integers(2))]
        return Call(
            category,
            model,
            1_700_000_000_000_000 + number * 1_000_000,
            kind=Kind.SAMPLED,
            input_tokens=100,
            output_tokens=100,
            cost_usd=0.001,
            latency_s=1.0,
            status=Status.OK,
            quality=None if (category, model) == ("code", "two") else float(rng.random() < 0.8),
        )

    return CallLog(call(number) for number in range(calls))


def shown(stage: Stage) -> dict[str, Shown]:
    return figures_of(stage, 0, bootstrap=False, stops_when_dry=False)


def test_an_unknown_value_counts_in_a_curve_as_the_mean_of_those_that_are_known(stage: Staged) -> None:
    for name, one in shown(stage(half_judged(), SLOW)).items():
        assert one.value_usd[-1] == pytest.approx(400 * one.figures["value_usd"]), name
        assert np.isfinite(one.value_usd).all()
        assert one.spend_usd[-1] == pytest.approx(0.4)
    assert one.figures["valued"] == 0.5


def test_a_lift_is_over_requests_whose_value_is_known_on_both_sides(stage: Staged) -> None:
    ready = stage(half_judged(), SLOW)
    code = ready.traffic.category == ready.traffic.categories.index("code")
    worth = replace(ready.worth, answer=np.where(code, np.nan, 1.0))
    dear = replace(ready, worth=replace(worth, fixed_usd=np.where(code, 1.0, ready.worth.fixed_usd)))
    assert shown(dear)[LEARNER].figures["lift_usd"] == pytest.approx(0.0)
    of_one = ready.traffic.model == ready.traffic.models.index("one")
    half = replace(ready, worth=replace(ready.worth, answer=np.where(of_one, 1.0, np.nan)))
    assert shown(half)["fixed:one"].figures["lift_usd"] == pytest.approx(0.0)
    assert np.isnan(shown(half)["fixed:two"].figures["lift_usd"])


def test_every_policy_that_is_shown_is_checked() -> None:
    result = replay(half_judged(), SLOW, ReplayOptions(workers=1))
    unvalued = {check.policy: check for check in result.checks if check.name == "unvalued"}
    assert unvalued.keys() == result.policies.keys()
    assert {"fixed:one", "best in hindsight"} <= {name for name, check in unvalued.items() if check.status == "green"}
    assert unvalued["fixed:two"].value == pytest.approx(0.5)
    assert unvalued["fixed:two"].says == "50.0% of the outcomes have no known value, for want of quality"
    assert status_of("fixed:two", result.checks) == "red"
    assert status_of("best in hindsight", result.checks) != "red"
    assert {check.name for check in result.checks if check.policy == "fixed:one"} == {
        "resampled",
        "thin tapes",
        "borrowed",
        "unvalued",
    }
    assert [check.name for check in result.checks if check.policy == LOGGED] == ["unvalued"]
    assert overall(result.checks) == "red"
    assert overall([check for check in result.checks if check.policy.startswith("fixed")]) == "green"


def test_a_log_without_latencies_is_told_how_to_go_without_them() -> None:
    log = CallLog(call._replace(latency_s=None) for call in half_judged(40).calls())
    checks = replay(log, SLOW, ReplayOptions(workers=1)).checks
    [says] = [check.says for check in checks if (check.name, check.policy) == ("unvalued", LEARNER)]
    assert says == (
        "100.0% of the outcomes have no known value, for want of quality and "
        "latency (--second-value-usd 0 leaves it out)"
    )


def test_latencies_are_counted_for_every_policy(stage: Staged) -> None:
    for one in shown(stage(half_judged(), SLOW)).values():
        assert one.latencies.sum() == one.latencies.max() == 400
