"""From a log to a file to a prior."""

import json
import math
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.traffic import warm_start
from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError, WarmStartError
from adapters.traffic.files import json_rows
from adapters.traffic.files.kinds import records_of
from adapters.traffic.files.table import MAX_LINE_BYTES
from adapters.traffic.formats import open_log
from adapters.traffic.lessons import Lessons, lessons_of
from adapters.traffic.log import CallLog
from adapters.traffic.rows import BROKEN
from adapters.traffic.warm_start import read_warm_start, write_warm_start
from bandit.priors import PastCell
from bandit.signals import Status

CALLS: list[dict[str, Any]] = [
    {"category": "chat", "model": "large", "quality": 1.0, "latency_s": 2.0, "output_tokens": 100, "status": "ok"},
    {"category": "chat", "model": "large", "quality": 0.5, "latency_s": 8.0, "output_tokens": 400, "status": "ok"},
    {"category": "chat", "model": "large", "quality": None, "latency_s": None, "output_tokens": None, "status": "500"},
    {"category": "code", "model": "small", "quality": 0.25, "latency_s": None, "output_tokens": None, "status": None},
]
TAUGHT = {
    ("chat", "large", "quality"): (0.75, 2),
    ("chat", "large", "error"): (1 / 3, 3),
    ("chat", "large", "latency"): (math.log(4.0), 2),
    ("chat", "large", "output_tokens"): (math.log(200.0), 2),
    ("code", "small", "quality"): (0.25, 1),
}


def by_cell(cells: tuple[PastCell, ...]) -> dict[tuple[str, ...], object]:
    return {cell[:3]: pytest.approx(cell[3:], rel=1e-5) for cell in cells}


def written(folder: Path, kind: str) -> Path:
    path = folder / f"log.{kind}"
    lines = "".join(f"{json.dumps(call)}\n" for call in CALLS)
    match kind:
        case "jsonl":
            path.write_text(lines, encoding="utf-8")
        case "csv":
            rows = [",".join("" if cell is None else str(cell) for cell in call.values()) for call in CALLS]
            path.write_text("\n".join([",".join(CALLS[0]), *rows]), encoding="utf-8-sig")
        case "parquet":
            (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
            with duckdb.connect() as connection:
                connection.read_json(str(folder / "rows.jsonl")).write_parquet(str(path))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_log_teaches_the_same_in_every_format(tmp_path, kind):
    lessons = lessons_of(open_log(written(tmp_path, kind)))
    assert (lessons.used, lessons.rejected) == (4, {})
    assert by_cell(lessons.cells) == TAUGHT


def test_bad_rows_are_counted_by_reason_and_the_others_kept(tmp_path):
    path = tmp_path / "log.jsonl"
    bad = ["not json", "[1]", '{"category": "chat"}', '{"category": "chat", "model": "m", "quality": 2}', ""]
    path.write_text("\n".join([*bad, json.dumps(CALLS[0])]), encoding="utf-8")
    lessons = lessons_of(open_log(path))
    assert lessons.used == 1
    assert counts(lessons) == {
        "model is missing": 1,
        "not a row of the log's format": 2,
        "quality is out of range": 1,
    }
    assert lessons.rejected["not a row of the log's format"].lines == [1, 2]
    assert lessons.rejected["quality is out of range"].lines == [4]


def test_lines_of_a_table_with_too_few_or_too_many_cells_are_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("category,model,quality\nchat,large\nchat,large,1,1\nchat,large,1\n", encoding="utf-8")
    lessons = lessons_of(open_log(path))
    assert (lessons.used, sum(counts(lessons).values())) == (1, 2)


def counts(lessons: Lessons) -> dict[str, int]:
    return {reason: one.count for reason, one in lessons.rejected.items()}


def call_of(category: str, model: str) -> Call:
    return Call(category, model, status=Status.OK)


def taught(calls: Iterable[Call]) -> Lessons:
    return lessons_of(CallLog(calls))


def test_a_log_with_names_of_its_own_in_every_row_is_cut_at_models():
    lessons = taught(call_of(f"c{i}", f"m{i}") for i in range(20_000))
    assert lessons.used == len(lessons.cells) == 256
    assert counts(lessons) == {"model is one more than the 256 that a warm start holds": 20_000 - 256}


def test_categories_beyond_a_thousand_are_left_out_and_the_others_go_on():
    lessons = taught([*(call_of(f"c{i}", "m") for i in range(1003)), call_of("c0", "m")])
    assert lessons.used == 1001
    assert counts(lessons) == {"category is one more than the 1,000 that a warm start holds": 3}


def test_categories_times_models_are_limited_whether_seen_or_not():
    calls = [*(call_of(f"c{i}", "m0") for i in range(1000)), *(call_of("c0", f"m{i}") for i in range(103))]
    lessons = taught(calls)
    assert (lessons.used, counts(lessons)) == (1100, {"categories times models would be more than 100,000": 3})


def test_a_rejected_row_counts_no_names():
    silent = [Call(f"c{i}", f"m{i}", cost_usd=0.1) for i in range(2000)]
    lessons = taught([*silent, call_of("chat", "m")])
    assert (lessons.used, counts(lessons)) == (1, {"nothing is known of how the call went": 2000})


def test_a_line_as_long_as_allowed_is_read_and_a_longer_one_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "MAX_JSON_BYTES", MAX_LINE_BYTES)
    path, end = tmp_path / "log.jsonl", '"}\n'
    start = '{"category": "chat", "model": "m", "status": "ok", "prompt": "'
    longest = start + "x" * (MAX_LINE_BYTES - len(start) - len(end)) + end
    longer = start + "x" * (3 * MAX_LINE_BYTES) + end
    path.write_text(longest + longest.replace("x", "xx", 1) + longer + json.dumps(CALLS[0]) + "\n" + longer[:-1])
    assert [record.row is BROKEN for record in records_of(path)] == [False, True, True, False, True]
    assert [*records_of(path)][-1].done == 1


