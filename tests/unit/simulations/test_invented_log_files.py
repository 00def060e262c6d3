"""Files of invented logs say what the columns in memory say, and appear only when they are complete."""

import math
from pathlib import Path

import numpy as np
import pytest

from adapters.traffic.calls import batches
from adapters.traffic.formats import open_log
from adapters.traffic.log import Log
from simulations.errors import LogNotWrittenError, OptionsError
from simulations.generator import MODELS, TASKS
from simulations.logs.files import WRITERS, write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.logs.portions import MEASURED, WHOLE

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


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_read_back_is_what_was_drawn_to_the_bit(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"log{suffix}"
    log = InventedLog(SETTINGS)
    write_log(log, path, portion=123)
    read = open_log(path)
    assert list(read.calls()) == list(log.calls())
    assert (read.report.used, read.report.rejected) == (SETTINGS.rows, {})
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_calls_one_by_one_say_what_the_columns_say() -> None:
    log: Log = InventedLog(SETTINGS)
    [columns] = log.batches(SETTINGS.rows)
    [again] = batches(log.calls(), SETTINGS.rows)
    for name in ("session", "time_us", "kind", "status", "answered_us", "judged_us", *MEASURED, *WHOLE):
        np.testing.assert_array_equal(getattr(columns, name), getattr(again, name), err_msg=name)
    for names, numbers in (("categories", "category"), ("models", "model")):
        told = [[getattr(one, names)[n] for n in getattr(one, numbers).tolist()] for one in (columns, again)]
        assert told[0] == told[1]


def test_progress_is_told_of_all_rows() -> None:
    told: list[tuple[int, int]] = []
    list(InventedLog(SETTINGS).batches(200, lambda done, total: told.append((done, total))))
    assert told == [(200, 500), (400, 500), (500, 500)]


def test_without_sessions_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    write_log(InventedLog(LogSettings(rows=10)), path)
    assert {call.session for call in open_log(path).calls()} == {""}


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
