from collections.abc import Sequence

import numpy as np
import pytest

from bandit.catalogue import Model, Prices
from bandit.request import Objective
from simulations.events import Event, ModelAdded, QualityDrop
from simulations.results import Referee, Score
from simulations.scenario import Phase, Scenario
from simulations.stream import Stream
from simulations.world import World

PHASES = (Phase("early", 0, 2), Phase("late", 2, 4))
VALUES = np.array([[1.0, 0.0], [0.2, 0.8]])  # model `a` is best at category 0, model `b` at category 1


def world_where(quality: np.ndarray, latency_s: np.ndarray | None = None) -> World:
    """Answers that cost nothing; one prompt per category."""
    unused = np.ones(quality.shape)
    models = tuple(Model(name, Prices(0.0, 0.0)) for name in "abc"[: quality.shape[1]])
    names = tuple(f"{row}" for row in range(len(quality)))
    latency_s = unused if latency_s is None else latency_s
    return World(names, models, names, np.arange(len(quality)), quality, latency_s, unused, unused)


def run_of(*events: Event, phases: Sequence[Phase] = PHASES, second_values: Sequence[float] = (0.0,)) -> Scenario:
    objectives = tuple(Objective(1.0, second_value) for second_value in second_values)
    return Scenario("test", objectives, tuple(phases), events)


def stream(*categories: int, objectives: Sequence[int] | None = None, new: Sequence[bool] | None = None) -> Stream:
    count = len(categories)
    nothing = np.zeros(count, np.int64)
    return Stream(
        seed=0,
        categories=np.array(categories),
        prompts=np.array(categories),
        objectives=nothing if objectives is None else np.array(objectives),
        uniforms=np.zeros(count),
        luck=np.zeros(count),
        judged=np.ones(count, np.bool_),
        in_new_category=np.zeros(count, np.bool_) if new is None else np.array(new),
        attacks=np.zeros(count, np.bool_),
        time_us=np.arange(count),
    )


@pytest.fixture
def referee() -> Referee:
    """Best 1, 1, .8, .8; random .5 each; over the run model `a` brings 2.4, model `b` 1.6."""
    return Referee.of(world_where(VALUES), run_of(), [stream(0, 0, 1, 1)])


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
    two = Referee.of(world_where(VALUES), run_of(), [stream(0, 0, 1, 1)] * 2)
    score = two.judge(np.array([[0, 0, 1, 1], [0, 0, 0, 0]])).score
    assert score.by_seed == pytest.approx((100.0, 25.0))
    assert score.mean == pytest.approx(62.5)
    assert score.standard_error == pytest.approx(37.5)


def test_one_seed_has_no_standard_error(referee: Referee) -> None:
    assert referee.judge(np.array([[0, 0, 1, 1]])).score.standard_error is None


def test_where_models_do_not_differ_there_is_no_score() -> None:
    same = Referee.of(world_where(np.full((2, 2), 0.3)), run_of(), [stream(0, 0, 1, 1)] * 2)
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
    three = Referee.of(world_where(VALUES), run_of(), [stream(0, 0, 1, 1)] * 3)
    assert three.judge(np.array(choices)).passes_best_fixed_at == passes


def test_the_oracle_depends_on_the_requests_objective() -> None:
    slow_and_good = world_where(np.array([[1.0, 0.0]]), latency_s=np.array([[2.0, 0.0]]))
    patient_then_hurried = run_of(phases=[Phase("all", 0, 2)], second_values=(0.0, 1.0))
    referee = Referee.of(slow_and_good, patient_then_hurried, [stream(0, 0, objectives=[0, 1])])
    assert referee.judge(np.array([[0, 1]])).score.mean == pytest.approx(100.0)
    assert referee.judge(np.array([[1, 0]])).score.mean == pytest.approx(-100.0)


def test_a_score_of_undefined_seeds_is_undefined() -> None:
    assert Score.of([50.0, float("nan")]).mean is None


def test_oracle_and_random_choice_are_those_of_what_holds_at_the_request() -> None:
    drop = QualityDrop("a", 2, 4, share=0.75)
    referee = Referee.of(world_where(np.array([[1.0, 0.5]])), run_of(drop), [stream(0, 0, 0, 0)])
    kept, switched = referee.judge(np.array([[0, 0, 0, 0]])), referee.judge(np.array([[0, 0, 1, 1]]))
    assert switched.score.mean == pytest.approx(100.0)
    assert [score.mean for score in kept.phases.values()] == pytest.approx([100.0, -100.0])
    assert kept.regret == pytest.approx(2 * (0.5 - 0.25))
    assert referee.random.tolist() == [[0.75, 0.75, 0.375, 0.375]]


def test_a_model_that_cannot_be_chosen_is_neither_the_oracles_nor_randoms_choice() -> None:
    world = world_where(np.array([[1.0, 0.5, 0.0]]))
    referee = Referee.of(world, run_of(ModelAdded("a", 2)), [stream(0, 0, 0, 0)])
    assert referee.oracle.tolist() == [[0.5, 0.5, 1.0, 1.0]]
    assert referee.random.tolist() == [[0.25, 0.25, 0.5, 0.5]]


def test_the_best_fixed_model_can_be_chosen_throughout() -> None:
    world = world_where(np.array([[1.0, 0.5, 0.0]]))
    referee = Referee.of(world, run_of(ModelAdded("a", 1)), [stream(0, 0, 0, 0)])
    assert referee.best_fixed.tolist() == [[0.5] * 4]
    assert referee.judge(np.array([[1, 1, 1, 0]])).passes_best_fixed_at == 0


def test_a_phase_of_new_categories_judges_the_first_requests_in_them() -> None:
    newest = Phase("first 2", 1, 6, first_new=2)
    asked = stream(0, 0, 1, 1, 0, 1, new=[False, False, True, True, False, True])
    referee = Referee.of(world_where(VALUES), run_of(phases=[Phase("all", 0, 6), newest]), [asked])
    wrong_elsewhere = referee.judge(np.array([[1, 1, 1, 1, 1, 0]]))
    wrong_in_the_second = referee.judge(np.array([[0, 0, 1, 0, 0, 1]]))
    assert wrong_elsewhere.phases[newest].mean == pytest.approx(100.0)
    assert wrong_in_the_second.phases[newest].mean == pytest.approx(0.0)


def test_every_event_of_a_model_has_its_figures() -> None:
    events = QualityDrop("a", 1, 3), ModelAdded("b", 2)
    three = world_where(np.array([[1.0, 0.5, 0.0]]))
    (drop, added) = Referee.of(three, run_of(*events), [stream(0, 0, 0, 0)]).judge(np.array([[0, 2, 1, 1]])).events
    assert (drop.kind, drop.model, drop.start, drop.end) == ("quality-drop", "a", 1, 3)
    assert (added.kind, added.model, added.start, added.end) == ("model-added", "b", 2, 4)
    assert added.figures["share_after"] == 1.0
