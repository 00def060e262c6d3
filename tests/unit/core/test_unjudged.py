"""Calls spread while nobody has judged anything; what is believed stays as it is."""

import numpy as np
import pytest

from bandit.catalogue import Model, Prices
from bandit.policy import Distribution, policy
from bandit.posterior import infer
from bandit.priors import InferenceSettings
from bandit.request import Limits, Request
from bandit.snapshot import PolicySettings, snapshot_of
from bandit.sums import Moments, RowKey, Sums, add_rows
from bandit.unjudged import doubts

NOTHING = np.zeros((2, 2), np.int64)
MODELS = (Model("cheap", Prices(1.0, 1.0)), Model("dear", Prices(5.0, 5.0)))
AT_ONCE = PolicySettings(spreads_unjudged=False)


def test_answers_that_nobody_ever_judges_are_no_longer_waited_for():
    assert doubts(NOTHING, np.full((2, 2), 5000)).max() < 0.13
    assert doubts(NOTHING, np.full((2, 2), 50_000)).max() < 0.002


def test_failed_calls_wait_for_no_judgement_and_what_is_forgotten_was_judged():
    rows = {RowKey("chat", "cheap", "error", "", 0): Moments(300, 300 << 20, 300 << 20)}
    assert infer(add_rows(Sums.empty(10_000_000), rows), 0, InferenceSettings()).doubt.tolist() == [[0.0], [0.0]]
    judged = {
        RowKey("chat", "cheap", "error", "", 0): Moments(300, 0, 0),
        RowKey("chat", "cheap", "quality", "thumb", 0): Moments(100, 100 << 20, 100 << 20),
    }
    forgetful = InferenceSettings(half_lives_s={"quality": 60.0})
    later = infer(add_rows(Sums.empty(10_000_000), judged), 3_600_000_000, forgetful)
    assert later.quality.weight.max() < 1e-6
    assert later.doubt.max() < 1e-6


def chosen(thumbs: int = 0, settings: PolicySettings | None = None, limits: Limits | None = None) -> Distribution:
    """What is drawn from after 200 answers of the cheap model and two of the dear one, all equally fast."""
    rows = {}
    for model, count in (("cheap", 200), ("dear", 2)):
        rows[RowKey("chat", model, "error", "", 0)] = Moments(count, 0, 0)
        rows[RowKey("chat", model, "latency", "", 0)] = Moments(count, 0, 0)
        rows[RowKey("chat", model, "quality", "thumb", 0)] = Moments(thumbs, thumbs << 20, thumbs << 20)
    posterior = infer(add_rows(Sums.empty(10_000_000), rows), 0, InferenceSettings())
    snapshot = snapshot_of(posterior, MODELS, settings or PolicySettings())
    return policy(snapshot, Request("chat", 0b11, 1000, limits=limits or Limits()))


def test_without_answers_there_is_no_doubt():
    assert doubts(NOTHING, NOTHING).tolist() == NOTHING.tolist()


def test_the_models_that_were_called_are_doubted_more_up_to_some_answers():
    doubt = doubts(NOTHING, np.array([[500, 3], [20, 0]]))
    assert doubt[0, 0] == doubt[1, 0] > doubt[0, 1] > doubt[1, 1] == 0.0
    assert doubt[0, 0] == pytest.approx(0.35 * 6.0 / 8.0, rel=0.05)


def test_a_few_answers_do_not_make_judgements_late_and_a_few_judgements_end_the_doubt():
    assert doubts(NOTHING, np.full((2, 2), 3)).max() < 0.01
    assert doubts(np.full((2, 2), 5), np.full((2, 2), 500)).max() < 0.002


def test_calls_go_to_the_model_that_was_called_less_while_nobody_judges():
    assert chosen(settings=AT_ONCE).probabilities[0] > 0.9
    assert chosen().probabilities[1] > 0.8


def test_calls_go_where_they_went_once_answers_are_judged():
    assert chosen(thumbs=20).probabilities == pytest.approx(chosen(20, AT_ONCE).probabilities, abs=1e-3)


def test_what_is_forecast_and_held_against_limits_has_no_doubt_in_it():
    waiting, at_once = chosen(limits=Limits(min_quality=0.84)), chosen(settings=AT_ONCE)
    assert waiting.forecasts.quality.tolist() == at_once.forecasts.quality.tolist()
    assert waiting.forecasts.utility_usd.tolist() == at_once.forecasts.utility_usd.tolist()
    assert waiting.exclusions == {}
    assert waiting.ranking == at_once.ranking
