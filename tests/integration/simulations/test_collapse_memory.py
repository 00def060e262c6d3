"""However long a log is, its sums and a batch of it are all that is in memory."""

import pytest

from benchmarks.scale import measured, streamed


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_million_rows_are_added_up_in_the_memory_of_a_million() -> None:
    short, long = (measured(streamed, rows) for rows in (1_000_000, 10_000_000))
    assert long.result == 10_000_000
    assert long.peak_mb < 1.1 * short.peak_mb
