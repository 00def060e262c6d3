from dataclasses import replace

import numpy as np
import pytest

from simulations.baselines import MULTIPLIERS, BetaThompson, GaussianThompson, ScalarBandit, Ucb1
from simulations.rewards import Rewards

BANDITS = [BetaThompson, GaussianThompson, Ucb1]
STEPS = 400
ARRIVAL = 200


def categories(*seeds: int) -> np.ndarray:
    """Category of each request, of each seed; shape (T, N)."""
    return np.stack([np.random.default_rng(seed).integers(2, size=STEPS) for seed in seeds], axis=1)


def told(worth: list[list[float]], *seeds: int) -> Rewards:
    """Rewards that are known at once; `worth` per prompt, which here is the category, and model."""
    asked = categories(*seeds)
    shape = 1, len(worth[0])
    return Rewards(
        worth=np.broadcast_to(np.array(worth), (1, 2, 1, *np.shape(worth))),
        spoilage=np.zeros(shape),
        available=np.ones(shape, np.bool_),
        regimes=np.zeros(STEPS, np.int64),
        categories=asked,
        prompts=asked,
        objectives=np.zeros_like(asked),
        luck=np.zeros(asked.shape),
        judged=np.ones(asked.shape, np.bool_),
        attacks=np.zeros(asked.shape, np.bool_),
        delay=0,
    )


def chosen(kind: type[ScalarBandit], rewards: Rewards, *seeds: int) -> np.ndarray:
    """Choices, shape (V, N, T)."""
    return kind(2, rewards.available.shape[1], seeds).choices(rewards)


def run(kind: type[ScalarBandit], worth: list[list[float]], *seeds: int) -> np.ndarray:
    return chosen(kind, told(worth, *seeds), *seeds)


@pytest.mark.parametrize("kind", BANDITS)
def test_every_bandit_finds_the_best_model_of_each_category(kind: type[ScalarBandit]) -> None:
    choices = run(kind, [[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]], 1, 2)
    best = np.where(categories(1, 2).T == 0, 0, 2)
    late = (choices == best)[..., STEPS // 2 :].mean(axis=-1)
    assert late.min() > (0.5 if kind is Ucb1 else 0.8)


@pytest.mark.parametrize("kind", BANDITS)
def test_seeds_run_side_by_side_as_they_run_alone(kind: type[ScalarBandit]) -> None:
    rewards = [[0.9, 0.7, 0.6], [0.5, 0.4, 0.7]]
    together = run(kind, rewards, 1, 2, 3)
    assert np.array_equal(together[:, 1:2], run(kind, rewards, 2))
    assert not np.array_equal(together[:, 0], together[:, 1])


def test_an_unknown_reward_teaches_nothing() -> None:
    choices = run(Ucb1, [[float("nan"), 0.5], [float("nan"), 0.5]], 1)
    assert (choices == 0).all()  # UCB1 tries it until it has seen something of it


def test_ucb1_tries_every_model_of_a_category_once_first() -> None:
    choices = run(Ucb1, [[0.9, 0.1, 0.5]] * 2, 5)[0, 0]
    for category in (0, 1):
        assert choices[categories(5)[:, 0] == category][:3].tolist() == [0, 1, 2]


def test_ucb1_chooses_by_its_published_bound() -> None:
    bandit = Ucb1(2, 2, [6])
    count, total = np.array([[[4.0, 9.0]]]), np.array([[[2.0, 6.0]]])
    expected = total / count + np.sqrt(2 * np.log(13) / count)
    np.testing.assert_allclose(bandit.index(count, total, total), expected, rtol=1e-12)


def test_rewards_outside_of_the_range_count_as_its_ends() -> None:
    far, near = ([[2.0, -9.0]] * 2, [[1.0, -0.5]] * 2)
    assert np.array_equal(run(BetaThompson, far, 7), run(BetaThompson, near, 7))


@pytest.mark.parametrize(("kind", "mean", "deviation"), [(BetaThompson, 0.4, 0.2), (GaussianThompson, 0.7, 0.1**0.5)])
def test_draws_have_the_posteriors_moments_scaled_by_the_multiplier(
    kind: type[ScalarBandit], mean: float, deviation: float
) -> None:
    count, total = (np.zeros((len(MULTIPLIERS), 2000, 1)) for _ in range(2))
    if kind is BetaThompson:
        count, total = count + 3.0, total + 1.0  # Beta(2, 3)
    draws = kind(1, 1, range(2000)).index(count, total, total)[..., 0]
    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=0.03)
    np.testing.assert_allclose(draws.std(axis=1), deviation * np.array(MULTIPLIERS), rtol=0.08)


@pytest.mark.parametrize("kind", BANDITS)
def test_a_model_that_cannot_be_chosen_is_not(kind: type[ScalarBandit]) -> None:
    late = replace(
        told([[0.3, 0.9], [0.3, 0.9]], 1, 2),
        worth=np.broadcast_to([0.3, 0.9], (2, 2, 1, 2, 2)),
        spoilage=np.zeros((2, 2)),
        available=np.array([[True, False], [True, True]]),
        regimes=np.repeat([0, 1], [ARRIVAL, STEPS - ARRIVAL]),
    )
    choices = chosen(kind, late, 1, 2)
    assert (choices[..., :ARRIVAL] == 0).all()
    assert (choices[..., ARRIVAL:] == 1).mean(axis=-1).min() > 0.5


@pytest.mark.parametrize("kind", BANDITS)
def test_a_reward_acts_when_its_last_part_is_known(kind: type[ScalarBandit]) -> None:
    one, other = (replace(told(worth, 1, 2), delay=150) for worth in ([[0.9, 0.1]] * 2, [[0.1, 0.9]] * 2))
    choices, others = chosen(kind, one, 1, 2), chosen(kind, other, 1, 2)
    assert np.array_equal(choices[..., :151], others[..., :151])
    assert (choices != others).any(axis=-1).all()


@pytest.mark.parametrize("kind", BANDITS)
def test_a_delay_longer_than_the_run_is_learning_nothing(kind: type[ScalarBandit]) -> None:
    nothing = float("nan")
    late = replace(told([[0.9, 0.1]] * 2, 1), delay=STEPS)
    assert np.array_equal(chosen(kind, late, 1), run(kind, [[nothing, nothing]] * 2, 1))


@pytest.mark.parametrize("kind", BANDITS)
def test_a_request_without_reported_quality_teaches_nothing(kind: type[ScalarBandit]) -> None:
    nothing = float("nan")
    silent = replace(told([[0.9, 0.1]] * 2, 1), judged=np.zeros((STEPS, 1), np.bool_))
    assert np.array_equal(chosen(kind, silent, 1), run(kind, [[nothing, nothing]] * 2, 1))
