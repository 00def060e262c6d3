"""Files of invented logs say what the columns in memory say, and appear only when they are complete."""

import json
import math
from pathlib import Path

import pytest

from adapters.traffic.calls import Calls
from adapters.traffic.files.kinds import records_of
from adapters.traffic.rows import Row
from bandit.signals import Kind, Status
from simulations.errors import LogNotWrittenError, OptionsError
from simulations.generator import MODELS, TASKS
from simulations.logs.files import WRITERS, write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.logs.portions import COLUMNS, MEASURED, WHOLE, call_name, session_name

SETTINGS = LogSettings(
    rows=500,
    logger="thompson",
    refresh_rows=90,
    judged_share=0.5,
    error_share=0.2,
    session_length=3,
    models=MODELS[:3],
    tasks=TASKS[:2],
)


def expected(calls: Calls, row: int) -> dict[str, object]:
    """The cells of a call that are known."""
    distribution = calls.probabilities[calls.drawn_from[row]].tolist()
    cells: dict[str, object] = {
        "call_id": call_name(row),
        "session": session_name(row // 3),
        "category": calls.categories[calls.category[row]],
        "model": calls.models[calls.model[row]],
        "kind": Kind(calls.kind[row]).name,
        "status": Status(calls.status[row]).name,
        "probabilities": dict(zip(calls.models, distribution, strict=True)),
    }
    for name in (*WHOLE, *MEASURED):
        value = float(getattr(calls, name)[row])
        if not (math.isnan(value) or (name in WHOLE and value < 0)):
            cells[name] = int(value) if name in WHOLE else value
    return cells


def known(row: Row) -> dict[str, object]:
    """Cells of a row as Python values; those of a text file are texts."""
    cells = {name: cell for name, cell in row.items() if cell not in (None, "")}
    for name, cell in cells.items():
        if isinstance(cell, str):
            if name in WHOLE:
                cells[name] = int(cell)
            elif name in MEASURED:
                cells[name] = float(cell)
            elif name == "probabilities":
                cells[name] = json.loads(cell)
    return cells


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_read_back_is_what_was_drawn_to_the_bit(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"log{suffix}"
    log = InventedLog(SETTINGS)
    write_log(log, path, portion=123)
    [calls] = log.batches(SETTINGS.rows)
    rows = [known(row) for row, *_ in records_of(path)]
    assert rows == [expected(calls, row) for row in range(SETTINGS.rows)]
    assert {name for row in rows for name in row} == set(COLUMNS)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_without_sessions_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    write_log(InventedLog(LogSettings(rows=10)), path)
    assert all(row["session"] is None for row, *_ in records_of(path))


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_in_a_folder_that_is_not_there_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(LogNotWrittenError, match="cannot be written"):
        write_log(InventedLog(SETTINGS), tmp_path / "none" / f"log{suffix}")


def test_a_run_that_ends_midway_leaves_no_file(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done > 200:
            raise KeyboardInterrupt

    for suffix in WRITERS:
        with pytest.raises(KeyboardInterrupt):
            write_log(InventedLog(SETTINGS), tmp_path / f"log{suffix}", stop, portion=100)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (LogSettings(rows=10, logger="greedy"), "there is no logger 'greedy'; choose one of uniform, thompson"),
        (LogSettings(rows=0), "rows is 0; give 1 to 10,000,000,000"),
        (LogSettings(rows=10, judged_share=math.nan), "the judged share is nan; give 0 to 1"),
        (LogSettings(rows=10, error_share=0.7), "the share of errors is 0.7; give 0 to 0.5"),
        (LogSettings(rows=10, days=math.inf), "days is inf; give 0.001 to 3,650"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings: LogSettings, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        InventedLog(settings)


def test_another_suffix_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"cannot write '\.xlsx'; give a \.jsonl, \.csv, \.parquet file"):
        write_log(InventedLog(SETTINGS), tmp_path / "log.xlsx")
