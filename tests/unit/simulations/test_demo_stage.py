import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.request import Objective
from server.config import load
from simulations.demo.configuration import configuration, typical_tokens
from simulations.demo.options import DemoOptions
from simulations.demo.stage import SAMPLE, models_of, stage_of
from simulations.errors import OptionsError, UnknownOutcomesError
from simulations.generator import generate, write_csv
from simulations.outcomes import Answer, Outcomes, outcomes_of
from simulations.world import World, world_of


def priced(*costs_usd: float | None) -> Outcomes:
    """A table in which the model of each place costs that much."""
    return Outcomes(
        tuple(Answer("p", "c", f"m{place:02}", 1.0, cost, 1.0, 1.0, 1.0) for place, cost in enumerate(costs_usd)), {}
    )


def test_a_small_table_is_played_with_all_of_its_models() -> None:
    assert models_of(priced(*range(12))) == tuple(f"m{place:02}" for place in range(12))


def test_of_many_models_ten_are_played_from_the_cheapest_to_the_dearest() -> None:
    assert models_of(priced(*reversed(range(28)))) == tuple(f"m{place:02}" for place in range(27, -1, -3))


def test_of_many_models_those_whose_cost_is_unknown_are_left_out() -> None:
    assert "m00" not in models_of(priced(None, *range(13)))


def test_a_table_without_any_cost_is_refused(tmp_path: Path) -> None:
    write_csv(priced(*[None] * 13), tmp_path / "free.csv")
    with pytest.raises(UnknownOutcomesError, match="does not tell what a call to m00 costs"):
        stage_of(DemoOptions(tmp_path / "free.csv"))


def test_a_table_is_set_on_stage_as_it_stands(tmp_path: Path) -> None:
    write_csv(generate(0, prompts_per_category=5), tmp_path / "own.csv")
    stage = stage_of(DemoOptions(tmp_path / "own.csv", ("open-8b", "north-mini"), requests=7))
    assert stage.source == "own.csv"
    assert [model.id for model in stage.world.models] == ["open-8b", "north-mini"]
    assert stage.left_out_models == 6
    assert len(stage.traffic) == 7
    assert stage.truth.value_usd.shape == (6, 2)


def score_of_best_single_model(seed: int) -> float:
    """Score of an invented table, 0 for random and 100 for the best of each category; from the table alone."""
    rows = [(one.quality, one.cost_usd, one.latency_ms) for one in generate(seed).answers]
    quality, cost_usd, latency_ms = np.nanmean(np.array(rows, dtype=float).reshape(6, 60, 8, 3), axis=1).T
    value = 0.05 * quality - cost_usd - 0.001 * latency_ms / 1000
    random, oracle = value.mean(), value.max(axis=0).mean()
    return float(100 * (value.mean(axis=1).max() - random) / (oracle - random))


def test_one_model_suffices_on_the_invented_sample_as_far_as_on_others() -> None:
    usual = np.median([score_of_best_single_model(seed) for seed in range(0, 200, 4)])
    assert score_of_best_single_model(SAMPLE) == pytest.approx(usual, abs=3)


@pytest.mark.slow
def test_the_invented_sample_is_the_one_in_the_middle_of_the_first_200_tables() -> None:
    scores = {seed: score_of_best_single_model(seed) for seed in range(200)}
    ranked = sorted(scores, key=lambda seed: scores[seed])
    assert min(ranked[99:101]) == SAMPLE
    assert scores[SAMPLE] == pytest.approx(np.median(list(scores.values())), abs=0.1)


def test_the_seed_draws_the_traffic_and_never_the_table() -> None:
    one, other = (stage_of(DemoOptions(requests=50, seed=seed)) for seed in (1, 2))
    assert one.outcomes == other.outcomes == generate(SAMPLE)
    assert one.traffic.prompts.tolist() != other.traffic.prompts.tolist()


def test_one_model_is_nothing_to_choose_from() -> None:
    with pytest.raises(OptionsError, match="at least two"):
        stage_of(DemoOptions(models=("open-8b",)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("requests", value) for value in (0, 10**20)),
        *(("thumbs", value) for value in (-0.1, 1.1, math.nan)),
        *(("answer_value_usd", value) for value in (-1.0, 0.0, 1e-320, 1e300, math.nan, math.inf)),
        *(("second_value_usd", value) for value in (-1.0, 1e300, math.nan, math.inf)),
        *(("requests_per_second", value) for value in (-1.0, 0.0, 1e-300, 1e300, math.nan, math.inf)),
        *(("seed", value) for value in (-1, 2**64)),
    ],
)
def test_options_without_meaning_are_refused_by_their_name(name: str, value: float) -> None:
    with pytest.raises(OptionsError, match=f"--{name.replace('_', '-')} is .*; give "):
        replace(DemoOptions(), **{name: value}).check()  # type: ignore[arg-type]


def test_the_server_is_configured_with_the_world(world: World, tmp_path: Path) -> None:
    (tmp_path / "routeward.toml").write_text(configuration(world, Objective(0.2, 1e-5)), encoding="utf-8")
    settings = load(tmp_path / "routeward.toml", {})
    assert {model.id: model.prices for model in settings.catalogue.models} == {
        model.id: model.prices for model in world.models
    }
    assert settings.catalogue.profiles["balanced"] == Objective(0.2, 1e-5)
    assert settings.catalogue.categories.keys() == {"chat", "code"}
    assert settings.store.path == tmp_path / "routeward.db"
    assert settings.server.listen == "127.0.0.1:0"


def test_a_category_is_configured_with_its_typical_prompt(world: World) -> None:
    assert typical_tokens(world) == [5000, 7500]


def test_names_that_cannot_be_served_are_refused(rows: list[tuple[object, ...]]) -> None:
    spaced = world_of(outcomes_of([(row[0], row[1], f"my {row[2]}", *row[3:]) for row in rows]))
    with pytest.raises(OptionsError, match="'my cheap'"):
        configuration(spaced, Objective())


def test_prices_that_cannot_be_served_are_refused(rows: list[tuple[object, ...]]) -> None:
    dear = world_of(outcomes_of([(*row[:4], 1e6, *row[5:]) for row in rows]))
    with pytest.raises(OptionsError, match=r"a million of its tokens cost .* leave the model out of --models"):
        configuration(dear, Objective())
