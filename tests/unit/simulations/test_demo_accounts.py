"""The accounting of the demo, against figures computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from bandit.request import Objective
from simulations.demo.accounts import Truth, account, chosen_shares, rivals, truth_of
from simulations.world import World

CATEGORIES = np.array([0, 0, 0, 1])
UNKNOWN = np.nan


@pytest.fixture
def truth() -> Truth:
    """Random choice is worth .03 in both categories; best are `a` with .04 in the first, `b` with .05 in the other."""
    return Truth(
        models=("a", "b", "c"),
        value_usd=np.array([[0.040, 0.020, 0.030], [0.010, 0.050, 0.030]]),
        cost_usd=np.array([[0.004, 0.001, 0.002], [0.004, 0.001, 0.002]]),
        quality=np.array([[0.9, 0.5, 0.7], [0.3, 1.0, 0.7]]),
        latency_s=np.array([[1.0, 2.0, 3.0], [1.0, UNKNOWN, 3.0]]),
    )


def test_an_account_is_the_mean_over_the_choices_that_were_made(truth: Truth) -> None:
    shares = chosen_shares(CATEGORIES, np.array([0, 0, 1, 1]), (2, 3))
    assert shares.tolist() == [[0.5, 0.25, 0.0], [0.0, 0.25, 0.0]]
    made = account(truth, shares)
    assert made.value_usd == pytest.approx(0.0375)
    assert made.cost_usd == pytest.approx(0.0025)
    assert made.quality == pytest.approx(0.825)
    assert made.score == pytest.approx(60.0)
    assert made.model == ""


def test_what_is_unknown_of_a_choice_is_unknown_of_the_account_and_of_no_other(truth: Truth) -> None:
    assert account(truth, chosen_shares(CATEGORIES, np.array([0, 0, 0, 1]), (2, 3))).latency_s is None
    assert account(truth, chosen_shares(CATEGORIES, np.array([0, 0, 1, 0]), (2, 3))).latency_s == pytest.approx(1.25)


def test_the_rivals_get_the_same_requests(truth: Truth) -> None:
    others = rivals(truth, chosen_shares(CATEGORIES, np.array([2, 2, 2, 2]), (2, 3)))
    assert {name: one.model for name, one in others.items()} == {
        "oracle": "",
        "best-fixed": "a",
        "dearest": "a",
        "cheapest": "b",
        "random": "",
    }
    assert {name: one.value_usd for name, one in others.items()} == pytest.approx(
        {"oracle": 0.0425, "best-fixed": 0.0325, "dearest": 0.0325, "cheapest": 0.0275, "random": 0.03}
    )
    assert {name: one.score for name, one in others.items()} == pytest.approx(
        {"oracle": 100.0, "best-fixed": 20.0, "dearest": 20.0, "cheapest": -20.0, "random": 0.0}
    )
    assert others["random"].cost_usd == pytest.approx(0.007 / 3)


def test_an_oracle_that_needs_one_model_only_names_it(truth: Truth) -> None:
    requests = chosen_shares(np.array([0, 0]), np.array([1, 2]), (2, 3))
    assert rivals(truth, requests)["oracle"].model == "a"


def test_models_that_do_not_differ_have_no_score(truth: Truth) -> None:
    equal = replace(truth, value_usd=np.full((2, 3), 0.03))
    assert account(equal, chosen_shares(CATEGORIES, np.array([0, 1, 2, 0]), (2, 3))).score is None


def test_the_truth_is_the_value_of_an_answer_less_what_it_costs_and_the_wait(world: World) -> None:
    truth = truth_of(world, Objective(1.0, 0.01))
    assert truth.models == ("dear", "cheap")
    assert truth.value_usd == pytest.approx(np.array([[0.955, 0.9885], [0.945, -0.0195]]))
    assert truth.cost_usd == pytest.approx(np.array([[0.025, 0.0065], [0.035, 0.0095]]))


def test_dollars_grow_with_the_value_of_an_answer_and_not_with_its_unit(world: World) -> None:
    worth = truth_of(world, Objective(0.1, 0.01)).value_usd
    assert worth[0, 0] == pytest.approx(0.1 - 0.025 - 0.02)
