"""What DuckDB adds up is what `collapse` adds up; of a row that is not certain it adds up nothing."""

# ruff: noqa: S608 -- queries are made of own names, and of quoted ones
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from adapters.traffic.calls import session_number
from adapters.traffic.formats import FileLog, open_log
from simulations.engines import InProcess, Threads
from simulations.generator import MODELS, TASKS
from simulations.logs.files import write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy import first_pass as module
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.first_pass import first_pass
from simulations.offpolicy.sums import LogSums, laid_out
from tests.unit.offpolicy.test_collapse import same

SETTINGS = LogSettings(rows=1200, seed=5, logger="thompson", models=MODELS[:4], tasks=TASKS[:3], session_length=3)
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


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "plain.parquet"
    write_log(InventedLog(SETTINGS), path)
    return path


def written(plain: Path, path: Path, cells: Mapping[str, str], where: str = "true") -> Path:
    """The log with other cells, or further columns."""
    known = set(duckdb.read_parquet(str(plain)).columns)
    replaced = ", ".join(f"{cell} AS {name}" for name, cell in cells.items() if name in known)
    added = "".join(f", {cell} AS {name}" for name, cell in cells.items() if name not in known)
    listed = f"* REPLACE ({replaced})" if replaced else "*"
    rows = f"(SELECT *, file_row_number AS row FROM read_parquet('{plain}', file_row_number = true))"
    query = f"SELECT COLUMNS(c -> c NOT IN ('row', 'file_row_number')) FROM (SELECT {listed}{added} FROM {rows} WHERE {where})"
    duckdb.sql(query.replace("c -> c", "lambda c: c")).write_parquet(str(path))
    return path


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
    monkeypatch.setattr(module, "CHUNK", 500)
    path = written(plain, tmp_path / "log.parquet", cells)
    expected, read = by_the_row(path)
    log = open_log(path)
    agree(first_pass(log, Threads(2)), expected)
    assert log.report == replace(read.report, line=0)


def test_the_own_format_and_one_of_its_namespaces_give_the_same_sums(plain: Path, tmp_path: Path) -> None:
    names = {"namespace": "CASE WHEN row % 2 = 0 THEN 'shop' ELSE 'bank' END"}
    path = written(plain, tmp_path / "log.parquet", DECISION | OWN | names)
    expected, read = by_the_row(path, namespace="bank")
    log = open_log(path, namespace="bank")
    assert log.reader.name == "routeward"
    agree(first_pass(log, InProcess()), expected)
    assert log.report == replace(read.report, line=0)


def test_a_folder_of_files_is_one_log(plain: Path, tmp_path: Path) -> None:
    written(plain, tmp_path / "1.parquet", {}, "row < 700")
    written(plain, tmp_path / "2.parquet", {}, "row >= 700")
    agree(first_pass(open_log(tmp_path), InProcess()), by_the_row(plain)[0])


def test_the_bits_do_not_depend_on_the_number_of_workers(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 256)
    one, three = (first_pass(open_log(plain), engine) for engine in (InProcess(), Threads(3)))
    assert one is not None
    assert three is not None
    same(one, three)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("category", "CASE WHEN row = 9 THEN 'no name' ELSE category END"),
        ("category", "CASE WHEN row = 9 THEN NULL ELSE category END"),
        ("model", "CASE WHEN row = 9 THEN '' ELSE model END"),
        ("model", "CASE WHEN row = 9 THEN 'none' ELSE model END"),
        ("status", "lower(status)"),
        ("kind", "CASE WHEN row = 9 THEN 'GUESSED' ELSE kind END"),
        ("call_id", "CASE WHEN row = 9 THEN 'call-3' ELSE call_id END"),
        ("session", "CASE WHEN row = 9 THEN session || ' ' ELSE session END"),
        ("session", "CASE WHEN row = 9 THEN 'NaN' ELSE session END"),
        ("propensity", "CASE WHEN row = 9 THEN propensity / 2 ELSE propensity END"),
        ("propensity", "CASE WHEN row = 9 THEN NULL ELSE propensity END"),
        ("propensity", "CASE WHEN row = 9 THEN 0 ELSE propensity END"),
        ("latency_s", "CASE WHEN row = 9 THEN 'NaN'::DOUBLE ELSE latency_s END"),
        ("latency_s", "CASE WHEN row = 9 THEN 0 ELSE latency_s END"),
        ("latency_s", "latency_s::FLOAT"),
        ("quality", "CASE WHEN row = 9 THEN 1.5 ELSE quality END"),
        ("cost_usd", "CASE WHEN row = 9 THEN -1 ELSE cost_usd END"),
        ("output_tokens", "CASE WHEN row = 9 THEN -1 ELSE output_tokens END"),
        ("time_us", "CASE WHEN row = 9 THEN -1 ELSE time_us END"),
        ("time_us", "CASE WHEN row < 600 THEN NULL ELSE time_us END"),
        ("probabilities", "CASE WHEN row = 9 THEN MAP {model: propensity} ELSE probabilities END"),
        ("probabilities", "CASE WHEN row = 9 THEN MAP {'a': 0.5, 'b': 0.5} ELSE probabilities END"),
        ("thumb", "true"),
    ],
)
def test_of_a_row_that_is_not_certain_nothing_is_guessed(plain: Path, tmp_path: Path, column: str, cell: str) -> None:
    path = written(plain, tmp_path / "log.parquet", {column: cell})
    assert first_pass(open_log(path), InProcess()) is None


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("judgements", "CASE WHEN row = 9 THEN MAP {'thumb': 2.0} ELSE MAP {'thumb': 1.0} END"),
        ("judgements", "MAP {'someone': 1.0}"),
        ("judgements_us", "CASE WHEN row = 9 THEN NULL ELSE MAP {'thumb': 5} END"),
        ("namespace", "CASE WHEN row = 9 THEN 'other' ELSE 'shop' END"),
        ("kind", "CASE WHEN row = 9 THEN NULL ELSE kind END"),
    ],
)
def test_of_the_own_format_more_is_required(plain: Path, tmp_path: Path, column: str, cell: str) -> None:
    path = written(plain, tmp_path / "log.parquet", DECISION | OWN | {column: cell})
    assert first_pass(open_log(path), InProcess()) is None


def test_the_fold_of_a_session_in_the_database_is_that_of_its_number(plain: Path) -> None:
    found = first_pass(open_log(plain), InProcess())
    assert found is not None
    sessions = {f"session-{row // 3}" for row in range(SETTINGS.rows)}
    assert set(np.unique(found.cells.keys[:, 1])) == {session_number(session) % 32 for session in sessions}
