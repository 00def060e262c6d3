"""Peers choose by what they were told until then, among what can be chosen.

mabwiser and paretobandit are not in the development environment: their cases are in the slow tier, which installs
them, and fail with the install line where they are missing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bandit.catalogue import Model, Prices
from bandit.request import Objective
from simulations.compare import compare
from simulations.errors import MissingPeersError, PeerError
from simulations.generator import generate
from simulations.peers import kinds
from simulations.peers.course import Course, courses_of, played
from simulations.peers.kinds import PEERS, check_installed
from simulations.peers.litellm import LiteLlm, LiteLlmSettings
from simulations.rewards import Rewards
from simulations.scenario import scenario_of
from simulations.service import ServiceSettings
from simulations.stream import stream_of
from simulations.world import World, world_of

STEPS = 240
HEAVY = {"mabwiser", "pareto_bandit"}
EVERY_PEER = [
    pytest.param(name, marks=[pytest.mark.slow] if kind.package in HEAVY else []) for name, kind in PEERS.items()
]
MODELS = tuple(Model(name, Prices(1.0, 2.0)) for name in "abc")
GOOD = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]])
"""Chance of a good answer, by category and model."""


def course_of(good: np.ndarray, seed: int = 1, delay: int = 0) -> Course:
    """Requests of two categories and one objective; answers are good or not."""
    rng = np.random.default_rng(seed)
    categories = rng.integers(2, size=STEPS)
    return Course(
        seed=seed,
        sizes=(2, 1),
        asked=np.stack([categories, np.zeros_like(categories)], axis=1),
        told=(rng.random((STEPS, 3)) < good[categories]).astype(float),
        offers=(MODELS,),
        regimes=np.zeros(STEPS, np.int64),
        delay=delay,
    )


def offering(course: Course, *offered: str) -> Course:
    """The same requests in equal parts, in each of which only some models can be chosen."""
    offers = tuple(tuple(replace(model, enabled=model.id in names) for model in MODELS) for names in offered)
    return replace(course, offers=offers, regimes=np.arange(STEPS) * len(offered) // STEPS)


def choices(name: str, course: Course, setting: int = -1) -> np.ndarray:
    check_installed([name])
    kind = PEERS[name]
    return played(kind.make(course, kind.settings[setting]), course)


@pytest.mark.parametrize("name", EVERY_PEER)
def test_a_peer_finds_the_best_model_of_each_category(name: str) -> None:
    """A third is chance. Who chooses at random exceeds .6 in 120 requests once in 10^9 runs."""
    course = course_of(GOOD)
    assert (choices(name, course) == course.asked[:, 0])[STEPS // 2 :].mean() > 0.6


@pytest.mark.parametrize("name", EVERY_PEER)
@pytest.mark.parametrize("setting", [0, -1])
def test_equal_seeds_give_equal_choices(name: str, setting: int) -> None:
    course = course_of(np.full((2, 3), 0.5))
    assert np.array_equal(choices(name, course, setting), choices(name, course, setting))


@pytest.mark.parametrize("name", EVERY_PEER)
def test_a_model_that_cannot_be_chosen_is_not_and_a_new_one_is_tried(name: str) -> None:
    course = offering(course_of(np.array([[0.2, 0.2, 0.9]] * 2)), "ab", "abc", "ac", "abc")
    chosen = choices(name, course).reshape(4, -1)
    assert set(chosen[0]) <= {0, 1}
    assert 2 in chosen[1]
    assert set(chosen[2]) <= {0, 2}


@pytest.mark.parametrize("name", EVERY_PEER)
@pytest.mark.parametrize("delay", [0, 60])
def test_a_reward_acts_when_it_is_known_and_not_before(name: str, delay: int) -> None:
    course, changed_from = course_of(GOOD, delay=delay), 30
    other = replace(course, told=np.where(np.arange(STEPS)[:, None] < changed_from, course.told, 1.0 - course.told))
    pairs = [(choices(name, course, setting), choices(name, other, setting)) for setting in (0, -1)]
    acts_from = changed_from + delay + 1
    assert all(np.array_equal(one[:acts_from], two[:acts_from]) for one, two in pairs)
    assert not all(np.array_equal(one, two) for one, two in pairs)


@pytest.mark.parametrize("name", EVERY_PEER)
def test_a_reward_that_is_never_known_teaches_nothing(name: str) -> None:
    course = course_of(GOOD)
    silent = replace(course, told=np.full_like(course.told, np.nan))
    late = replace(course, delay=STEPS)
    assert np.array_equal(choices(name, silent), choices(name, late))


class Cheat:
    """Chooses the third model, and notes which rewards it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, float]] = []
        self.asked = 0

    def offer(self, models: Sequence[Model]) -> None:
        """Does not care."""

    def choose(self, category: int, objective: int) -> tuple[int, int]:  # noqa: ARG002
        self.asked += 1
        return 2, self.asked - 1

    def learn(self, ticket: int, reward: float) -> None:
        assert self.asked - ticket == 1 + 7
        self.told.append((ticket, reward))


