"""What the page on formats says of fields is what the code does with them."""

import re
from pathlib import Path

from adapters.providers.formats.anthropic_request import DEFAULT_MAX_TOKENS
from adapters.providers.formats.gemini_request import THINKING_TOKENS
from adapters.providers.formats.request_fields import EFFORTS, HINTS, NEUTRAL, OF_THE_CALL, TRANSLATED

PAGE = (Path(__file__).parents[3] / "docs/reference/formats.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_field_has_one_row():
    named = [name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])]
    refused = {"audio", "function_call", "moderation", "web_search_options"}
    assert sorted(named) == sorted(TRANSLATED | HINTS | OF_THE_CALL | NEUTRAL.keys() | refused)


def test_fields_that_are_left_out_are_hints():
    left_out = {name for row in ROWS if row[1].startswith("left out") for name in re.findall(r"`(\w+)`", row[0])}
    assert left_out == HINTS


def test_figures_are_those_of_the_code():
    [bound] = re.findall(r"(\d+) where neither is given", PAGE)
    assert int(bound) == DEFAULT_MAX_TOKENS
    [budgets] = re.findall(r"none (\d+), minimal and low (\d+), medium (\d+), from high on (\d+)", PAGE)
    none, low, medium, high = map(int, budgets)
    assert list(THINKING_TOKENS.values()) == [none, low, low, medium, high, high, high]
    assert list(THINKING_TOKENS) == list(EFFORTS)
