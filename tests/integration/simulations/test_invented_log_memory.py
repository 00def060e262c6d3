"""However long an invented log is, only a portion of it is in memory."""

import pytest

from benchmarks.invented import peak_mb


def test_ten_times_the_rows_take_the_same_memory() -> None:
    assert peak_mb(4_000_000) < 1.1 * peak_mb(400_000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_million_rows_stream_through_the_memory_of_a_million() -> None:
    assert peak_mb(100_000_000) < 1.1 * peak_mb(1_000_000)
