"""A log in portions of rows, and the columns that a file has of it: with the names of `Call`."""

from typing import Final, NamedTuple

from adapters.traffic.calls import Calls

TEXTS: Final = ("call_id", "session", "category", "model", "kind", "status")
WHOLE: Final = ("time_us", "answered_us", "judged_us", "requested_tokens", "input_tokens", "output_tokens")
"""Numbers without a fraction."""
MEASURED: Final = (
    "propensity",
    "answer_value_usd",
    "second_value_usd",
    "cost_usd",
    "latency_s",
    "first_token_s",
    "quality",
)
COLUMNS: Final = (*TEXTS, *WHOLE, *MEASURED, "probabilities")


class Portion(NamedTuple):
    """Calls of a log from row `start` on, of which `session_length` in a row are a session; 1 is none."""

    start: int
    calls: Calls
    session_length: int


def call_name(row: int) -> str:
    """Return the id of a call, counted from 0."""
    return f"call-{row}"


def session_name(number: int) -> str:
    """Return the name of a session, counted from 0."""
    return f"session-{number}"
