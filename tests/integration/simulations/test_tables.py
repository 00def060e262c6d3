from pathlib import Path

import duckdb
import pytest

from simulations.errors import MissingColumnsError, OutcomesError
from simulations.generator import generate
from simulations.outcomes import read_outcomes


def written(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.sql(query).write_parquet(str(path))
    return path


def test_csv_and_parquet_read_the_same(csv: Path, parquet: Path) -> None:
    assert read_outcomes(parquet) == read_outcomes(csv) == generate(2, prompts_per_category=8)


def test_null_and_nan_in_parquet_are_unknown(tmp_path: Path) -> None:
    path = written(
        tmp_path / "table.parquet",
        "SELECT 'p' AS prompt_id, 'c' AS category, 'm' AS model, 1::FLOAT AS quality, NULL::FLOAT AS cost_usd, "
        "'NaN'::FLOAT AS latency_ms, 7::FLOAT AS input_tokens, NULL::FLOAT AS output_tokens",
    )
    (answer,) = read_outcomes(path).answers
    assert answer == ("p", "c", "m", 1.0, None, None, 7.0, None)


def test_bad_rows_in_parquet_are_counted(tmp_path: Path, parquet: Path) -> None:
    path = written(tmp_path / "bad.parquet", f"SELECT * REPLACE (quality * 2 AS quality) FROM '{parquet}'")
    outcomes = read_outcomes(path)
    good = sum(answer.quality == 1.0 for answer in read_outcomes(parquet).answers)
    assert outcomes.rejected == {"quality is out of range": good}


def test_columns_that_parquet_lacks_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "table.parquet", "SELECT 'p' AS prompt_id, 1 AS quality")
    with pytest.raises(MissingColumnsError, match="lacks the columns category, model, cost_usd"):
        read_outcomes(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_text("hello")
    with pytest.raises(OutcomesError, match="cannot be read as Parquet"):
        read_outcomes(path)
