"""Collecting the benchmarks into one document."""

import json

import pytest

from benchmarks.__main__ import BenchmarkError, figures, machine, names

FIGURE = {"name": "flush", "value": 1.5, "unit": "ms", "command": "python -m benchmarks.store"}


@pytest.mark.parametrize("extra", [{}, {"ratio_to": "an empty flush"}])
def test_well_formed_figures_are_read_as_they_are(extra: dict[str, str]) -> None:
    assert figures(json.dumps([FIGURE | extra])) == [FIGURE | extra]


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        ("12 ms", "no JSON"),
        ("{}", "no list"),
        ("[]", "no list"),
        ("[1]", "a figure has"),
        (json.dumps([{"name": "flush", "value": 1.5}]), "a figure has"),
        (json.dumps([FIGURE | {"when": "today"}]), "a figure has"),
        (json.dumps([FIGURE | {"value": "fast"}]), "is no number"),
        (json.dumps([FIGURE | {"value": True}]), "is no number"),
    ],
)
def test_anything_else_is_refused_with_the_reason(printed: str, complaint: str) -> None:
    with pytest.raises(BenchmarkError, match=complaint):
        figures(printed)


def test_every_benchmark_is_listed_and_the_collector_is_not() -> None:
    assert "__main__" not in names()
    assert names() == sorted(names())


def test_the_document_says_what_it_was_measured_on() -> None:
    assert all(machine()[key] for key in ("python", "system", "processors"))
