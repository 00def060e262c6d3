from pathlib import Path

import numpy as np

from simulations.generator import MODELS, TASKS, generate, write_csv
from simulations.outcomes import outcomes_of, read_outcomes
from simulations.world import world_of


def test_equal_seeds_give_equal_tables() -> None:
    assert generate(3, prompts_per_category=5) == generate(3, prompts_per_category=5)
    assert generate(3, prompts_per_category=5) != generate(4, prompts_per_category=5)


def test_every_model_answers_every_prompt_and_no_row_is_bad() -> None:
    outcomes = generate(1, prompts_per_category=20)
    assert len(outcomes.answers) == len(MODELS) * len(TASKS) * 20
    assert outcomes_of(outcomes.answers) == outcomes
    world = world_of(outcomes)
    assert set(world.categories) == {task.category for task in TASKS}
    assert (len(world.prompts), world.dropped_prompts, world.graded) == (len(TASKS) * 20, 0, False)


def test_the_invented_prices_are_recovered() -> None:
    world = world_of(generate(2), [model.id for model in MODELS])
    assert [model.prices for model in world.models] == [model.prices for model in MODELS]


def test_no_model_is_best_at_everything_and_something_is_unknown() -> None:
    world = world_of(generate(0))
    assert len(set(world.means(world.quality).argmax(axis=1).tolist())) > 1
    unknown = np.isnan(world.latency_s)
    assert 0 < unknown.mean() < 0.02
    assert np.array_equal(unknown, np.isnan(world.output_tokens))


def test_a_written_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    outcomes = generate(5, prompts_per_category=4)
    write_csv(outcomes, tmp_path / "table.csv")
    assert read_outcomes(tmp_path / "table.csv") == outcomes
