"""How commands look in their help: arguments without the braces of a list of choices, flags without a type."""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command of ours."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the command's name in its usage."""
        return [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help."""
        return _flag(super().get_help_option(ctx))


class Group(TyperGroup):
    """A group of commands of ours."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help."""
        return _flag(super().get_help_option(ctx))


def _flag(option: Any) -> Any:
    if option is not None:
        option.metavar = ""
    return option
