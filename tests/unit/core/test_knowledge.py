"""What an operator knows: where it counts, what it is worth, and how observations overrule it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.belief import Belief
from bandit.errors import OutOfRangeError, PriorError
from bandit.knowledge import MAX_GENERATIONS, depths, generations
from bandit.posterior import Posterior, infer
from bandit.priors import CELLS_ALONE, InferenceSettings, ModelPrior, PastCell
from bandit.sums import Moments, RowKey, Sums, add_rows, with_axes

EMPTY = with_axes(Sums.empty(10_000_000), ["code", "chat"], ["large", "small"])
CHAT, CODE, UNSEEN = 0, 1, 2
LARGE, SMALL = 0, 1
KIND = {"thumb": "thumb", "score": "score:judge"}


def worth(belief: Belief, row: int, column: int) -> float:
    """Observations that a rate's posterior is worth, from its variance."""
    mean, variance = belief.mean[row, column], belief.variance[row, column]
    return float(mean * (1 - mean) / variance - 1)


def untouched(posterior: Posterior, column: int) -> bool:
    plain = infer(
        EMPTY,
        0,
        CELLS_ALONE,
    )
    return all(
        np.array_equal(getattr(posterior, name).mean[:, column], getattr(plain, name).mean[:, column])
        and np.array_equal(getattr(posterior, name).variance[:, column], getattr(plain, name).variance[:, column])
        for name in ("quality", "error", "latency", "output_tokens")
    )


def test_a_benchmark_score_is_what_is_believed_of_the_model_everywhere_and_of_no_other():
    settings = replace(CELLS_ALONE, models={"small": ModelPrior(quality=0.6, quality_weight=8)})
    posterior = infer(EMPTY, 0, settings)
    assert posterior.quality.mean[:, SMALL] == pytest.approx([0.6] * 3)
    assert [worth(posterior.quality, row, SMALL) for row in (CHAT, CODE, UNSEEN)] == pytest.approx([8.0] * 3)
    assert untouched(posterior, LARGE)


def test_listed_latency_tokens_and_error_rate_are_where_learning_starts():
    settings = replace(CELLS_ALONE, models={"small": ModelPrior(latency_s=0.4, output_tokens=50, error_rate=0.1)})
    posterior = infer(EMPTY, 0, settings)
    assert posterior.latency.mean[:, SMALL] == pytest.approx([math.log(0.4)] * 3)
    assert posterior.output_tokens.mean[:, SMALL] == pytest.approx([math.log(50)] * 3)
    assert posterior.error.mean[:, SMALL] == pytest.approx([0.1] * 3)
    assert untouched(posterior, LARGE)


def test_knowledge_of_a_model_that_is_not_there_changes_nothing():
    settings = replace(
        CELLS_ALONE,
        models={"gone": ModelPrior(quality=0.1)},
        warm_start=(PastCell("chat", "gone", "quality", 0.1, 9.0),),
    )
    assert untouched(infer(EMPTY, 0, settings), LARGE)


def test_a_listed_latency_is_outweighed_by_two_observations(learned):
    settings = replace(CELLS_ALONE, models={"small": ModelPrior(latency_s=10.0)})
    sums = learned(None, "chat", "small", "latency", [1.0, 1.0])
    mean = infer(sums, 0, settings).latency.mean[0, 0]
    assert mean < math.log(10.0) / 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"quality": 0.0},
        {"quality": 1.5},
        {"quality": math.nan},
        {"quality": 0.5, "quality_weight": 21.0},
        {"quality_weight": 0.0},
        {"latency_s": 0.0},
        {"latency_s": -1.0},
        {"output_tokens": 0.5},
        {"error_rate": 0.0},
        {"error_rate": 1.0},
    ],
)
def test_a_prior_out_of_range_is_refused_with_its_name(wrong):
    with pytest.raises(OutOfRangeError, match=[*wrong][-1]):
        ModelPrior(**wrong)


def test_a_category_starts_from_the_posterior_of_another(learned):
    sums = learned(None, "chat", "small", "thumb", [1, 1, 0, 1])
    sums = learned(sums, "chat", "small", "latency", [5.0, 6.0])
    posterior = infer(sums, 0, replace(CELLS_ALONE, prior_from={"new": "chat"}, prior_from_weight=20.0))
    new, chat = posterior.categories.index("new"), posterior.categories.index("chat")
    for name in ("quality", "error", "latency"):
        belief = getattr(posterior, name)
        assert belief.mean[new, 0] == pytest.approx(belief.mean[chat, 0])
        assert belief.variance[new, 0] == pytest.approx(belief.variance[chat, 0])
        assert belief.weight[new, 0] == 0


