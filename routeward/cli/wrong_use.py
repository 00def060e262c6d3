"""What is said of a command line that cannot be run: the option, what was typed, what to give."""

import re
from typing import Any, Final

import typer

_EXPECTED: Final = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a number with fewer digits",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than_equal": "{ge:,} or more",
    "less_than_equal": "{le:,} or less",
}
_CHOICE: Final = re.compile(r"(?:Value error, )?'.*' is not one of (.*)\.", re.DOTALL)


def sentence_of(error: typer.TyperException) -> str:
    """Return what is wrong, in the words of whoever typed it rather than of a library that looked at it."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        return error.format_message().removeprefix("Invalid value: ")
    option = str(parameter.get_error_hint()).replace("'", "")
    expected = _expected(error)
    if expected is None:
        return error.format_message().replace("Value error, ", "")
    typed, wanted = expected
    return f"{option} is {typed}; give {wanted}"


def _expected(error: typer.TyperException) -> tuple[str, str] | None:
    """Return what was typed, and what is accepted; None where the library does not say."""
    details: Any = getattr(error.__cause__, "errors", None)
    if details is None:
        return None
    [first, *_] = details()
    typed, choice = str(first["input"]), _CHOICE.fullmatch(error.message)
    if choice:
        return typed, " or ".join(choice[1].replace("'", "").rsplit(", ", 1))
    wanted = _EXPECTED.get(first["type"])
    return None if wanted is None else (typed, wanted.format(**first.get("ctx", {})))
