"""Invented traffic logs: their truth is true, and they are the same however they are read."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest

from adapters.traffic.calls import Calls, session_number
from bandit.request import Objective
from bandit.signals import Kind, Status
from simulations.generator import MODELS, TASKS
from simulations.logs.invented import LogSettings, generated_calls
from simulations.logs.loggers import FLOOR, LOGGERS
from simulations.logs.noise import BLOCK
from simulations.logs.portions import session_name

SMALL = LogSettings(rows=3000, models=MODELS[:4], tasks=TASKS[:3], refresh_rows=200)
FAR_OUT = 5.0
"""Standard errors that none of 48 normal numbers exceeds in more than 3 of 100,000 worlds."""


def read(settings: LogSettings, size: int = 1000) -> list[Calls]:
    return list(generated_calls(settings, size)[1])


def column(batches: list[Calls], name: str) -> np.ndarray:
    return np.concatenate([getattr(batch, name) for batch in batches])


def distributions(batches: list[Calls]) -> np.ndarray:
    """Probabilities of each call, shape (n, M)."""
    return np.concatenate([batch.probabilities[batch.drawn_from] for batch in batches])


def columns() -> Iterator[str]:
    apart = {"categories", "models", "drawn_from", "probabilities"}
    yield from (one.name for one in fields(Calls) if one.name not in apart)


@pytest.mark.parametrize("logger", LOGGERS)
@pytest.mark.parametrize("size", [1, 77, 200, 2999, 10_000])
def test_a_log_is_the_same_in_portions_of_any_size(logger: str, size: int) -> None:
    settings = replace(SMALL, logger=logger, rows=600 if size == 1 else 3000, judged_share=0.5, session_length=7)
    whole, parts = read(settings, 3000), read(settings, size)
    assert len(parts) == -(-settings.rows // size)
    for name in columns():
        np.testing.assert_array_equal(column(whole, name), column(parts, name), err_msg=name)
    np.testing.assert_array_equal(distributions(whole), distributions(parts))


def test_portions_may_cross_the_blocks_that_numbers_are_drawn_in() -> None:
    settings = replace(SMALL, rows=2 * BLOCK + 10)
    whole, parts = read(settings, settings.rows), read(settings, BLOCK - 3)
    for name in columns():
        np.testing.assert_array_equal(column(whole, name), column(parts, name), err_msg=name)
    assert len(np.unique(column(whole, "latency_s"))) == settings.rows


def test_another_seed_gives_other_calls_of_the_same_world() -> None:
    truth, _ = generated_calls(SMALL)
    other, _ = generated_calls(replace(SMALL, seed=1))
    np.testing.assert_array_equal(truth.quality, other.quality)
    assert not np.array_equal(truth.quality, generated_calls(replace(SMALL, world_seed=1))[0].quality)
    assert not np.array_equal(column(read(SMALL), "quality"), column(read(replace(SMALL, seed=1)), "quality"))


@pytest.mark.parametrize("logger", LOGGERS)
def test_the_truth_is_what_calls_are_like_in_the_mean(logger: str) -> None:
    """False alarm: below 2 in 1,000 over seeds, which are fixed."""
    settings = LogSettings(rows=300_000, logger=logger, refresh_rows=10_000, error_share=0.1, judged_share=0.7)
    truth, batches = generated_calls(settings, 50_000)
    read_once = list(batches)
    cell = column(read_once, "category") * len(truth.models) + column(read_once, "model")
    failed = column(read_once, "status") == Status.ERROR
    quality = column(read_once, "quality")
    judged = np.isfinite(quality)
    assert not (judged & failed).any()
    for observed, known, mean in (
        (quality, judged, truth.quality),
        (failed.astype(float), np.ones_like(failed), truth.error_rate),
        (column(read_once, "cost_usd"), np.ones_like(failed), truth.cost_usd),
        (column(read_once, "latency_s"), np.ones_like(failed), truth.latency_s),
    ):
        for place, expected in enumerate(mean.ravel().tolist()):
            sample = observed[known & (cell == place)]
            assert abs(sample.mean() - expected) < FAR_OUT * sample.std() / len(sample) ** 0.5


def test_values_put_the_means_together_in_dollars() -> None:
    truth, _ = generated_calls(SMALL)
    values = truth.values_usd(Objective(answer_value_usd=2.0, second_value_usd=0.5))
    expected = 2.0 * truth.quality * (1 - truth.error_rate) - truth.cost_usd - 0.5 * truth.latency_s
    np.testing.assert_allclose(values, expected, rtol=1e-15)
    assert truth.shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("logger", LOGGERS)
def test_propensities_are_those_the_models_were_drawn_with(logger: str) -> None:
    """Counts of choices less their probabilities are martingales; false alarm: below 1 in 10,000."""
    settings = replace(SMALL, rows=20_000, logger=logger)
    batches = read(settings)
    p, model = distributions(batches), column(batches, "model")
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(p[np.arange(len(model)), model], column(batches, "propensity"))
    surprise = (model[:, None] == np.arange(4)) - p
    assert (np.abs(surprise.sum(axis=0)) < FAR_OUT * np.sqrt((p * (1 - p)).sum(axis=0))).all()


def test_the_uniform_logger_stays_uniform_and_the_learner_finds_the_best() -> None:
    assert (distributions(read(SMALL)) == 0.25).all()
    settings = replace(SMALL, rows=20_000, logger="thompson")
    truth, batches = generated_calls(settings)
    read_once = list(batches)
    values, p = truth.values_usd(settings.objective), distributions(read_once)
    assert p.min() >= FLOOR
    assert (p[:200] == 0.25).all()
    best = values.argmax(axis=1)[column(read_once, "category")]
    assert p[np.arange(len(p)), best][-5000:].mean() > 0.7


def test_nothing_is_learned_of_an_answer_that_nobody_judged() -> None:
    batches = read(replace(SMALL, logger="thompson", judged_share=0.0, error_share=0.0))
    assert np.isnan(column(batches, "quality")).all()
    assert (column(batches, "judged_us") == -1).all()
    assert (distributions(batches) == 0.25).all()


def test_a_failed_call_has_no_tokens_no_judgement_and_no_cost() -> None:
    batches = read(replace(SMALL, error_share=0.5))
    failed = column(batches, "status") == Status.ERROR
    assert 0.3 < failed.mean() < 0.7
    for name in ("output_tokens", "first_token_s", "quality"):
        np.testing.assert_array_equal(np.isnan(column(batches, name)), failed, err_msg=name)
    assert (column(batches, "cost_usd")[failed] == 0.0).all()
    assert (column(batches, "latency_s") > 0.0).all()


def test_times_rise_and_outcomes_come_before_judgements() -> None:
    batches = read(replace(SMALL, days=2.0, judged_share=0.5))
    time_us, answered_us, judged_us = (column(batches, name) for name in ("time_us", "answered_us", "judged_us"))
    assert (np.diff(time_us) > 0).all()
    assert 0.99 < (time_us[-1] - time_us[0]) / (2 * 86_400e6) < 1.0
    assert (answered_us > time_us).all()
    judged = judged_us != -1
    assert (judged_us[judged] > answered_us[judged]).all()
    np.testing.assert_array_equal(judged, np.isfinite(column(batches, "quality")))
    assert (column(batches, "kind") == Kind.SAMPLED).all()


def test_calls_of_a_session_follow_each_other_and_are_equally_hard() -> None:
    batches = read(replace(SMALL, rows=20_000, session_length=4, error_share=0.0))
    sessions, quality = column(batches, "session").reshape(-1, 4), column(batches, "quality").reshape(-1, 4)
    assert (sessions == sessions[:, :1]).all()
    assert len(np.unique(sessions)) == 5000
    assert sessions[3, 0] == session_number(session_name(3))
    assert quality.mean(axis=1).var() > 1.3 * quality.var() / 4
    assert (column(read(SMALL), "session") == -1).all()