def test_a_category_starts_from_scores_where_the_other_one_has_those(learned):
    sums = learned(None, "chat", "small", "score", [0.4, 0.5, 0.45])
    sources = {"chat": "score:judge"}
    settings = replace(CELLS_ALONE, prior_from={"new": "chat"}, prior_from_weight=20.0, quality_sources=sources)
    quality = infer(sums, 0, settings).quality
    assert quality.mean[1, 0] == pytest.approx(quality.mean[0, 0])
    assert quality.variance[1, 0] == pytest.approx(quality.variance[0, 0])


def test_a_category_may_start_from_one_that_starts_from_another(learned):
    sums = learned(None, "chat", "small", "thumb", [0] * 6)
    posterior = infer(sums, 0, replace(CELLS_ALONE, prior_from={"a": "b", "b": "chat"}))
    a, b, chat = (posterior.categories.index(name) for name in ("a", "b", "chat"))
    assert posterior.quality.mean[[a, b], 0] == pytest.approx([posterior.quality.mean[chat, 0]] * 2)


def test_what_a_category_learned_itself_counts_on_top_of_what_it_started_from(learned):
    sums = learned(None, "chat", "small", "thumb", [1] * 300)
    sums = learned(sums, "new", "small", "thumb", [0] * 20)
    lasting = replace(CELLS_ALONE, prior_from={"new": "chat"}, knowledge_half_life=math.inf)
    for weight in (3.0, 20.0):
        posterior = infer(sums, 0, replace(lasting, prior_from_weight=weight))
        source, new = posterior.quality.mean[:2, 0]
        assert source > 0.98
        assert new == pytest.approx(0.99 * weight / (weight + 20), abs=0.01)


@pytest.mark.parametrize("signal", ["thumb", "score"])
def test_a_good_model_that_is_said_to_be_bad_is_worth_a_try_again_once_the_others_are_known(learned, signal):
    settings = replace(
        CELLS_ALONE,
        models={"small": ModelPrior(quality=0.3, quality_weight=20)},
        quality_sources={"chat": KIND[signal]},
    )
    plain = infer(EMPTY, 0, replace(settings, models={})).quality.mean[CHAT, SMALL]
    gaps = []
    for count in (0, 20, 100, 400):
        sums = learned(EMPTY, "chat", "large", signal, [1.0] * count)
        quality = infer(sums, 0, settings).quality
        assert quality.weight[CHAT, SMALL] == 0
        assert quality.mean[CODE, SMALL] == pytest.approx(0.3)
        gaps.append(plain - quality.mean[CHAT, SMALL])
    assert gaps[0] == pytest.approx(plain - 0.3)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.01


def test_what_is_listed_of_one_signal_gives_way_to_observations_of_that_signal_alone(learned):
    settings = replace(CELLS_ALONE, models={"small": ModelPrior(quality=0.3, latency_s=100.0)})
    posterior = infer(learned(EMPTY, "chat", "large", "thumb", [1.0] * 1000), 0, settings)
    assert posterior.quality.mean[CHAT, SMALL] == pytest.approx(0.85, abs=0.01)
    assert posterior.latency.mean[CHAT, SMALL] == pytest.approx(math.log(100.0))


def test_categories_that_start_from_nothing_keep_their_bits(learned):
    sums = learned(None, "chat", "small", "thumb", [1, 0, 1])
    sums = learned(sums, "code", "small", "latency", [1.0, 2.0])
    plain, knowing = (infer(sums, 0, replace(CELLS_ALONE, prior_from=one)) for one in ({}, {"zoo": "chat"}))
    for name in ("quality", "error", "latency"):
        for array in ("mean", "variance"):
            ours, theirs = (getattr(getattr(one, name), array)[:2] for one in (plain, knowing))
            assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("circle", [{"a": "a"}, {"a": "b", "b": "a"}, {"x": "a", "a": "b", "b": "c", "c": "a"}])
def test_a_category_that_starts_from_itself_is_refused(circle):
    with pytest.raises(PriorError, match="a <- "):
        generations(circle)


def test_generations_come_after_those_they_start_from():
    assert generations({"c": "b", "b": "a", "d": "a"}) == [["b", "d"], ["c"]]


class CountedLookups(dict[str, str]):
    """Counts how often it is asked for a value."""

    count = 0

    def __getitem__(self, name: str) -> str:
        self.count += 1
        return super().__getitem__(name)


@pytest.mark.parametrize("order", [1, -1])
def test_each_link_of_a_chain_is_followed_once(order):
    names = [f"c{number:04}" for number in range(2000)][::order]
    chain = CountedLookups(zip(names[1:], names, strict=False))
    assert depths(chain) == {name: depth for depth, name in enumerate(names) if depth}
    assert chain.count == len(chain)


