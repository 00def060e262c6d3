"""From a file to a document, or to what keeps it from being one."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.toml.lines import line_of, lines_of
from adapters.toml.problems import ConfigError, Finding, Problem

MAX_BYTES: Final = 1_000_000
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def read_text(path: Path, absent: str) -> str:
    """Return the text of a file. Raises ConfigError; `absent` is the advice for a file that is not there."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _failed(path, None, "the file is larger than 1 MB", "name a configuration file")
        return content.decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError as error:
        raise _failed(path, None, "there is no such file", absent) from error
    except OSError as error:
        raise _failed(path, None, f"cannot be read: {error.strerror}", "check its permissions, and the path") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failed(path, line, "not UTF-8 text", "save the file as UTF-8") from error


def parsed(path: Path, text: str, example: str) -> dict[str, Any]:
    """Return the document of a text. Raises ConfigError; `example` is where a good file can be seen."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
        message = f"not TOML: {_POSITION.sub('', str(error))}"
        raise _failed(path, line, message, _syntax_hint(text.split("\n")[line - 1])) from error
    except (RecursionError, ValueError) as error:
        message = "not a configuration: a number is too long, or something is nested too deeply"
        raise _failed(path, 1, message, f"compare with {example}") from error


def located(path: Path, text: str, findings: Iterable[Finding], options: Mapping[str, str]) -> list[Problem]:
    """Return problems with their lines; `options` names those keys, with dots, that the command line gave."""
    lines = lines_of(text)
    problems = []
    for finding in findings:
        option = options.get(".".join(map(str, finding.path)))
        line = None if option else line_of(lines, finding.path)
        place = option or f"{path}:{line}"
        problems.append(Problem(place, finding.message, finding.hint, line))
    return sorted(problems, key=lambda problem: problem.line or 0)


def _syntax_hint(line: str) -> str:
    """Return advice for the line on which the parser stopped."""
    key, equals, value = line.partition("=")
    if line.startswith("\ufeff"):
        return "save the file without a byte order mark"
    if not equals and not line.lstrip().startswith("["):
        return "write  key = value  or  [table];  comments begin with #"
    if equals and re.match(r"\s*[A-Za-z_][\w.:/-]*\s*(#|$)", value):
        return f'text stands in quotes:  {key.strip()} = "...";  true and false are lower case'
    return "a key or table may stand only once; brackets and quotes must be closed on their line"


def _failed(path: Path, line: int | None, message: str, hint: str) -> ConfigError:
    place = str(path) if line is None else f"{path}:{line}"
    return ConfigError(path, [Problem(place, message, hint, line)])