@pytest.mark.parametrize("before", ["", '"an answer\nof lines ', '"'])
def test_a_long_line_of_a_table_breaks_its_own_row_alone(tmp_path, before):
    closing = '"' if before else ""
    long = f"{before}{'x' * MAX_LINE_BYTES}\n{closing}" if before == '"' else f"{before}{'x' * MAX_LINE_BYTES}{closing}"
    path = tmp_path / "log.csv"
    path.write_text(f"prompt,category,model,quality\nshort,chat,m,1\n{long},chat,m,1\nshort,chat,m,0\n")
    assert [record.row.get("quality") for record in records_of(path)] == ["1", None, "0"]
    assert counts(lessons_of(open_log(path))) == {"not a row of the log's format": 1}


def test_names_of_columns_that_fill_a_long_line_are_refused(tmp_path):
    (tmp_path / "log.csv").write_text("category,model," + "x" * MAX_LINE_BYTES + "\nchat,m,1\n")
    with pytest.raises(LogError, match="names of columns is longer than 1,000,000 bytes"):
        lessons_of(open_log(tmp_path / "log.csv"))


def test_a_long_line_is_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "MAX_JSON_BYTES", MAX_LINE_BYTES)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"x" * (20 * MAX_LINE_BYTES))
    tracemalloc.start()
    try:
        assert [record.row is BROKEN for record in records_of(path)] == [True]
        assert tracemalloc.get_traced_memory()[1] < 5 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()


def test_a_call_without_status_teaches_no_error():
    lessons = taught([Call("chat", "m", latency_s=1.0)])
    assert [cell.signal for cell in lessons.cells] == ["latency"]


def test_one_absurd_latency_of_a_log_is_left_out():
    [cell] = taught(Call("chat", "m", latency_s=one) for one in [1.0] * 20 + [3600.0]).cells
    assert cell[3:] == pytest.approx((0.0, 20.0), abs=1e-4)


