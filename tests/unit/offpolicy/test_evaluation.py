"""The gate refuses what the log cannot tell, and numbers that it lets pass are those of the estimators."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from adapters.traffic.calls import UNKNOWN, Calls
from bandit.request import Objective
from simulations.generator import MODELS
from simulations.lights import Check
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy.collapse import sums_of
from simulations.offpolicy.components import weights_of
from simulations.offpolicy.document import document_of
from simulations.offpolicy.evaluation import Evaluation, evaluate
from simulations.offpolicy.policies import ANY, DEFAULT, Policy, fixed

ALIKE = Policy("uniform", {DEFAULT: {ANY: 1.0}})
OBJECTIVE = Objective()


def evaluation_of(calls: Calls, *policies: Policy, objective: Objective = OBJECTIVE) -> Evaluation:
    found, _ = evaluate(sums_of(calls), policies or (ALIKE,), objective, rng=np.random.default_rng(1))
    return found


def check(found: Evaluation, name: str, policy: str = "") -> Check:
    [one] = [one for one in found.checks if one.name == name and one.policy == policy]
    return one


def test_a_sound_log_passes_with_a_value_and_a_lift(uniform: Calls) -> None:
    found = evaluation_of(uniform)
    [valued] = found.policies
    assert found.verdict == "green"
    assert valued.status in ("green", "amber")
    assert valued.headline is not None
    assert valued.lift is not None
    assert valued.headline.low < found.logged.value < valued.headline.high
    assert valued.lift.low_simultaneous <= valued.lift.low < 0 < valued.lift.high <= valued.lift.high_simultaneous


def test_a_log_without_propensities_is_refused_and_no_number_is_shown(uniform: Calls) -> None:
    found = evaluation_of(replace(uniform, propensity=np.full(len(uniform), np.nan)))
    assert found.verdict == "red"
    assert check(found, "propensities").status == "red"
    assert "routeward replay" in check(found, "propensities").says
    assert found.policies == ()


def test_propensities_that_are_not_the_probabilities_are_refused(uniform: Calls) -> None:
    """Logging 1/n where a model was preferred: every check of the calibration is beside the point of luck."""
    rng = np.random.default_rng(4)
    preferred = np.where(rng.random(len(uniform)) < 0.2, 0, uniform.model)
    found = evaluation_of(replace(uniform, model=preferred))
    assert check(found, "propensity calibration").status == "red"
    assert found.verdict == "red"
    assert all(valued.headline is None and valued.lift is None for valued in found.policies)


def test_a_model_that_the_log_hardly_tried_is_refused(uniform: Calls) -> None:
    p = np.array([[0.9985, 0.0005, 0.0005, 0.0005]])
    rng = np.random.default_rng(5)
    model = rng.choice(4, len(uniform), p=p[0])
    nothing = np.zeros(len(uniform), np.int64)
    seldom = replace(uniform, model=model, propensity=p[0][model], probabilities=p, drawn_from=nothing)
    found = evaluation_of(seldom, fixed(uniform.models[1]), fixed(uniform.models[0]))
    refused, kept = found.policies
    assert refused.status == "red"
    assert check(found, "unidentified mass", refused.policy.name).status == "red"
    assert "hardly ever did" in " ".join(refused.reasons)
    assert kept.status != "red"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda calls: replace(calls, quality=np.full(len(calls), np.nan)), "feedback"),
        (
            lambda calls: replace(
                calls, quality=np.where((calls.model == 1) & (np.arange(len(calls)) % 4 > 0), np.nan, calls.quality)
            ),
            "feedback per model",
        ),
    ],
)
def test_missing_judgements_are_told(uniform: Calls, change: Callable[[Calls], Calls], name: str) -> None:
    assert check(evaluation_of(change(uniform)), name).status != "green"


def test_models_that_could_not_always_be_chosen_are_told(uniform: Calls) -> None:
    without = np.array([[0.25] * 4, [np.nan, 1 / 3, 1 / 3, 1 / 3]])
    drawn_from = (np.arange(len(uniform)) % 2) * (uniform.model > 0)
    changed = replace(
        uniform,
        probabilities=without,
        drawn_from=drawn_from,
        propensity=np.where(drawn_from > 0, 1 / 3, 0.25),
    )
    assert check(evaluation_of(changed), "eligibility").status == "amber"


def test_a_value_that_drifts_takes_the_weights_by_propensity_out_of_the_headline(uniform: Calls) -> None:
    assert evaluation_of(uniform).headline == "awdr"
    late = np.arange(len(uniform)) > len(uniform) // 2
    drifting = evaluation_of(replace(uniform, quality=np.where(late, 0.0, uniform.quality)))
    assert check(drifting, "drift").status == "amber"
    assert drifting.headline == "dr"


def test_where_only_the_chosen_probability_is_known_the_headline_is_doubly_robust(uniform: Calls) -> None:
    found = evaluation_of(replace(uniform, drawn_from=np.full(len(uniform), UNKNOWN)))
    assert found.headline == "dr"
    assert "awdr" not in found.policies[0].estimates
    assert check(found, "propensity calibration").status == "amber"


def test_lifts_beside_more_policies_are_wider_and_never_narrower_than_alone(uniform: Calls) -> None:
    models = [fixed(model) for model in uniform.models]
    alone, beside = evaluation_of(uniform, models[0]), evaluation_of(uniform, *models)
    one, many = alone.policies[0].lift, beside.policies[0].lift
    assert one is not None
    assert many is not None
    assert (one.low, one.high) == (many.low, many.high)
    assert one.low_simultaneous == pytest.approx(one.low, rel=0.05)
    assert many.low_simultaneous < many.low


def test_the_value_of_a_call_is_linear_in_what_answers_and_seconds_are_worth(uniform: Calls) -> None:
    [valued] = evaluation_of(uniform).policies
    for objective in (Objective(1.0, 0.0), Objective(0.01, 0.01)):
        [other] = evaluation_of(uniform, objective=objective).policies
        assert other.headline is not None
        assert other.headline.value == pytest.approx(float(np.array(valued.components) @ weights_of(objective)))


def test_the_same_seed_gives_the_same_document() -> None:
    settings = LogSettings(rows=2000, seed=3, models=MODELS[:3])
    [calls] = InventedLog(settings).batches(settings.rows)

    def document() -> object:
        found, evaluator = evaluate(sums_of(calls), [ALIKE], OBJECTIVE, rng=np.random.default_rng(7))
        return document_of(found, evaluator, "log")

    assert document() == document()


def test_what_is_unknown_is_null_in_the_document(uniform: Calls) -> None:
    without = replace(uniform, cost_usd=np.full(len(uniform), np.nan), time_us=np.full(len(uniform), UNKNOWN))
    found, evaluator = evaluate(sums_of(without, timed=False), [ALIKE], OBJECTIVE, rng=np.random.default_rng(7))
    document = document_of(found, evaluator, "log")
    json.dumps(document, allow_nan=False)
    assert document["logged"]["value"] is None
    assert document["policies"]["uniform"]["components"]["cost_usd"] is None
    assert document["time"]["starts_us"] is None
    assert all(cell["cost_usd"] is None for cell in document["cells"])
