"""Every sample on the page about logs is read as the format that its heading names."""

import re
from pathlib import Path

import pytest

from adapters.traffic.fields import FIELDS
from adapters.traffic.formats import READERS, open_log
from adapters.traffic.generic import COLUMNS

PAGE = (Path(__file__).parents[3] / "docs/howto/logs.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## [^\n]*: `([a-z-]+)`\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
SAMPLES = [
    (name, *block) for name, text in SECTIONS for block in re.findall(r"```(csv|jsonl|json)\n(.*?)```", text, re.DOTALL)
]


@pytest.mark.parametrize(("name", "suffix", "sample"), SAMPLES)
def test_a_sample_is_read_whole(tmp_path, name, suffix, sample):
    path = tmp_path / f"log.{suffix}"
    path.write_text(sample, encoding="utf-8")
    log = open_log(path)
    calls = list(log.calls())
    assert (log.report.format, log.report.rejected, log.report.notes) == (name, {}, [])
    assert len(calls) >= 1
    assert {call.category for call in calls} <= {"mail", "code", "math", "smart"}


def test_every_format_but_the_own_one_has_a_sample():
    assert {name for name, *_ in SAMPLES} == {reader.name for reader in READERS} - {"routeward"}


def test_every_field_and_every_column_is_named():
    named = set(re.findall(r"`([a-z_:A-Z]+)`", PAGE))
    assert {column.path for columns in COLUMNS.values() for column in columns} - {"session_id"} <= named
    assert set(FIELDS) <= named
