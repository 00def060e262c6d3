"""Posteriors against 60-digit arithmetic, up to ten billion observations per cell."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from bandit.posterior import infer
from bandit.priors import CELLS_ALONE, BetaPrior, InferenceSettings, ModelPrior, NormalPrior
from bandit.sums import MAX_COUNT, Moments, RowKey, Sums, add_rows, with_axes

mp.dps = 60
SCALE = mpf(2) ** 20
WIDTH_US = 10_000_000
SETTINGS = CELLS_ALONE


@st.composite
def log_moments(draw: st.DrawFn, largest_count: int = MAX_COUNT) -> Moments:
    """Moments that some n observations of ln(latency) can have, whatever their mean and variance."""
    n = draw(st.integers(1, largest_count))
    mean = draw(st.floats(-6.9, 8.18))
    largest = min(8.19 - mean, mean + 6.91)
    deviation = draw(st.sampled_from([0.0, 1e-6, 1e-4, 1e-2]) | st.floats(0.0, largest))
    y = round(mean * n * 2**20)
    yy = round((mean * mean + min(deviation, largest) ** 2) * n * 2**20)
    return Moments(n, y, max(yy, -(-y * y // (n * 2**20))))


def exact_normal(cells: list[tuple[Moments, mpf]], prior: NormalPrior) -> tuple[mpf, mpf]:
    weight = sum(d * m.n for m, d in cells)
    total = sum(d * m.y for m, d in cells) / SCALE
    squares = sum(d * m.yy for m, d in cells) / SCALE - total**2 / weight
    spread = (prior.spread_weight * mpf(prior.spread) + squares) / (prior.spread_weight + max(weight - 1, mpf(0)))
    spread = max(spread, mpf(prior.spread_floor))
    precision = 1 / mpf(prior.variance) + weight / spread
    return (mpf(prior.mean) / mpf(prior.variance) + total / spread) / precision, 1 / precision


def close(value: float, exact: mpf, scale: mpf) -> bool:
    return bool(abs(mpf(float(value)) - exact) <= mpf("1e-9") * max(abs(exact), scale))


@given(log_moments())
@example(Moments(MAX_COUNT, 0, 0))
@example(Moments(MAX_COUNT, round(8.18 * MAX_COUNT * 2**20), round(8.18**2 * MAX_COUNT * 2**20)))
def test_normal_means_and_variances_equal_high_precision_arithmetic(moments):
    sums = add_rows(Sums.empty(WIDTH_US), {RowKey("c", "m", "latency", "", 0): moments})
    belief = infer(sums, 0, SETTINGS).latency
    mean, variance = exact_normal([(moments, mpf(1))], SETTINGS.latency)
    assert close(belief.mean[0, 0], mean, mp.sqrt(variance))
    assert close(belief.variance[0, 0], variance, mpf(0))


@given(st.lists(log_moments(MAX_COUNT // 4), min_size=2, max_size=4), st.floats(30.0, 1e7))
def test_forgotten_buckets_weigh_what_their_age_says(all_moments, half_life_s):
    rows = {RowKey("c", "m", "latency", "", 10 * i): m for i, m in enumerate(all_moments)}
    sums = add_rows(Sums.empty(WIDTH_US), rows)
    now_us = 10 * len(rows) * WIDTH_US
    settings = replace(CELLS_ALONE, half_lives_s={"latency": half_life_s})
    seen = infer(sums, now_us, settings).latency
    merged = add_rows(Sums.empty(WIDTH_US, now_us), rows)
    edges = [*merged.starts.tolist(), merged.now + 1]
    ages = {start: mpf(now_us) / WIDTH_US - (mpf(start) + end) / 2 for start, end in pairwise(edges)}
    cells = [
        (moments, mpf(2) ** (-max(ages[key.bucket], mpf(0)) * 10 / mpf(half_life_s)))
        for key, moments in merged.rows().items()
    ]
    mean, variance = exact_normal(cells, settings.latency)
    assert close(seen.mean[0, 0], mean, mp.sqrt(variance))
    assert close(seen.variance[0, 0], variance, mpf(0))


@given(st.integers(1, MAX_COUNT), st.integers(0, MAX_COUNT), st.booleans())
@example(MAX_COUNT, MAX_COUNT, True)
@example(MAX_COUNT, 0, False)
def test_rates_equal_high_precision_arithmetic(first, second, is_thumb):
    n, good = max(first, second), min(first, second)
    moments = Moments(n, good * 2**20, good * 2**20)
    key = RowKey("c", "m", "quality", "thumb", 0) if is_thumb else RowKey("c", "m", "error", "", 0)
    posterior = infer(add_rows(Sums.empty(WIDTH_US), {key: moments}), 0, SETTINGS)
    belief, prior = (posterior.quality, SETTINGS.thumbs) if is_thumb else (posterior.error, SETTINGS.error)
    alpha = mpf(prior.mean) * mpf(prior.weight) + good
    beta = (1 - mpf(prior.mean)) * mpf(prior.weight) + (n - good)
    assert close(belief.mean[0, 0], alpha / (alpha + beta), mpf(0))
    assert close(belief.variance[0, 0], alpha * beta / ((alpha + beta) ** 2 * (alpha + beta + 1)), mpf(0))


def test_three_good_thumbs_of_four_on_a_flat_prior_give_two_thirds():
    settings = replace(CELLS_ALONE, thumbs=BetaPrior(mean=0.5, weight=2.0))
    key = RowKey("c", "m", "quality", "thumb", 0)
    sums = add_rows(Sums.empty(WIDTH_US), {key: Moments(4, 3 << 20, 3 << 20)})
    quality = infer(sums, 0, settings).quality
    assert quality.mean[0, 0] == pytest.approx(4 / 6)
    assert quality.variance[0, 0] == pytest.approx(4 * 2 / (36 * 7))


def test_an_unseen_category_is_believed_to_be_like_the_prior():
    key = RowKey("c", "m", "quality", "thumb", 0)
    posterior = infer(add_rows(Sums.empty(WIDTH_US), {key: Moments(9, 0, 0)}), 0, SETTINGS)
    assert posterior.quality.mean[-1, 0] == pytest.approx(SETTINGS.thumbs.mean)
    assert posterior.latency.mean[-1, 0] == pytest.approx(SETTINGS.latency.mean)


def test_a_category_that_trusts_a_judge_ignores_its_thumbs():
    rows = {
        RowKey("c", "m", "quality", "thumb", 0): Moments(50, 0, 0),
        RowKey("c", "m", "quality", "score:judge", 0): Moments(50, 50 << 20, 50 << 20),
        RowKey("d", "m", "quality", "thumb", 0): Moments(50, 0, 0),
    }
    sums = add_rows(Sums.empty(WIDTH_US), rows)
    quality = infer(sums, 0, replace(CELLS_ALONE, quality_sources={"c": "score:judge"})).quality
    assert quality.mean[0, 0] > 0.9
    assert quality.mean[1, 0] < 0.1
    both = infer(sums, 0, replace(CELLS_ALONE, quality_sources={"c": "any"})).quality
    assert both.weight[0, 0] == 100
    assert 0.4 < both.mean[0, 0] < 0.6


def test_every_extreme_stays_finite():
    extremes = [(1, -6.907755), (1, 8.188689), (MAX_COUNT, -6.907755), (MAX_COUNT, 8.188689), (MAX_COUNT, 0.0)]
    for (n, y), half_life_s in product(extremes, (1e-3, 60.0, np.inf)):
        moments = Moments(n, round(n * y * 2**20), round(n * y * y * 2**20) + n)
        sums = add_rows(Sums.empty(WIDTH_US), {RowKey("c", "m", "latency", "", 0): moments})
        for now_us in (0, 10**9, 10**17):
            belief = infer(sums, now_us, replace(CELLS_ALONE, half_lives_s={"latency": half_life_s})).latency
            for array in (belief.mean, belief.variance, belief.spread):
                assert np.isfinite(array).all()
            assert (belief.variance > 0).all()


def test_the_same_sums_give_the_same_bits():
    rows = {RowKey("c", "m", "latency", "", i): Moments(3, i << 20, (i * i) << 20) for i in range(1, 9)}
    forward = infer(add_rows(Sums.empty(WIDTH_US), rows), 10**9, SETTINGS)
    backward = infer(add_rows(Sums.empty(WIDTH_US), dict(reversed(rows.items()))), 10**9, SETTINGS)
    assert forward.latency.mean.tobytes() == backward.latency.mean.tobytes()
    assert forward.latency.variance.tobytes() == backward.latency.variance.tobytes()


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(0, 40),
    st.floats(10.0, 1e4),
)
def test_what_else_is_on_the_axes_changes_no_bit_of_a_cell(observed, older, half_life_s):
    rows: dict[RowKey, Moments] = {}
    for bucket, good, bad in observed:
        value = Moments(good + bad, good << 20, good << 20)
        rows[RowKey("c", "m", "quality", "thumb", older + bucket)] = value
        rows[RowKey("c", "m", "error", "", older + bucket)] = value
        rows[RowKey("c", "m", "latency", "", older + bucket)] = value
    others = {
        RowKey("b", "a", "latency", "", 0): Moments(3, 1, 1),
        RowKey("d", "z", "quality", "thumb", 0): Moments(1, 0, 0),
    }
    settings = replace(CELLS_ALONE, half_lives_s=dict.fromkeys(("quality", "error", "latency"), half_life_s))
    now_us = (older + 61) * WIDTH_US
    alone = infer(add_rows(Sums.empty(WIDTH_US, now_us), rows), now_us, settings)
    among = infer(add_rows(Sums.empty(WIDTH_US), rows | others), now_us, settings)
    row, column = among.categories.index("c"), among.models.index("m")
    for name in ("quality", "error", "latency"):
        one, other = getattr(alone, name), getattr(among, name)
        assert one.mean[0, 0] == other.mean[row, column]
        assert one.variance[0, 0] == other.variance[row, column]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sampled_from(["thumb", "score:judge"]),
    st.floats(30.0, 1e4),
)
def test_empty_categories_and_models_change_no_bit_by_default(observed, models, kind, half_life_s):
    rows: dict[RowKey, Moments] = {}
    for place, (bucket, good, bad) in enumerate(observed):
        category, model = f"c{place % 4}", f"m{place % models}"
        rows[RowKey(category, model, "quality", kind, bucket)] = Moments(good + bad, good << 20, good << 20)
        rows[RowKey(category, model, "error", "", bucket)] = Moments(9 * (good + bad), bad << 20, bad << 20)
        rows[RowKey(category, model, "latency", "", bucket)] = Moments(good + bad, good << 20, (2 * good) << 20)
    settings = replace(
        InferenceSettings(),
        half_lives_s=dict.fromkeys(("quality", "error", "latency"), half_life_s),
        quality_sources={"default": kind},
        models={"m0": ModelPrior(quality=0.4)},
    )
    now_us = 61 * WIDTH_US
    sums = add_rows(Sums.empty(WIDTH_US, now_us), rows)
    alone, among = (
        infer(sums, now_us, settings),
        infer(with_axes(sums, ["a", "c1x", "z"], ["a", "m0x"]), now_us, settings),
    )
    places = np.ix_([*map(among.categories.index, alone.categories)], [*map(among.models.index, alone.models)])
    for name in ("quality", "error", "latency"):
        one, other = getattr(alone, name), getattr(among, name)
        for array in ("mean", "variance", "shift"):
            assert getattr(one, array)[:-1].tobytes() == getattr(other, array)[places].tobytes()


def test_categories_that_are_not_named_go_by_the_judgement_of_default_even_if_none_goes_by_thumbs():
    rows = {RowKey("c", "m", "quality", source, 0): Moments(100, y * 2**20, y * 2**20) for source, y in SOURCES}
    sums = add_rows(Sums.empty(WIDTH_US), rows)
    by_default = infer(sums, 0, replace(CELLS_ALONE, quality_sources={"default": "score:judge"})).quality
    by_name = infer(sums, 0, replace(CELLS_ALONE, quality_sources={"c": "score:judge"})).quality
    assert by_default.mean[0, 0] == by_name.mean[0, 0] < 0.5
    assert by_default.mean[-1, 0] == pytest.approx(CELLS_ALONE.scores.mean)
    thumbs = infer(sums, 0, replace(CELLS_ALONE, quality_sources={"default": "score:judge", "c": "thumb"})).quality
    assert thumbs.mean[0, 0] > 0.9


SOURCES = (("thumb", 100), ("score:judge", 20))
