import numpy as np
import pytest

from simulations.baselines import MULTIPLIERS, BetaThompson, GaussianThompson, ScalarBandit, Ucb1
from simulations.stream import Stream

BANDITS = [BetaThompson, GaussianThompson, Ucb1]
STEPS = 400


def streams(*seeds: int) -> list[Stream]:
    return [
        Stream(
            seed,
            categories=np.random.default_rng(seed).integers(2, size=STEPS),
            prompts=np.random.default_rng(seed).integers(2, size=STEPS),
            objectives=np.zeros(STEPS, np.int64),
            uniforms=np.zeros(STEPS),
        )
        for seed in seeds
    ]


def run(kind: type[ScalarBandit], rewards: list[list[float]], *seeds: int) -> np.ndarray:
    """Choices, shape (V, N, T); `rewards` per prompt, which here is the category, and model."""
    asked = streams(*seeds)
    return kind(2, len(rewards[0]), asked).choices(np.array([rewards]), asked)


@pytest.mark.parametrize("kind", BANDITS)
def test_every_bandit_finds_the_best_model_of_each_category(kind: type[ScalarBandit]) -> None:
    choices = run(kind, [[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]], 1, 2)
    best = np.stack([np.where(stream.categories == 0, 0, 2) for stream in streams(1, 2)])
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
    asked = streams(5)
    chosen = run(Ucb1, [[0.9, 0.1, 0.5]] * 2, 5)[0, 0]
    for category in (0, 1):
        assert chosen[asked[0].categories == category][:3].tolist() == [0, 1, 2]


def test_ucb1_chooses_by_its_published_bound() -> None:
    asked = streams(6)
    bandit = Ucb1(2, 2, asked)
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
    asked = streams(*range(2000))
    count, total = (np.zeros((len(MULTIPLIERS), 2000, 1)) for _ in range(2))
    if kind is BetaThompson:
        count, total = count + 3.0, total + 1.0  # Beta(2, 3)
    draws = kind(1, 1, asked).index(count, total, total)[..., 0]
    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=0.03)
    np.testing.assert_allclose(draws.std(axis=1), deviation * np.array(MULTIPLIERS), rtol=0.08)