def test_choosing_what_cannot_be_chosen_stops_the_run() -> None:
    with pytest.raises(PeerError, match="Cheat chose c, which cannot be chosen"):
        played(Cheat(), offering(course_of(GOOD), "ab"))


def test_each_known_reward_of_a_chosen_model_is_told_once_after_the_delay() -> None:
    course = course_of(GOOD, delay=7)
    told = np.where(np.arange(STEPS)[:, None] % 3 == 0, np.nan, course.told)
    peer = Cheat()
    played(peer, replace(course, told=told))
    assert peer.told == [(step, told[step, 2]) for step in range(STEPS - 7) if step % 3]


def test_peers_learn_from_the_same_rewards_as_the_baselines() -> None:
    world = world_of(generate(1, prompts_per_category=10))
    scenario = scenario_of("quality-drop", Objective(), 90).reporting(0, 0.7)
    streams = [stream_of(world, scenario, seed) for seed in (1, 2)]
    rewards = Rewards.of(world, scenario, streams)
    for model in range(len(world.models)):
        by_step = np.stack([rewards.at(step, np.full((1, 2), model))[0] for step in range(90)])
        for n in (0, 1):
            np.testing.assert_array_equal(rewards.of_all_models(n)[:, model], by_step[:, n])
    worth, quality = (courses_of(world, scenario, streams, quality=quality)[0].told for quality in (False, True))
    known = ~np.isnan(worth)
    assert set(quality[known]) == {0.0, 1.0}
    assert (worth[known] < (quality[known] + 0.5) / 1.5 + 1e-9).all()


@pytest.mark.parametrize("tiers_by_price", [True, False])
def test_litellms_prior_is_worth_ten_answers_with_the_mean_of_the_tier(*, tiers_by_price: bool) -> None:
    models = tuple(Model(name, Prices(price, 0.0)) for name, price in zip("abcd", (9.0, 1.0, 5.0, 2.0), strict=True))
    peer = LiteLlm(replace(course_of(GOOD), offers=(models,)), LiteLlmSettings(0.0, tiers_by_price))
    good, bad = peer.counts(0)
    assert (good + bad).tolist() == [10.0] * 4
    assert (good / 10.0).tolist() == ([0.7, 0.3, 0.5, 0.3] if tiers_by_price else [0.5] * 4)
    peer.offer(models)
    assert {peer.choose(0, 0)[0] for _ in range(20)} == {1}  # the weight of quality is 0: the cheapest


def test_litellm_learns_nothing_more_once_a_cell_holds_two_hundred_answers() -> None:
    peer = LiteLlm(course_of(GOOD), LiteLlmSettings(tiers_by_price=False))
    for _ in range(250):
        peer.learn((1, 2), 1.0)
    good, bad = peer.counts(1)
    assert (good[2], bad[2]) == (195.0, 5.0)
    peer.learn((1, 2), 0.0)
    assert peer.counts(1)[1][2] == 5.0


def test_a_missing_package_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "PEERS", {"stranger": replace(PEERS["vw-regcb"], package="not_on_this_machine")})
    with pytest.raises(MissingPeersError, match=r"\(not_on_this_machine\): in a checkout run make peers"):
        check_installed(["stranger"])


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(generate(1, prompts_per_category=10))


def test_peers_stand_beside_the_others_as_documented_and_tuned(world: World) -> None:
    names = ("litellm-adaptive", "vw-squarecb")
    scenario = scenario_of("profiles", Objective(), 60)
    found = compare(world, scenario, (1, 2), ServiceSettings(), peers=names, workers=1)
    alone = compare(world, scenario, (1, 2), ServiceSettings(), workers=1)
    assert {name: result for name, result in found.policies.items() if name in alone.policies} == dict(alone.policies)
    assert found.policies.keys() - alone.policies.keys() == {*names, *(f"{name}-tuned" for name in names)}
    for name in names:
        documented, tuned = (found.policies[policy].score.mean or 0.0 for policy in (name, f"{name}-tuned"))
        assert tuned >= documented
        assert found.peer_settings[f"{name}-tuned"] in [setting._asdict() for setting in PEERS[name].settings]


def test_every_grid_is_small_and_over_at_most_two_settings() -> None:
    for kind in PEERS.values():
        assert 2 <= len(kind.settings) <= 6
        assert len(kind.settings[0]) <= 2
        assert len(set(kind.settings)) == len(kind.settings)
