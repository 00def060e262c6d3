"""Whatever a file holds, it is a log or it is refused: nothing else."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.traffic.calls import Call
from adapters.traffic.cells import LATEST_US
from adapters.traffic.errors import LogError
from adapters.traffic.formats import READERS, open_log
from adapters.traffic.own.rows import COLUMNS
from adapters.traffic.reading import NOT_DRAWN

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
KEYS = [
    "category",
    "model",
    "call_id",
    "session",
    "time",
    "time_s",
    "time_us",
    "kind",
    "propensity",
    "probabilities",
    "eligible",
    "cost_usd",
    "latency_s",
    "latency_ms",
    "status",
    "error",
    "quality",
    "thumb",
    "score:a",
    "prompt_id",
    "sample_id",
    "eval_name",
    "a|total_cost",
    "a",
    "call_type",
    "startTime",
    "endTime",
    "spend",
    "response_cost",
    "request_tags",
    "metadata",
    "custom_llm_provider",
    "completionStartTime",
    "cache_hit",
    "total_tokens",
    "id",
    "trace_id",
    "type",
    "start_time",
    "end_time",
    "usage_details",
    "observation_id",
    "name",
    "value",
    "timestamp",
    "resourceSpans",
    "resourceLogs",
    "SpanId",
    "SpanAttributes",
    "Events.Name",
    "Events.Attributes",
    "gen_ai.request.model",
    "Duration",
    "Timestamp",
]
WORDS: list[str | int] = [
    "m",
    "1",
    "-1",
    "1e999",
    "up",
    "GENERATION",
    "2026-01-01",
    "{}",
    "[",
    '{"m": 1}',
    "9" * 30,
    "\x00",
    "ok",
    "429",
    "9999-12-31T23:59:59-05:00",
    "\ud800",
    10**400,
    -(10**400),
]
OWN = {
    "namespace": "acme",
    "call_id": "1",
    "time_us": 5,
    "category": "chat",
    "model": "m",
    "kind": "SAMPLED",
    "propensity": 0.5,
    "probabilities": {"m": 0.5, "n": 0.5},
}
CELLS = st.sampled_from(WORDS) | SCALARS | JSON
ROWS = st.dictionaries(st.sampled_from(KEYS), CELLS, max_size=len(KEYS)) | JSON


@contextmanager
def file_of(content: bytes, suffix: str) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"log{suffix}"
        path.write_bytes(content)
        yield path


def read(path: Path, fmt: str | None = None) -> list[Call]:
    try:
        log = open_log(path, fmt=fmt)
        calls = list(log.calls())
        assert sum(map(len, log.batches(2))) == len(calls)
        return calls
    except LogError:
        return []


@given(
    content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".jsonl", ".json", ".jsonl.gz", ".log", ".tsv"])
)
def test_any_bytes_are_read_or_refused(content: bytes, suffix: str) -> None:
    with file_of(content, suffix) as path:
        read(path)


@pytest.mark.parametrize("fmt", [reader.name for reader in READERS])
@settings(max_examples=40)
@given(rows=st.lists(ROWS, max_size=4), as_array=st.booleans())
def test_any_rows_are_read_or_left_out_in_every_format(fmt: str, rows: list[Any], as_array: bool) -> None:
    content = json.dumps(rows) if as_array else "\n".join(map(json.dumps, rows))
    with file_of(content.encode(), ".json" if as_array else ".jsonl") as path:
        for call in read(path) + read(path, fmt):
            assert_sound(call)


@settings(max_examples=60)
@given(rows=st.lists(st.dictionaries(st.sampled_from(sorted(COLUMNS)), CELLS, max_size=3), min_size=1, max_size=4))
def test_any_rows_of_the_own_format_are_read_or_left_out(rows: list[Any]) -> None:
    content = "\n".join(json.dumps(OWN | row) for row in rows)
    with file_of(content.encode(), ".jsonl") as path:
        for call in read(path, "routeward"):
            assert_sound(call)


@given(rows=st.lists(st.lists(st.sampled_from([*WORDS, ""]), min_size=3, max_size=3), max_size=4), data=st.data())
def test_any_table_is_read_or_left_out(rows: list[list[str]], data: st.DataObject) -> None:
    head = data.draw(st.lists(st.sampled_from(KEYS), min_size=3, max_size=3, unique=True))
    table = "\n".join(
        [",".join(head), *(",".join(f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows)]
    )
    with file_of(table.encode("utf-8", "surrogatepass"), ".csv") as path:
        for call in read(path):
            assert_sound(call)


def assert_sound(call: Call) -> None:
    """What was read is in range, and what is not there is unknown."""
    within: Callable[[float | None, float], bool] = lambda value, high: value is None or 0 <= value <= high  # noqa: E731
    assert within(call.quality, 1)
    assert within(call.propensity, 1)
    assert within(call.cost_usd, 1e6)
    assert within(call.latency_s, 1e9)
    assert within(call.output_tokens, 1e9)
    assert all(within(time, LATEST_US) for time in (call.time_us, call.answered_us, call.judged_us))
    assert call.category
    assert call.model
    if call.kind not in NOT_DRAWN:
        assert call.probabilities is None or call.probabilities[call.model] > 0
