"""Each check of the gate refuses by itself, and lets pass what is just sound."""

from dataclasses import replace

import numpy as np
import pytest

from adapters.traffic.calls import Calls
from bandit.request import Objective
from simulations.lights import Check
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.evaluation import Evaluation, evaluate
from simulations.offpolicy.gate import policy_checks
from simulations.offpolicy.policies import ANY, DEFAULT, Policy, fixed
from simulations.offpolicy.weights import Weights

SOUND = Weights(
    ess=1500.0, largest_share=0.01, mean=1.01, mean_se=0.02, expected_ess=1500.0, unidentified=0.0, unknown=(0.0,) * 4
)
BALANCED = Objective()
ALIKE = Policy("uniform", {DEFAULT: {ANY: 1.0}})


def statuses(weights: Weights, quality: float = 0.8, objective: Objective = BALANCED) -> dict[str, str]:
    return {check.name: check.status for check in policy_checks("p", weights, quality, objective)}


def test_what_is_sound_passes_every_check() -> None:
    assert set(statuses(SOUND).values()) == {"green"}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("effective sample size", {"ess": 100.0}, {"ess": 99.0}),
        ("largest weight", {"largest_share": 0.05}, {"largest_share": 0.051}),
        ("mean weight", {"mean": 0.93}, {"mean": 0.91}),
        ("mean weight", {"mean": 1.07}, {"mean": 1.09}),
        ("unidentified mass", {"unidentified": 0.01}, {"unidentified": 0.011}),
        ("known parts", {"unknown": (0.0, 0.01, 0.0, 1.0)}, {"unknown": (0.0, 0.02, 0.0, 0.0)}),
    ],
)
def test_a_check_is_red_beyond_its_limit_and_no_other_is(
    name: str, good: dict[str, float], bad: dict[str, float]
) -> None:
    assert statuses(replace(SOUND, **good))[name] != "red"  # type: ignore[arg-type]
    found = statuses(replace(SOUND, **bad))  # type: ignore[arg-type]
    assert [check for check, status in found.items() if status == "red"] == [name]


def test_a_quality_that_can_only_be_vague_is_refused() -> None:
    # .4 / sqrt(256) is .025.
    assert statuses(replace(SOUND, expected_ess=256.1))["precision"] == "green"
    assert statuses(replace(SOUND, expected_ess=255.0))["precision"] == "red"
    assert statuses(replace(SOUND, expected_ess=0.0))["precision"] == "red"


def test_the_expected_sample_size_is_the_realised_one_in_the_mean(uniform: Calls) -> None:
    [valued] = evaluation_of(uniform, fixed(uniform.models[1])).policies
    assert valued.weights.expected_ess == pytest.approx(valued.weights.ess, rel=0.05)


def test_few_judged_calls_are_amber() -> None:
    assert statuses(replace(SOUND, ess=999.0))["effective sample size"] == "amber"


def test_latency_that_is_worth_nothing_need_not_be_known() -> None:
    unknown = replace(SOUND, unknown=(0.0, 0.0, 1.0, 0.0))
    assert statuses(unknown)["known parts"] == "red"
    assert statuses(unknown, objective=Objective(0.05, 0.0))["known parts"] == "green"


def evaluation_of(calls: Calls, *policies: Policy) -> Evaluation:
    found, _ = evaluate(sums_of(calls), policies or (ALIKE,), Objective(), rng=np.random.default_rng(1))
    return found


def check(found: Evaluation, name: str, policy: str = "") -> Check:
    [one] = [one for one in found.checks if one.name == name and one.policy == policy]
    return one


def test_a_log_that_is_one_session_is_refused(uniform: Calls) -> None:
    session = np.where(np.arange(len(uniform)) < 2, np.arange(len(uniform)), 7)
    found = evaluation_of(replace(uniform, session=session))
    assert check(found, "independent units").status == "red"
    assert found.policies[0].headline is None


def test_a_cost_that_no_call_tells_is_refused_and_never_counts_as_nothing(uniform: Calls) -> None:
    found = evaluation_of(replace(uniform, cost_usd=np.full(len(uniform), np.nan)))
    assert found.verdict == "red"
    assert np.isnan(found.logged.value)
    assert np.isnan(found.policies[0].components[1])
    assert any("whose cost is known; give prices" in one.says for one in found.checks)


def test_a_model_whose_cost_is_unknown_does_not_get_the_cost_of_others(uniform: Calls) -> None:
    found = evaluation_of(
        replace(uniform, cost_usd=np.where(uniform.model == 1, np.nan, uniform.cost_usd)),
        fixed(uniform.models[1]),
        fixed(uniform.models[0]),
    )
    assert {check(found, "known parts", policy.policy.name).status for policy in found.policies} == {"red", "green"}
    assert check(found, "known parts").status == "red"
    assert "74.3%" in check(found, "known parts").says
    assert np.isnan(found.logged.value)
    assert all(policy.lift is None for policy in found.policies)


def test_a_category_in_which_a_model_was_never_judged_is_unidentified(uniform: Calls) -> None:
    hidden = (uniform.category == 1) & (uniform.model == 2)
    found = evaluation_of(replace(uniform, quality=np.where(hidden, np.nan, uniform.quality)), fixed(uniform.models[2]))
    assert check(found, "unidentified mass", found.policies[0].policy.name).status == "red"


def test_judgements_that_favour_a_model_are_told(uniform: Calls) -> None:
    """Of one model, most bad answers are not judged."""
    bad = (uniform.model == 1) & (uniform.quality == 0.0) & (np.arange(len(uniform)) % 5 > 0)
    found = evaluation_of(replace(uniform, quality=np.where(bad, np.nan, uniform.quality)))
    assert check(found, "feedback per model").status == "amber"


def test_one_row_with_probabilities_does_not_vouch_for_all_others(uniform: Calls) -> None:
    drawn_from = np.full(len(uniform), -1)
    drawn_from[0] = uniform.drawn_from[0]
    found = evaluation_of(replace(uniform, drawn_from=drawn_from))
    assert check(found, "propensity calibration").status == "amber"
    assert check(found, "eligibility").status == "green"


def test_eligible_models_without_probabilities_are_known_as_such(uniform: Calls) -> None:
    eligible = np.where(np.isfinite(uniform.probabilities), np.inf, np.nan)
    found = evaluation_of(replace(uniform, probabilities=eligible))
    assert found.headline == "dr"
    assert found.policies[0].status != "red"
