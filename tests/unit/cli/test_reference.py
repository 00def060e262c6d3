"""The reference pages say what the program does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from adapters.toml.manual import as_markdown
from routeward.cli.app import app
from server.config.reference import REFERENCE as CONFIGURATION
from simulations.worlds.schema import REFERENCE as WORLD

REFERENCE = Path(__file__).parents[3] / "docs/reference"
CLI = (REFERENCE / "cli.md").read_text(encoding="utf-8")


def commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, f"{words} {name}")


COMMANDS = dict(commands(typer.main.get_command(app), "routeward"))


def sections() -> dict[str, str]:
    """Text of each section of the page that is about a command, by the command."""
    parts = re.split(r"^## `(routeward [a-z -]+)`$", CLI, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_a_section_for_every_command_and_for_nothing_else() -> None:
    assert sections().keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_names_every_option_of_its_command_and_no_other(name: str) -> None:
    table = "\n".join(line.partition(" | ")[0] for line in sections()[name].splitlines() if line.startswith("| `--"))
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    assert set(re.findall(r"`(--[a-z-]+)", table)) == options


def test_the_page_of_the_configuration_ends_with_what_the_program_prints() -> None:
    assert (REFERENCE / "configuration.md").read_text(encoding="utf-8").endswith(f"\n\n{as_markdown(CONFIGURATION)}\n")


def test_the_page_of_world_files_ends_with_every_key_that_one_may_have() -> None:
    page = (REFERENCE / "world-files.md").read_text(encoding="utf-8")
    assert page.endswith(f"\n\n{as_markdown(WORLD)}\n")
