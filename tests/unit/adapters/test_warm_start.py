"""From a log to a file to a prior."""

import json
import math
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.traffic.errors import LogError, WarmStartError
from adapters.traffic.lessons import Lessons, lessons_of
from adapters.traffic.rows import log_rows
from adapters.traffic.warm_start import read_warm_start, write_warm_start
from bandit.priors import PastCell

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
    lessons = lessons_of(log_rows(written(tmp_path, kind)))
    assert (lessons.used, lessons.rejected) == (4, {})
    assert by_cell(lessons.cells) == TAUGHT


def test_bad_rows_are_counted_by_reason_and_the_others_kept(tmp_path):
    path = tmp_path / "log.jsonl"
    bad = ["not json", "[1]", '{"category": "chat"}', '{"category": "chat", "model": "m", "quality": 2}', ""]
    path.write_text("\n".join([*bad, json.dumps(CALLS[0])]), encoding="utf-8")
    lessons = lessons_of(log_rows(path))
    assert lessons.used == 1
    assert lessons.rejected == {
        "model is missing": 1,
        "not a row of the log's format": 2,
        "quality is out of range": 1,
    }


def test_lines_of_a_table_with_too_few_or_too_many_cells_are_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("category,model,quality\nchat,large\nchat,large,1,1\nchat,large,1\n", encoding="utf-8")
    lessons = lessons_of(log_rows(path))
    assert (lessons.used, sum(lessons.rejected.values())) == (1, 2)


def test_a_call_without_status_teaches_no_error():
    lessons = lessons_of([({"category": "chat", "model": "m", "latency_s": 1.0}, 1.0)])
    assert [cell.signal for cell in lessons.cells] == ["latency"]


def test_one_absurd_latency_of_a_log_is_left_out():
    calls = [{"category": "chat", "model": "m", "latency_s": one} for one in [1.0] * 20 + [3600.0]]
    [cell] = lessons_of((call, 1.0) for call in calls).cells
    assert cell[3:] == pytest.approx((0.0, 20.0), abs=1e-4)


def test_progress_ends_with_all_of_it(tmp_path):
    told = []
    lessons_of(log_rows(written(tmp_path, "csv")), lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("gone.csv", None, "is not a file"),
        ("log.xlsx", b"", "cannot read '.xlsx'"),
        ("log.csv", b"\xff\xfe", "UTF-8"),
        ("log.parquet", b"no", "as Parquet"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path, name, content, complaint):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=complaint):
        lessons_of(log_rows(tmp_path / name))


def test_a_file_says_what_was_written_to_it(tmp_path):
    path = tmp_path / "warm.json"
    lessons = lessons_of(log_rows(written(tmp_path, "jsonl")))
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


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path):
    (tmp_path / "warm.json").write_text("{", encoding="utf-8")
    for name, complaint in (("warm.json", "not JSON"), ("gone.json", "cannot be read")):
        with pytest.raises(WarmStartError, match=complaint):
            read_warm_start(tmp_path / name)
