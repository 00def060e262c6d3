"""Sums of a log: whatever the batches, whatever the order of merging, and what is left out is counted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from adapters.traffic.calls import UNKNOWN, Calls
from simulations.offpolicy.cells import CHOSEN, KNOWN
from simulations.offpolicy.collapse import collapse, sums_of
from simulations.offpolicy.slices import MICROSECONDS, MOST, ROWS, fitting_width
from simulations.offpolicy.storage import SumsFileError, is_sums, read_sums, write_sums
from simulations.offpolicy.sums import LogSums, merge
from tests.unit.offpolicy.conftest import part

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
DAY_US = 86_400_000_000


def same(a: LogSums, b: LogSums, tolerance: float = 0.0) -> None:
    """Integers are equal, and floats within a tolerance."""
    for name in ("contexts", "models", "timed", "width", "rows", "undistributed", "in_sessions", "unusable"):
        assert getattr(a, name) == getattr(b, name), name
    np.testing.assert_array_equal(a.cells.keys, b.cells.keys)
    np.testing.assert_array_equal(a.cells.counts, b.cells.counts)
    for name in ("squares", "largest", "latencies", "calibration", "extremes"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.cells.values, b.cells.values, rtol=tolerance, atol=tolerance)


def test_batches_of_any_size_give_the_same_sums(calls: Calls) -> None:
    whole = sums_of(calls)
    for size in (97, 500, len(calls) - 1):
        batches = [part(calls, first, first + size) for first in range(0, len(calls), size)]
        same(collapse(batches), whole, 1e-12)


def test_batches_are_cut_into_no_finer_slices_than_the_log_will_keep(calls: Calls) -> None:
    class Watched:
        def __init__(self) -> None:
            self.widths: list[int] = []

        def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
            for found in map(function, chunks):
                assert isinstance(found, LogSums)
                self.widths.append(found.width)
                yield found

    daily = replace(calls, time_us=np.arange(len(calls)) * DAY_US)
    engine = Watched()
    sums = collapse([part(daily, first, first + 100) for first in range(0, len(calls), 100)], engine)
    assert engine.widths[0] < engine.widths[-1] == sums.width == sums_of(daily).width
    assert engine.widths == sorted(engine.widths)


def test_a_clock_that_is_thousands_of_years_ahead_changes_no_other_cell(calls: Calls) -> None:
    of_many = replace(
        calls, models=tuple(f"m{m}" for m in range(1000)), model=calls.model * 300, kind=calls.kind * 0 + 1
    )
    at_once = replace(of_many, drawn_from=calls.drawn_from * 0 - 1, time_us=np.full(len(calls), DAY_US))
    ahead = replace(at_once, time_us=np.where(np.arange(len(calls)) == 1, 8000 * 365 * DAY_US, DAY_US))
    expected, cells = sums_of(at_once).cells, sums_of(ahead).cells
    assert int(cells.keys[-1, 0]) * 33 * 3 * 900 > 2**63
    np.testing.assert_array_equal(cells.keys[:-1, 1:], expected.keys[:, 1:])
    np.testing.assert_allclose(cells.values.sum(axis=0), expected.values.sum(axis=0))
    assert cells.counts.sum() == expected.counts.sum()


def test_logs_merge_in_any_grouping(calls: Calls) -> None:
    a, b, c = (sums_of(part(calls, first, first + 500), first) for first in (0, 500, 1000))
    same(merge(merge(a, b), c), merge(a, merge(b, c)), 1e-12)


def test_merging_with_nothing_changes_nothing(calls: Calls) -> None:
    sums = sums_of(calls)
    same(merge(LogSums.empty(), sums), sums)
    same(merge(sums, LogSums.empty()), sums)


def test_logs_with_other_models_and_categories_merge_by_name(calls: Calls) -> None:
    renamed = replace(calls, models=("z", *calls.models[1:]), categories=("other", *calls.categories[1:]))
    both = merge(sums_of(calls), sums_of(renamed))
    assert set(both.models) == {*calls.models, "z"}
    z, first = both.models.index("z"), both.models.index(calls.models[0])
    chosen = [int(both.cells.counts[both.cells.keys[:, 3] == m, CHOSEN].sum()) for m in (z, first)]
    assert chosen[0] == chosen[1] > 0


def test_only_logs_that_both_know_times_merge(calls: Calls) -> None:
    with pytest.raises(ValueError, match="only one of the logs knows times"):
        merge(sums_of(calls), sums_of(calls, timed=False))


def test_what_was_not_drawn_or_has_no_propensity_is_left_out_and_counted(calls: Calls) -> None:
    sums = sums_of(calls)
    assert sums.unusable["not drawn (forced, fallback or degraded)"] == int((calls.kind == 3).sum())
    assert sums.rows + sum(sums.unusable.values()) == len(calls)
    assert sums.cells.counts[:, CHOSEN].sum() == sums.rows


@pytest.mark.parametrize("propensity", [0.0, -0.1, 1.5, np.inf])
def test_a_propensity_that_is_no_probability_is_left_out(calls: Calls, propensity: float) -> None:
    broken = replace(calls, propensity=np.full(len(calls), propensity))
    sums = sums_of(broken)
    assert sums.rows == 0
    assert sum(sums.unusable.values()) == len(calls)


def test_calls_without_a_time_are_left_out_of_a_log_that_is_cut_by_time(calls: Calls) -> None:
    late = replace(calls, time_us=np.where(np.arange(len(calls)) < 10, UNKNOWN, calls.time_us))
    assert sums_of(late).unusable["no time"] in range(1, 11)
    assert "no time" not in sums_of(late, timed=False).unusable


def test_unknown_parts_are_counted_as_unknown_and_never_as_zero(calls: Calls) -> None:
    usable = np.isin(calls.kind, (UNKNOWN, 1, 2)) & np.isfinite(calls.propensity)
    known = sums_of(calls).cells.counts[:, KNOWN].sum(axis=0)
    failed = calls.status == 2
    assert known[0] == (usable & (failed | np.isfinite(calls.quality))).sum()
    assert known[1] == (usable & np.isfinite(calls.cost_usd)).sum()


@pytest.mark.parametrize(("ladder", "timed"), [(MICROSECONDS, True), (ROWS, False)])
def test_each_width_is_a_part_of_the_next(ladder: tuple[int, ...], timed: bool) -> None:
    assert all(wide % narrow == 0 for narrow, wide in pairwise(ladder))
    places = np.random.default_rng(1).integers(0, 10**12, 1000)
    width = fitting_width(places, ladder[0], timed=timed)
    assert len(np.unique(places // width)) <= MOST
    assert len(np.unique(places // ladder[ladder.index(width) - 1])) > MOST


def test_sums_are_read_back_to_the_bit(calls: Calls, tmp_path: Path) -> None:
    path, sums = tmp_path / "log.sums", sums_of(calls)
    write_sums(sums, path)
    assert is_sums(path)
    same(read_sums(path), sums)
    assert [file.name for file in tmp_path.iterdir()] == ["log.sums"]


def test_a_damaged_or_foreign_file_of_sums_is_refused_with_what_to_do(calls: Calls, tmp_path: Path) -> None:
    path = tmp_path / "log.sums"
    write_sums(sums_of(calls), path)
    whole = path.read_bytes()
    for content in (b"", b"nothing", whole[: len(whole) // 2], b"PK\x03\x04" + whole[10:]):
        path.write_bytes(content)
        with pytest.raises(SumsFileError, match=r"log\.sums"):
            read_sums(path)
    other = tmp_path / "other.npz"
    np.savez(other, a=np.zeros(3))
    assert not is_sums(other)
    with pytest.raises(SumsFileError, match="routeward collapse"):
        read_sums(other)


def test_sums_that_do_not_fit_their_head_are_refused(calls: Calls, tmp_path: Path) -> None:
    sums = sums_of(calls)
    for broken in (
        replace(sums, models=(*sums.models, "more")),
        replace(sums, width=12345),
        replace(sums, cells=replace(sums.cells, counts=sums.cells.counts[:, :2])),
    ):
        path = tmp_path / "broken.sums"
        write_sums(broken, path)
        with pytest.raises(SumsFileError, match="damaged"):
            read_sums(path)


def test_every_field_of_sums_is_stored(calls: Calls, tmp_path: Path) -> None:
    path, sums = tmp_path / "log.sums", sums_of(calls)
    write_sums(sums, path)
    read = read_sums(path)
    assert {field.name for field in fields(LogSums)} == {field.name for field in fields(read)}
    assert read.extremes.tolist() == sums.extremes.tolist()
