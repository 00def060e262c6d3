import numpy as np
import pytest

from simulations.results import Referee, Score
from simulations.scenario import Phase
from simulations.stream import Stream

PHASES = (Phase("early", 0, 2), Phase("late", 2, 4))
VALUES = np.array([[[1.0, 0.0], [0.2, 0.8]]])  # one objective; model 0 is best at category 0, model 1 at category 1


def stream(*categories: int) -> Stream:
    count = len(categories)
    nothing = np.zeros(count, np.int64)
    return Stream(0, np.array(categories), nothing, nothing, np.zeros(count))


@pytest.fixture
def referee() -> Referee:
    """Best 1, 1, .8, .8; random .5 each; over the run model 0 brings 2.4, model 1 1.6."""
    return Referee.of(VALUES, ("a", "b"), PHASES, [stream(0, 0, 1, 1)])


def test_the_oracle_scores_100_and_regrets_nothing(referee: Referee) -> None:
    result = referee.judge(np.array([[0, 0, 1, 1]]))
    assert result.score.mean == pytest.approx(100.0)
    assert result.regret == pytest.approx(0.0)


def test_what_random_choice_brings_in_the_mean_scores_0(referee: Referee) -> None:
    assert referee.judge(np.array([[0, 1, 0, 1]])).score.mean == pytest.approx(0.0)


def test_scores_and_regret_are_those_computed_by_hand(referee: Referee) -> None:
    result = referee.judge(np.array([[0, 0, 0, 0]]))
    assert result.score.mean == pytest.approx(100 * (2.4 - 2.0) / (3.6 - 2.0))
    assert result.regret == pytest.approx(3.6 - 2.4)
    assert result.shares == {"a": 1.0, "b": 0.0}
    assert [score.mean for score in result.phases.values()] == pytest.approx([100.0, 100 * (0.4 - 1.0) / (1.6 - 1.0)])


def test_the_standard_error_is_over_seeds() -> None:
    two = Referee.of(VALUES, ("a", "b"), PHASES, [stream(0, 0, 1, 1)] * 2)
    score = two.judge(np.array([[0, 0, 1, 1], [0, 0, 0, 0]])).score
    assert score.by_seed == pytest.approx((100.0, 25.0))
    assert score.mean == pytest.approx(62.5)
    assert score.standard_error == pytest.approx(37.5)


def test_one_seed_has_no_standard_error(referee: Referee) -> None:
    assert referee.judge(np.array([[0, 0, 1, 1]])).score.standard_error is None


def test_where_models_do_not_differ_there_is_no_score() -> None:
    same = Referee.of(np.full((1, 2, 2), 0.3), ("a", "b"), PHASES, [stream(0, 0, 1, 1)] * 2)
    result = same.judge(np.zeros((2, 4), np.int64))
    assert (result.score.mean, result.score.standard_error) == (None, None)
    assert result.regret == 0.0


@pytest.mark.parametrize(
    ("choices", "passes"),
    [
        ([0, 0, 1, 1], 0),  # the oracle: as good as the best fixed model, then better
        ([1, 0, 1, 1], 0),  # loses 1 at once and gains 1.2
        ([1, 1, 1, 1], 1),  # loses 2 at first, then gains 1.2, more than the second loss
        ([1, 1, 0, 1], 2),
        ([0, 0, 0, 0], None),  # the best fixed model itself
        ([1, 0, 0, 0], None),
    ],
)
def test_a_policy_passes_where_it_is_ahead_of_the_best_fixed_model_to_the_end(
    referee: Referee, choices: list[int], passes: int | None
) -> None:
    assert referee.judge(np.array([choices])).passes_best_fixed_at == passes


@pytest.mark.parametrize(
    ("choices", "passes"),
    [
        ([[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], 1.0),
        ([[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]], None),
    ],
)
def test_passing_is_the_median_of_the_seeds_with_never_as_the_latest(
    choices: list[list[int]], passes: float | None
) -> None:
    three = Referee.of(VALUES, ("a", "b"), PHASES, [stream(0, 0, 1, 1)] * 3)
    assert three.judge(np.array(choices)).passes_best_fixed_at == passes


def test_the_oracle_depends_on_the_requests_objective() -> None:
    values = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    mixed = Stream(0, np.zeros(2, np.int64), np.zeros(2, np.int64), np.array([0, 1]), np.zeros(2))
    referee = Referee.of(values, ("a", "b"), (Phase("all", 0, 2),), [mixed])
    assert referee.judge(np.array([[0, 1]])).score.mean == pytest.approx(100.0)
    assert referee.judge(np.array([[1, 0]])).score.mean == pytest.approx(-100.0)


def test_a_score_of_undefined_seeds_is_undefined() -> None:
    assert Score.of([50.0, float("nan")]).mean is None
