"""What the documents show works: code runs, configuration parses, commands and linked files exist."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from routeward.cli.app import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SECONDS_PER_DOCUMENT = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the number of its first line, its lines."""

    language: str
    start: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def blocks(text: str, language: str) -> list[Block]:
    """Every fenced block of a language, without the indentation of its fence."""
    return [block for block in fenced(text) if block.language == language]


def fenced(text: str) -> Iterator[Block]:
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opening = re.match(r"( *)```(\S*)", lines[number])
        number += 1
        if opening is None:
            continue
        start = number
        while number < len(lines) and lines[number].strip() != "```":
            number += 1
        indent = len(opening[1])
        yield Block(opening[2], start + 1, tuple(line[indent:] for line in lines[start:number]))
        number += 1


def script(text: str) -> str:
    """The document's Python as one program, on the lines it has in the document."""
    lines = [""] * len(text.splitlines())
    for block in blocks(text, "python"):
        lines[block.start - 1 : block.start - 1 + len(block.lines)] = block.lines
    return "\n".join(lines) + "\n"


def broken_links(document: Path) -> list[str]:
    prose = re.sub(r"^( *)```.*?^ *```$", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    return [target for target in local if not (document.parent / target).exists()]


def shown_commands(text: str) -> list[str]:
    """Every `$ routeward ...` of the console blocks, continued lines joined."""
    shown = "".join(block.text for block in blocks(text, "console")).replace("\\\n", " ")
    return re.findall(r"^\$ (routeward\b.*)$", shown, re.MULTILINE)


def unknown_words(line: str) -> list[str]:
    """What of a command line `routeward` does not know: a command, or an option of the command it names."""
    command: Any = typer.main.get_command(app)
    unknown: list[str] = []
    for word in shlex.split(line, comments=True)[1:]:
        if word.startswith("-"):
            known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
            unknown += {word.partition("=")[0]} - known - {"--help"}
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return [*unknown, word]
            command = command.commands[word]
    return unknown


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.mark.timeout(SECONDS_PER_DOCUMENT + 30)
def test_the_python_of_a_document_runs(document: Path, tmp_path: Path) -> None:
    program = tmp_path / f"{document.name}.py"
    program.write_text(script(document.read_text(encoding="utf-8")), encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS_PER_DOCUMENT,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_data_of_a_document_parses(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for block in blocks(text, "toml"):
        tomllib.loads(block.text)
    for block in blocks(text, "json"):
        json.loads(block.text)


def test_the_commands_of_a_document_exist(document: Path) -> None:
    shown = shown_commands(document.read_text(encoding="utf-8"))
    assert {line: unknown for line in shown if (unknown := unknown_words(line))} == {}


def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_planted_mistakes_are_found(tmp_path: Path) -> None:
    text = "[gone](gone.md) [here](here.md#part) [web](https://example.org)\n\n"
    text += "1. In a list:\n\n   ```console\n   $ routeward --nonsense\n   $ routeward \\\n     nonsense\n   ```\n"
    (tmp_path / "here.md").write_text(text, encoding="utf-8")
    assert broken_links(tmp_path / "here.md") == ["gone.md"]
    assert [unknown_words(line) for line in shown_commands(text)] == [["--nonsense"], ["nonsense"]]


def test_the_python_of_a_document_keeps_its_lines_and_its_names() -> None:
    text = "Text\n```python\nx = 1\n```\n```text\nnot code\n```\n- item\n  ```python\n  y = x\n  ```\n"
    assert script(text).splitlines() == ["", "", "x = 1", "", "", "", "", "", "", "y = x", ""]


def test_what_is_to_be_installed_comes_from_the_checkout_while_nothing_is_published() -> None:
    commands = [
        line
        for document in DOCUMENTS
        for block in blocks(document.read_text(encoding="utf-8"), "console")
        for line in block.lines
        if "pip install" in line
    ]
    assert commands
    assert all(re.match(r"\$ pip install '?\.", command) for command in commands)
