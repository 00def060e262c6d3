"""Thumbs and a judge together: what each can say, and which one is overruled."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.posterior import infer
from bandit.priors import CELLS_ALONE
from bandit.signals import THUMB
from bandit.sums import Moments, RowKey, Sums, add_rows, merge

SOURCE = "thumb+score:judge"
SETTINGS = replace(CELLS_ALONE, quality_sources={"chat": SOURCE})
MODELS = ("a", "b", "c", "d")


def judged(thumbs, scores):
    """Sums of (up, n) thumbs and of (mean, n) scores with a deviation of .1, by model of one category."""
    rows = {}
    for model, (up, n) in zip(MODELS, thumbs, strict=False):
        rows[RowKey("chat", model, "quality", THUMB, 0)] = Moments(n, up << 20, up << 20)
    for model, (mean, n) in zip(MODELS, scores, strict=False):
        y, yy = mean * n, (mean**2 + 0.01) * n
        rows[RowKey("chat", model, "quality", "score:judge", 0)] = Moments(n, round(y * 2**20), round(yy * 2**20))
    return add_rows(Sums.empty(10_000_000), {key: one for key, one in rows.items() if one.n})


def quality(thumbs, scores, settings=SETTINGS):
    belief = infer(judged(thumbs, scores), 0, settings).quality
    return belief.mean[0], belief.variance[0]


def test_without_scores_thumbs_count_as_ever():
    sums = judged([(3, 4), (1, 4)], [])
    ours, plain = (
        infer(sums, 0, one).quality
        for one in (
            SETTINGS,
            CELLS_ALONE,
        )
    )
    assert ours.mean.tobytes() == plain.mean.tobytes()
    assert ours.variance[0] == pytest.approx(plain.variance[0])


def test_without_thumbs_the_judge_ranks():
    mean, _ = quality([], [(0.9, 200), (0.5, 200), (0.7, 200)])
    assert np.argsort(mean).tolist() == [1, 2, 0]


@given(st.floats(0.0, 1.0), st.integers(1, 10**9), st.integers(1, 50), st.integers(0, 50))
def test_no_number_of_scores_is_worth_more_than_delta_allows(score, count, up, down):
    (_, thumbs), (_, both) = (quality([(up, up + down)], scores) for scores in ([], [(score, count)]))
    assert 1 / both[0] - 1 / thumbs[0] <= 1 / SETTINGS.judge_delta**2 * (1 + 1e-9)


def test_a_judge_who_is_lenient_with_all_models_changes_no_rank_and_few_means():
    thumbs = [(180, 200), (140, 200), (100, 200)]
    fair = [(0.9, 5000), (0.7, 5000), (0.5, 5000)]
    lenient = [(mean + 0.1, n) for mean, n in fair]
    plain, _ = quality(thumbs, fair)
    shifted, _ = quality(thumbs, lenient)
    assert np.argsort(shifted).tolist() == np.argsort(plain).tolist()
    assert shifted == pytest.approx(plain, abs=0.01)


@given(st.floats(-0.2, 0.2))
def test_what_a_judge_adds_for_all_models_moves_them_all_alike_while_there_are_no_thumbs(leniency):
    scores = [(0.7, 500), (0.6, 500), (0.5, 500)]
    mean, _ = quality([], scores)
    moved, _ = quality([], [(score + leniency, n) for score, n in scores])
    assert np.diff(moved) == pytest.approx(np.diff(mean), abs=1e-3)


def test_a_judge_who_is_wrong_about_one_model_is_overruled_by_its_thumbs():
    scores = [(0.95, 10**6), (0.8, 10**6), (0.8, 10**6), (0.8, 10**6)]
    gaps = []
    for n in (0, 20, 100, 1000):
        thumbs = [(n // 2, n), *[(n * 4 // 5, n)] * 3]
        mean, _ = quality(thumbs, scores)
        gaps.append(mean[0] - mean[1])
    assert gaps[0] > 0.1
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < -0.2


def test_both_kinds_of_sums_stay_apart_and_add_up():
    one, other = judged([(3, 4)], [(0.5, 10)]), judged([(1, 3)], [(0.9, 5)])
    both = merge(one, other)
    again = merge(other, one)
    assert both.signals == (("quality", "score:judge"), ("quality", "thumb"))
    assert both.moments[0].sum(axis=(0, 1, 3)).tolist() == [15, 7]
    assert infer(both, 0, SETTINGS).quality.mean.tobytes() == infer(again, 0, SETTINGS).quality.mean.tobytes()


def test_other_categories_keep_what_they_go_by():
    sums = judged([(3, 4)], [(0.2, 100)])
    elsewhere = replace(CELLS_ALONE, quality_sources={"other": SOURCE})
    assert infer(sums, 0, elsewhere).quality.mean[0] == pytest.approx([4.7 / 6])


def test_thumbs_and_scores_that_agree_are_surer_together_than_either():
    thumbs, scores = [(80, 100)], [(0.8, 1000)]
    _, both = quality(thumbs, scores)
    _, alone = quality(thumbs, [])
    _, judge = quality([], scores)
    assert both[0] < min(alone[0], judge[0])


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=4, max_size=4),
    st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 10**9)), min_size=4, max_size=4),
)
def test_whatever_is_judged_quality_stays_a_quality(votes, scores):
    mean, variance = quality([(min(pair), max(pair)) for pair in votes], scores)
    assert ((mean >= 0) & (mean <= 1)).all()
    assert (np.isfinite(variance) & (variance > 0)).all()