def test_progress_ends_with_all_of_it(tmp_path):
    told = []
    lessons_of(open_log(written(tmp_path, "csv")), lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("gone.csv", None, "does not exist"),
        ("log.xlsx", b"", "cannot read '.xlsx'"),
        ("log.csv", b"\xff\xfe", "UTF-8"),
        ("log.parquet", b"no", "as Parquet"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path, name, content, complaint):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=complaint):
        lessons_of(open_log(tmp_path / name))


def test_a_file_says_what_was_written_to_it(tmp_path):
    path = tmp_path / "warm.json"
    lessons = lessons_of(open_log(written(tmp_path, "jsonl")))
    write_warm_start(lessons, path)
    assert by_cell(read_warm_start(path)) == TAUGHT
    line = next(line for line in path.read_text().splitlines() if '"latency"' in line)
    assert '"value": 4.0, "observations": 2.0' in line


def test_an_unwritable_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(WarmStartError, match="nowhere"):
        write_warm_start(Lessons((), 0, {}), tmp_path / "nowhere" / "warm.json")


CELL = {"category": "chat", "model": "m", "signal": "quality", "value": 0.5, "observations": 3}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "no warm start"),
        ({"format": "other"}, "no warm start"),
        ({"cells": {}}, "no list of cells"),
        ({"cells": [1]}, "cell 1: not an object"),
        ({"cells": [CELL, CELL | {"signal": "cost"}]}, "cell 2: signal is 'cost'; known: quality, error"),
        ({"cells": [CELL | {"category": f"c{i}"} for i in range(1001)]}, "more than 1000 categories"),
        ({"cells": [CELL | {"category": "a b"}]}, "category is no name"),
        ({"cells": [CELL, CELL]}, "cell 2: quality of m in chat stands twice"),
        ({"cells": [CELL | {"value": 1.5}]}, "value is 1.5; give 0 to 1"),
        ({"cells": [CELL | {"value": math.nan}]}, "value is nan"),
        ({"cells": [CELL | {"signal": "latency", "value": 0}]}, "value is 0; give 0.001 to 3600"),
        ({"cells": [CELL | {"observations": 0}]}, "observations is 0"),
        ({"cells": [CELL | {"observations": True}]}, "observations is True"),
        ({"cells": [CELL | {"observations": "3"}]}, "observations is '3'"),
        ({"cells": [CELL | {"model": ""}]}, "model is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_cell_and_field(tmp_path, document, complaint):
    if isinstance(document, dict):
        document = {"format": "routeward warm start 1"} | document
    path = tmp_path / "warm.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(WarmStartError, match=complaint):
        read_warm_start(path)


@pytest.mark.parametrize(
    "wrong",
    ["x" * 10_000, [1] * 10_000, 10**4000, {"a": ["b" * 100] * 9}, [[[[["deep"]]]]]],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("field", ["signal", "value", "observations"])
def test_a_wrong_value_is_repeated_up_to_eighty_characters(tmp_path, field, wrong):
    path = tmp_path / "warm.json"
    path.write_text(json.dumps({"format": "routeward warm start 1", "cells": [CELL | {field: wrong}]}))
    with pytest.raises(WarmStartError, match=f"cell 1: {field} is ") as refused:
        read_warm_start(path)
    repeated = str(refused.value).split(f"{field} is ")[1].rsplit(";", 1)[0]
    assert 0 < len(repeated) <= 80


def test_a_file_that_a_server_would_refuse_for_its_size_is_not_written(tmp_path, monkeypatch):
    lessons = taught([call_of("chat", "m")])
    write_warm_start(lessons, tmp_path / "warm.json")
    monkeypatch.setattr(warm_start, "MAX_BYTES", (tmp_path / "warm.json").stat().st_size - 1)
    with pytest.raises(WarmStartError, match="would be larger"):
        write_warm_start(lessons, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path):
    (tmp_path / "warm.json").write_text("{", encoding="utf-8")
    for name, complaint in (("warm.json", "not JSON"), ("gone.json", "cannot be read")):
        with pytest.raises(WarmStartError, match=complaint):
            read_warm_start(tmp_path / name)