def test_a_prior_is_handed_on_only_so_many_times():
    chain = {f"c{number + 1}": f"c{number}" for number in range(MAX_GENERATIONS)}
    assert generations(chain) == [[f"c{number + 1}"] for number in range(MAX_GENERATIONS)]
    with pytest.raises(PriorError, match="the prior of c5 is handed on 5 times; at most 4"):
        generations(chain | {"c5": "c4"})


def test_an_earlier_log_counts_like_observations_until_it_is_worth_as_much_as_it_may(learned):
    past = (
        PastCell("chat", "small", "quality", 0.25, 8.0),
        PastCell("chat", "small", "error", 0.5, 4.0),
    )
    warm = infer(EMPTY, 0, replace(CELLS_ALONE, warm_start=past))
    sums = learned(EMPTY, "chat", "small", "thumb", [1, 1, 0, 0, 0, 0, 0, 0])
    sums = learned(sums, "chat", "small", "error", [1, 1, 0, 0])
    told = infer(
        sums,
        0,
        CELLS_ALONE,
    )
    for name in ("quality", "error"):
        ours, theirs = getattr(warm, name), getattr(told, name)
        assert ours.mean[CHAT, SMALL] == pytest.approx(theirs.mean[CHAT, SMALL])
        assert ours.variance[CHAT, SMALL] == pytest.approx(theirs.variance[CHAT, SMALL])
    assert untouched(warm, LARGE)


quality = st.floats(0.01, 0.99)
LEARNED = st.lists(st.booleans(), max_size=60)


@given(quality, st.floats(1.0, 20.0), quality, st.floats(0.1, 1e9), LEARNED, st.floats(1.0, 20.0))
def test_nothing_that_is_known_beforehand_is_worth_more_than_the_cap(mean, weight, past, past_weight, thumbs, cap):
    up = sum(thumbs)
    rows = {RowKey("chat", "small", "quality", "thumb", 0): Moments(len(thumbs), up << 20, up << 20)}
    sums = add_rows(EMPTY, rows if thumbs else {})
    settings = replace(
        CELLS_ALONE,
        models={"small": ModelPrior(quality=mean, quality_weight=weight)},
        prior_from={"new": "chat"},
        prior_from_weight=20.0,
        warm_start=tuple(PastCell(category, "small", "quality", past, past_weight) for category in ("code", "new")),
        knowledge_cap=cap,
    )
    posterior = infer(sums, 0, settings)
    belief = posterior.quality
    for name in ("code", "new"):
        assert worth(belief, posterior.categories.index(name), SMALL) <= cap * (1 + 1e-6)
    bound = [mean, past, *([up / len(thumbs), settings.thumbs.mean] if thumbs else ())]
    assert min(bound) - 0.01 <= belief.mean[posterior.categories.index("new"), SMALL] <= max(bound) + 0.01


@given(st.floats(0.1, 100.0), st.floats(0.01, 0.3), st.integers(25, 400))
def test_a_normal_prior_is_never_worth_more_observations_than_the_cap_however_they_scatter(typical, deviation, n):
    value = math.log(typical)
    past = (PastCell("chat", "small", "latency", value + 2.0, 1e6),)
    y, yy = value * n, (value**2 + deviation**2) * n
    rows = {RowKey("chat", "small", "latency", "", 0): Moments(n, round(y * 2**20), round(yy * 2**20))}
    mean = infer(add_rows(EMPTY, rows), 0, replace(CELLS_ALONE, warm_start=past)).latency.mean[CHAT, SMALL]
    start = infer(EMPTY, 0, replace(CELLS_ALONE, warm_start=past)).latency.mean[CHAT, SMALL]
    assert abs(mean - value) <= abs(start - value) * 20 / (20 + n) + 0.01


def test_what_is_known_to_be_bad_is_believed_to_be_bad_by_default_too():
    said = infer(EMPTY, 0, InferenceSettings(models={"small": ModelPrior(quality=0.3, quality_weight=20)}))
    assert said.quality.mean[:, SMALL] == pytest.approx(0.3, abs=0.01)
    logs = infer(EMPTY, 0, InferenceSettings(warm_start=(PastCell("chat", "small", "quality", 0.2, 50.0),)))
    assert logs.quality.mean[CHAT, SMALL] < 0.3
    bad = {RowKey("chat", "small", "quality", "thumb", 0): Moments(50, 0, 0)}
    handed_on = infer(add_rows(EMPTY, bad), 0, InferenceSettings(prior_from={"code": "chat"}))
    assert handed_on.quality.mean[CODE, SMALL] < 0.2
