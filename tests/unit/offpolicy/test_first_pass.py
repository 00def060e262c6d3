"""What DuckDB adds up is what `collapse` adds up; of a row that is not certain it adds up nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.traffic.columnar.files import Chunk, columnar
from adapters.traffic.columnar.window import UncertainError, opened
from adapters.traffic.formats import FileLog, open_log
from simulations.engines import InProcess, Threads
from simulations.generator import MODELS, TASKS
from simulations.logs.files import write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy import first_pass as module
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.command import sums_of_log
from simulations.offpolicy.first_pass import first_pass
from simulations.offpolicy.sums import LogSums, laid_out
from tests.unit.offpolicy.test_collapse import same

SETTINGS = LogSettings(rows=600, seed=5, logger="thompson", models=MODELS[:4], tasks=TASKS[:3], session_length=3)
DECISION = {
    "namespace": "'shop'",
    "kind": "CASE WHEN row = 7 THEN 'FALLBACK' WHEN row % 5 = 0 THEN 'BASELINE' ELSE kind END",
    "call_id": "'id-' || row",
}
OWN = {
    "parent": "NULL::VARCHAR",
    "judgements": "CASE WHEN quality IS NOT NULL THEN MAP {'thumb': quality} END",
    "judgements_us": "CASE WHEN quality IS NOT NULL THEN MAP {'thumb': judged_us} END",
}
UNKNOWN = {
    "quality": "CASE WHEN row % 3 = 0 THEN NULL ELSE quality END",
    "cost_usd": "CASE WHEN row % 7 = 0 THEN NULL ELSE cost_usd END",
    "latency_s": "CASE WHEN row % 11 = 0 THEN NULL ELSE latency_s END",
    "session": "CASE WHEN row % 4 = 0 THEN NULL ELSE session END",
    "time_us": "CASE WHEN row % 13 = 1 THEN NULL ELSE time_us END",
    "status": "CASE WHEN row % 17 = 0 THEN NULL WHEN row % 19 = 0 THEN 'CANCELLED' WHEN row % 23 = 0 THEN 'TIMEOUT' "
    "ELSE status END",
    "kind": "CASE WHEN row % 29 = 0 THEN 'FORCED' WHEN row % 31 = 0 THEN NULL ELSE kind END",
    "probabilities": "CASE WHEN row % 37 = 0 THEN NULL WHEN row % 2 = 0 AND model != 'north-large' THEN "
    "MAP_FROM_ENTRIES(list_transform(list_filter(map_entries(probabilities), lambda e: e.key != 'north-large'), "
    "lambda e: {'key': e.key, 'value': e.value / (1 - probabilities['north-large'])})) ELSE probabilities END",
    "propensity": "CASE WHEN row % 74 = 0 THEN NULL WHEN row % 37 != 0 AND row % 2 = 0 AND model != 'north-large' "
    "THEN probabilities[model] / (1 - probabilities['north-large']) ELSE propensity END",
}


WRONG = [
    ("category", "'no name'"),
    ("category", "NULL"),
    ("model", "''"),
    ("model", "'none'"),
    ("status", "lower(status)"),
    ("kind", "'GUESSED'"),
    ("session", "session || ' '"),
    ("session", "'NaN'"),
    ("propensity", "propensity / 2"),
    ("propensity", "NULL"),
    ("propensity", "0"),
    ("latency_s", "'NaN'::DOUBLE"),
    ("latency_s", "0"),
    ("quality", "1.5"),
    ("cost_usd", "-1"),
    ("output_tokens", "-1"),
    ("time_us", "-1"),
    ("probabilities", "MAP {model: propensity}"),
    ("probabilities", "MAP {'a': 0.5, 'b': 0.5}"),
]
WRONG_OF_OWN = [
    ("judgements", "MAP {'thumb': 2.0}"),
    ("judgements", "MAP {'someone': 1.0}"),
    ("judgements_us", "NULL"),
    ("judgements_us", "MAP {'thumb': -5}"),
    ("judgements_us", "MAP {'thumb': 4611686018427387904}"),
    ("kind", "NULL"),
]
STRETCH = 20


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "plain.parquet"
    write_log(InventedLog(SETTINGS), path)
    return path


def written(plain: Path, path: Path, cells: Mapping[str, str], where: str = "true") -> Path:
    """The log with other cells, or further columns."""
    written_to(path, selected(plain, cells, where))
    return path


def selected(plain: Path, cells: Mapping[str, str], where: str) -> str:
    known = set(duckdb.read_parquet(str(plain)).columns)
    replaced = ", ".join(f"{cell} AS {name}" for name, cell in cells.items() if name in known)
    added = "".join(f", {cell} AS {name}" for name, cell in cells.items() if name not in known)
    listed = f"* REPLACE ({replaced})" if replaced else "*"
    rows = f"(SELECT * RENAME (file_row_number AS row) FROM read_parquet('{plain}', file_row_number = true))"
    return f"SELECT {listed}{added} FROM {rows} WHERE {where}"


def written_to(path: Path, query: str) -> None:
    duckdb.execute(f"COPY (SELECT * EXCLUDE (row) FROM ({query})) TO '{path}' (FORMAT parquet)")


def written_in_stretches(
    plain: Path, path: Path, cells: Mapping[str, str], wrong: Sequence[tuple[str, str]]
) -> frozenset[str]:
    """Write the first rows again and again, each time with another wrong cell, and last as they are; the columns."""
    names = dict.fromkeys(column for column, _ in wrong)
    cases = {
        name: " ".join(f"WHEN {n} THEN {cell}" for n, (column, cell) in enumerate(wrong) if column == name)
        for name in names
    }
    replaced = ", ".join(f"CASE if(row = 9, part, -1) {case} ELSE {name} END AS {name}" for name, case in cases.items())
    rows = f"({selected(plain, cells, f'row < {STRETCH}')}), (SELECT range AS part FROM range({len(wrong) + 1}))"
    query = f"SELECT * REPLACE ({replaced}) FROM {rows} ORDER BY part, row"
    written_to(path, f"SELECT * EXCLUDE (part) FROM ({query})")
    return frozenset(duckdb.read_parquet(str(path)).columns)


def is_certain(chunk: Chunk) -> bool:
    try:
        with opened(chunk) as window:
            return window.told.used == STRETCH
    except UncertainError:
        return False


def by_the_row(path: Path, **options: Any) -> tuple[LogSums, FileLog]:
    log = open_log(path, **options)
    return collapse(log.batches(500)), log


def agree(found: LogSums | None, expected: LogSums) -> None:
    assert found is not None
    contexts, models = tuple(sorted(expected.contexts)), tuple(sorted(expected.models))
    same(laid_out(found, contexts, models), laid_out(expected, contexts, models), 1e-12)


@pytest.mark.parametrize("cells", [{}, UNKNOWN], ids=["as generated", "with unknown cells"])
def test_the_sums_and_the_report_are_those_of_the_reader_by_the_row(
    plain: Path, tmp_path: Path, cells: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 350)
    path = written(plain, tmp_path / "log.parquet", cells)
    expected, read = by_the_row(path)
    log = open_log(path)
    agree(first_pass(log, Threads(2)), expected)
    assert log.report == replace(read.report, line=0)


def test_what_looks_like_a_wrong_unit_is_noted_as_by_the_reader_by_the_row(plain: Path, tmp_path: Path) -> None:
    cells = {"latency_s": "if(row % 3 = 0, latency_s * 1000, latency_s)", "time_us": "row * 1000"}
    path = written(plain, tmp_path / "log.parquet", cells)
    expected, read = by_the_row(path)
    log = open_log(path)
    agree(first_pass(log, InProcess()), expected)
    assert len(log.report.notes) == 2
    assert log.report.notes == read.report.notes


def test_the_own_format_and_one_of_its_namespaces_give_the_same_sums(plain: Path, tmp_path: Path) -> None:
    names = {"namespace": "CASE WHEN row % 2 = 0 THEN 'shop' ELSE 'bank' END"}
    path = written(plain, tmp_path / "log.parquet", DECISION | OWN | names)
    assert columnar(open_log(path)) is None
    expected, read = by_the_row(path, namespace="bank")
    log = open_log(path, namespace="bank")
    assert log.reader.name == "routeward"
    agree(first_pass(log, InProcess()), expected)
    assert log.report == replace(read.report, line=0)


def test_a_folder_of_files_is_one_log_and_the_bits_do_not_depend_on_the_number_of_workers(
    plain: Path, tmp_path: Path
) -> None:
    written(plain, tmp_path / "1.parquet", {}, "row < 350")
    written(plain, tmp_path / "2.parquet", {}, "row >= 350")
    one, two = (first_pass(open_log(tmp_path), engine) for engine in (InProcess(), Threads(2)))
    agree(one, by_the_row(plain)[0])
    assert one is not None
    assert two is not None
    same(one, two)


def test_of_rows_that_are_not_certain_nothing_is_guessed(plain: Path, tmp_path: Path) -> None:
    for is_own, cells, wrong in ((False, {}, WRONG), (True, DECISION | OWN, WRONG_OF_OWN)):
        path = tmp_path / f"{is_own}.parquet"
        columns = written_in_stretches(plain, path, cells, wrong)
        chunks = (Chunk(str(path), n * STRETCH, (n + 1) * STRETCH, columns, is_own, "") for n in range(len(wrong) + 1))
        certain = [name for name, chunk in zip([*wrong, "none"], chunks, strict=True) if is_certain(chunk)]
        assert certain == ["none"]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("latency_s", "latency_s::FLOAT"),
        ("call_id", "CASE WHEN row = 9 THEN 'call-3' ELSE call_id END"),
        ("time_us", "CASE WHEN row < 30 THEN NULL ELSE time_us END"),
        ("thumb", "true"),
    ],
)
def test_of_files_that_are_not_plain_none_is_added_up_in_the_database(
    plain: Path, tmp_path: Path, column: str, cell: str
) -> None:
    assert columnar(open_log(written(plain, tmp_path / "log.parquet", {column: cell}, "row < 50"))) is None


def test_where_one_row_is_not_certain_the_log_is_read_by_the_row(plain: Path, tmp_path: Path) -> None:
    cells = {"latency_s": "CASE WHEN row = 9 THEN -1 ELSE latency_s END"}
    path = written(plain, tmp_path / "log.parquet", cells, "row < 50")
    log = open_log(path)
    assert columnar(log) is not None
    same(sums_of_log(log), by_the_row(path)[0])
    [rejected] = log.report.rejected.values()
    assert rejected.count == 1
