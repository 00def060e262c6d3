"""What a server says of fields of a message, told by the options that were typed."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError
from routeward.errors import InvalidFieldError
from routeward.names import NAME_IN_WORDS

PARAMETERS: Final = {
    "constraints.models": "only",
    "constraints.capabilities": "capability",
    "outcome.time_to_first_token": "first_token",
    "time_to_first_token": "first_token",
    "previous_decision_id": "previous",
}
"""Parameters of commands that have other names than the fields that they fill."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: the option or argument, and its value."""

    option: str
    value: object = None


@contextmanager
def told_by_option(typed_of: Callable[[str], Typed | None]) -> Iterator[None]:
    """Raise CommandError, which names options, where the statement raises InvalidFieldError, which names fields."""
    try:
        yield
    except InvalidFieldError as error:
        typed = [typed_of(one.field) for one in error.violations]
        if not typed or None in typed:
            raise
        rules = [one.description for one in error.violations]
        violations = [
            {"field": one.field, "option": where and where.option, "description": one.description}
            for one, where in zip(error.violations, typed, strict=True)
        ]
        raise CommandError(
            "INVALID_FIELD",
            "\n".join(_sentence(where, rule) for where, rule in zip(typed, rules, strict=True) if where),
            exit_code=WRONG_USE,
            details={"metadata": error.metadata, "violations": violations},
        ) from error


def typed_in(context: typer.Context, field: str) -> Typed | None:
    """Return which parameter of a command fills a field of its request, None where none does."""
    path, _, index = field.removesuffix("]").partition("[")
    name = PARAMETERS.get(path) or path.rpartition(".")[2]
    labels = {one.name: _label(one) for one in context.command.params}
    if name not in labels:
        return None
    value = context.params[name]
    if index and isinstance(value, list | tuple):
        value = value[int(index)]
    return Typed(labels[name], value)


def _label(parameter: Any) -> str:
    return str(parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0])


def _sentence(typed: Typed, rule: str) -> str:
    if rule.startswith("must match"):
        rule = f"is {NAME_IN_WORDS}"
    rule = re.sub(r"\binput_tokens\b", "--input-tokens", rule.replace("1e+06", "1000000"))
    rule = re.sub(r"\d{5,}", lambda found: f"{int(found[0]):,}", rule)
    wanted = rule.removeprefix("is ")
    if typed.value is None or wanted in (rule, "required"):
        return f"{typed.option} {rule}"
    return f"{typed.option} is {_shown(typed.value)}; give {wanted}"


def _shown(value: object) -> str:
    if value == "":
        return "empty"
    return f"{value:g}" if isinstance(value, float) else shlex.quote(str(value))
