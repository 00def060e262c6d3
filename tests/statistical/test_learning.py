from math import sqrt

import numpy as np
import pytest
from scipy.stats import t as student

from bandit.request import Objective
from simulations.compare import Comparison, compare
from simulations.generator import generate
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings
from simulations.world import world_of

SEEDS = range(12)
FALSE_ALARMS = 0.001
"""Probability that a test passes although the service is no better, under normal scores."""


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(
        world_of(generate(0)), scenario_of("stationary", Objective(), 500), SEEDS, ServiceSettings(), workers=1
    )


def lead_is_significant(comparison: Comparison, rival: str) -> bool:
    """One-sided t-test of the lead over a rival on the same requests, seed by seed."""
    service, other = (np.array(comparison.policies[name].score.by_seed) for name in ("routeward", rival))
    lead = service - other
    statistic = lead.mean() / (lead.std(ddof=1) / sqrt(len(lead)))
    return bool(student.sf(statistic, len(lead) - 1) < FALSE_ALARMS)


def test_the_service_beats_textbook_beta_thompson_sampling(comparison: Comparison) -> None:
    assert lead_is_significant(comparison, "beta-ts")


def test_the_service_beats_ucb1_and_random_choice(comparison: Comparison) -> None:
    assert lead_is_significant(comparison, "ucb1")
    assert lead_is_significant(comparison, "random")


def test_random_choice_scores_0(comparison: Comparison) -> None:
    score = comparison.policies["random"].score
    assert score.mean is not None
    assert score.standard_error is not None
    assert abs(score.mean) < student.isf(FALSE_ALARMS / 2, len(SEEDS) - 1) * score.standard_error


def test_no_policy_beats_the_oracle_of_its_category(comparison: Comparison) -> None:
    assert all(max(result.score.by_seed) <= 100.0 for result in comparison.policies.values())
