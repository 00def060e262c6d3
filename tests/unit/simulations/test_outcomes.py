import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from simulations.errors import MissingColumnsError, MissingExtraError, OutcomesError
from simulations.outcomes import Answer, outcomes_of, read_outcomes

GOOD = ("p1", "chat", "m", 1, 0.01, 500, 100, 20)
HEADER = "prompt_id,category,model,quality,cost_usd,latency_ms,input_tokens,output_tokens\n"


def changed(place: int, cell: object) -> tuple[object, ...]:
    return (*GOOD[:place], cell, *GOOD[place + 1 :])


@pytest.mark.parametrize("cell", ["", " ", "NaN", "nan", "null", "None", None, float("nan")])
@pytest.mark.parametrize("place", range(3, 8))
def test_an_unknown_number_is_none_and_never_zero(place: int, cell: object) -> None:
    (answer,) = outcomes_of([changed(place, cell)]).answers
    assert answer[place] is None
    assert None not in (*answer[:place], *answer[place + 1 :])


@pytest.mark.parametrize(
    ("place", "cell", "reason"),
    [
        (0, "", "prompt_id is empty"),
        (1, None, "category is empty"),
        (2, "  ", "model is empty"),
        (3, 1.01, "quality is out of range"),
        (3, -0.1, "quality is out of range"),
        (3, "good", "quality is not a number"),
        (4, -1e-9, "cost_usd is out of range"),
        (4, "inf", "cost_usd is out of range"),
        (4, 1e-320, "cost_usd is out of range"),
        (4, 1e7, "cost_usd is out of range"),
        (5, 0, "latency_ms is out of range"),
        (5, 1e-320, "latency_ms is out of range"),
        (5, 1e300, "latency_ms is out of range"),
        (6, -1, "input_tokens is out of range"),
        (6, 1e300, "input_tokens is out of range"),
        (7, "1e999", "output_tokens is out of range"),
    ],
)
def test_a_bad_row_is_left_out_and_counted(place: int, cell: object, reason: str) -> None:
    outcomes = outcomes_of([GOOD, changed(0, "p2"), changed(place, cell)])
    assert outcomes.rejected == {reason: 1}
    assert [answer.prompt_id for answer in outcomes.answers] == ["p1", "p2"]


@pytest.mark.parametrize("cost_usd", [0, 1e-12, 1e6])
def test_an_answer_may_be_free_cheap_or_dear(cost_usd: float) -> None:
    assert outcomes_of([changed(4, cost_usd)]).answers[0].cost_usd == cost_usd


def test_the_first_answer_of_a_model_to_a_prompt_counts() -> None:
    outcomes = outcomes_of([GOOD, changed(3, 0)])
    assert outcomes.answers == (Answer("p1", "chat", "m", 1.0, 0.01, 500.0, 100.0, 20.0),)
    assert outcomes.rejected == {"repeated prompt_id and model": 1}


def test_a_prompt_belongs_to_one_category() -> None:
    other: Sequence[object] = ("p1", "code", "n", *GOOD[3:])
    assert outcomes_of([GOOD, other]).rejected == {"prompt_id in a second category": 1}


def test_other_columns_and_their_order_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "model,note,quality,prompt_id,category,latency_ms,cost_usd,output_tokens,input_tokens\n"
        "m,hello,1,p1,chat,500,0.01,20,100\n"
    )
    assert read_outcomes(path).answers == outcomes_of([GOOD]).answers


def test_a_row_with_too_few_or_too_many_cells_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(HEADER + "p1,chat,m,1,0.01,500,100,20\np2,chat,m,1\np3,chat,m,1,0.01,500,100,20,9\n")
    outcomes = read_outcomes(path)
    assert outcomes.rejected == {"wrong number of cells": 2}
    assert len(outcomes.answers) == 1


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("prompt_id,category,model,quality,cost_usd\np1,chat,m,1,0.01\n")
    with pytest.raises(MissingColumnsError, match="lacks the columns latency_ms, input_tokens, output_tokens"):
        read_outcomes(path)


def test_an_empty_file_lacks_every_column(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.touch()
    with pytest.raises(MissingColumnsError, match="it has none"):
        read_outcomes(path)


def test_a_table_without_a_usable_row_says_why(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(HEADER + "p1,chat,m,7,0.01,500,100,20\n")
    with pytest.raises(OutcomesError, match=r"no usable row \(1 x quality is out of range"):
        read_outcomes(path)


def test_a_table_of_nothing_but_a_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(HEADER)
    with pytest.raises(OutcomesError, match="it is empty"):
        read_outcomes(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(HEADER.encode() + b"\xff\xfe\xff\n")
    with pytest.raises(OutcomesError, match="UTF-8"):
        read_outcomes(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match=r"nowhere\.csv is not a file"):
        read_outcomes(tmp_path / "nowhere.csv")


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    path.touch()
    with pytest.raises(OutcomesError, match=r"'\.xlsx'; give a \.parquet or a \.csv file"):
        read_outcomes(path)


def test_parquet_without_duckdb_tells_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    path = tmp_path / "table.parquet"
    path.touch()
    with pytest.raises(MissingExtraError, match=r"pip install 'routeward\[replay\]'"):
        read_outcomes(path)
