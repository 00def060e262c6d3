from pathlib import Path

import duckdb
import pytest

from simulations.generator import generate, write_csv


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    write_csv(generate(2, prompts_per_category=8), path)
    return path


@pytest.fixture
def parquet(csv: Path) -> Path:
    path = csv.with_suffix(".parquet")
    with duckdb.connect() as connection:
        connection.read_csv(str(csv)).write_parquet(str(path))
    return path
