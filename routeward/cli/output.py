"""How commands speak: for people, or with --json one JSON document on stdout, errors included.

CommandError
└── what a user can cause and mend; `run` prints it and ends with its exit code
"""

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FOUND_PROBLEM: Final = 1
WRONG_USE: Final = 2
PLAIN_COLUMNS: Final = 100
"""Width of what is not printed on a terminal."""


class CommandError(Exception):
    """A command cannot do what it was asked.

    `reason` is a name for programs, the message a sentence that says what to do, `details` go into the JSON.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        exit_code: int = FOUND_PROBLEM,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = exit_code
        self.details = dict(details or {})


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with what is counted: "1 row", "2,000 rows"; `many` where the plural is not that with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def show(document: Mapping[str, Any], human: "Callable[[], RenderableType]", *, as_json: bool) -> None:
    """Print a result: the document, or what `human` makes of it."""
    if as_json:
        print_json(document)
    else:
        console().print(human(), soft_wrap=True)


def show_error(reason: str, message: str, details: Mapping[str, Any], *, as_json: bool) -> None:
    """Print an error: to stdout as JSON, else to stderr."""
    if as_json:
        print_json({"error": {"reason": reason, "message": message, **details}})
    else:
        from rich.text import Text

        console(stderr=True).print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document; what is unknown is null."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def console(*, stderr: bool = False) -> "Console":
    """Return what prints for people: on a terminal as wide as it is, elsewhere plain."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False)
    return Console(file=cast("TextIO", _Trimmed(stream)), width=PLAIN_COLUMNS, highlight=False, markup=False)


class _Trimmed:
    """Text without the blanks that fill a table's lines: they would be copied, compared and committed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(re.sub(r" +(?=\n)", "", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def usd(value: float) -> str:
    """Write an amount of dollars with three digits that count, and never with an exponent."""
    if value == 0:
        return "$0"
    size, sign = abs(value), "-" if value < 0 else ""
    digits = 2 - math.floor(math.log10(size))
    return f"{sign}${size:,.{max(digits, 0 if size >= 100 else 2)}f}"


def seconds(value: float) -> str:
    """Write a duration in the unit that suits it."""
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def percent(value: float) -> str:
    """Write a share of 1; small ones keep a digit."""
    return f"{value:.1%}" if 0 < value < 0.0995 else f"{value:.0%}"
