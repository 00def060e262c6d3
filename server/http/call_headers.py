"""What a caller says in headers: everything that OpenAI's requests have no field for."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from adapters.toml.explain import did_you_mean
from server.converters import MAX_LABEL_CHARACTERS, MAX_MODELS
from server.fields import MAX_TOKENS, MAX_USD, NAME
from server.gateway.outcomes import SHORTEST_S
from server.http.prompts import refuse
from server.tokens import MAX_CHARACTERS

PREFIX: Final = "x-routeward-"
KEY: Final = "x-routeward-key"
MAX_TIMEOUT_S: Final = 7 * 86_400.0

_NUMBER: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


class Said(NamedTuple):
    """What the headers of a request say; empty and None say nothing. Names are those of the headers."""

    category: str = ""
    profile: str = ""
    answer_value_usd: float | None = None
    second_value_usd: float | None = None
    session: str = ""
    previous_decision_id: str = ""
    cached_input_tokens: int | None = None
    request_id: str = ""
    timeout_seconds: float | None = None
    models: frozenset[str] = frozenset()
    region: str = ""
    max_cost_usd: float | None = None


SILENT: Final = Said()


def said_in(headers: Mapping[str, str], ruled: Collection[str] = ()) -> Said:
    """Return what headers say. Raises InvalidFieldError, which names the header, also for one that means nothing.

    `ruled` are headers that the operator's own rules read.
    """
    said: dict[str, Any] = {}
    for header, value in headers.items():
        if not header.startswith(PREFIX) or header == KEY:
            continue
        read = _READERS.get(header)
        if read is not None:
            said[header.removeprefix(PREFIX).replace("-", "_")] = read(header, value)
        elif header not in ruled:
            known = *_READERS, KEY
            refuse(header, f"is no header of this service; {did_you_mean(header, known)}")
    return Said(**said) if said else SILENT


def _name(header: str, value: str) -> str:
    if NAME.fullmatch(value) is None:
        refuse(header, f"must match {NAME.pattern}")
    return value


def _names(header: str, value: str) -> frozenset[str]:
    names = [name.strip() for name in value.split(",")]
    if len(names) > MAX_MODELS:
        refuse(header, f"has at most {MAX_MODELS} entries")
    return frozenset(_name(header, name) for name in names)


def _label(header: str, value: str, most: int = MAX_LABEL_CHARACTERS) -> str:
    if not 0 < len(value) <= most or not value.isprintable():
        refuse(header, f"has 1 to {most} characters, all printable")
    return value


def _decision_id(header: str, value: str) -> str:
    return _label(header, value, MAX_CHARACTERS)


def _count(header: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= MAX_TOKENS):
        refuse(header, f"is a whole number from 0 to {MAX_TOKENS}")
    return int(value)


def _number(header: str, value: str, most: float = MAX_USD) -> float:
    number = float(value) if _NUMBER.fullmatch(value) else -1.0
    if not 0.0 <= number <= most:
        refuse(header, f"is a number from 0 to {most:.0f}")
    return number


def _seconds(header: str, value: str) -> float:
    seconds = _number(header, value, MAX_TIMEOUT_S)
    if seconds < SHORTEST_S:
        refuse(header, f"is at least {SHORTEST_S:g}; leave it out for the time that the operator allows")
    return seconds


_READERS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "x-routeward-category": _name,
    "x-routeward-profile": _name,
    "x-routeward-answer-value-usd": _number,
    "x-routeward-second-value-usd": _number,
    "x-routeward-session": _label,
    "x-routeward-previous-decision-id": _decision_id,
    "x-routeward-cached-input-tokens": _count,
    "x-routeward-request-id": _label,
    "x-routeward-timeout-seconds": _seconds,
    "x-routeward-models": _names,
    "x-routeward-region": _name,
    "x-routeward-max-cost-usd": _number,
}

PARAMS: Final[Mapping[str, str]] = {
    "category": "x-routeward-category",
    "profile": "x-routeward-profile",
    "previous_decision_id": "x-routeward-previous-decision-id",
    "cached_input_tokens": "x-routeward-cached-input-tokens",
    "constraints.models": "x-routeward-models",
}
"""The header that says what a field of a call holds."""
