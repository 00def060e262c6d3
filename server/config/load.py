"""From a file and the environment to settings, or to everything that is wrong with them."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from server.config.build import settings_of
from server.config.checks import check
from server.config.explain import findings_of
from server.config.lines import line_of, lines_of
from server.config.problems import ConfigError, Finding, Problem
from server.config.schema import Document
from server.settings import Settings, TokenKey
from server.token_keys import TokenKeyError, parse_keys

TOKEN_KEYS_VARIABLE: Final = "ROUTEWARD_TOKEN_KEYS"  # noqa: S105
MAX_BYTES: Final = 1_000_000
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def load(path: Path, environ: Mapping[str, str], *, listen: str = "", metrics: str = "") -> Settings:
    """Read the configuration file at `path`; `listen` and `metrics` replace the addresses in it.

    Raises ConfigError with everything that is wrong with the file and the environment.
    """
    text = _read(path)
    options = {name: address for name, address in (("listen", listen), ("metrics", metrics)) if address}
    document = _with(options, _parsed(path, text))
    token_keys, problems = _token_keys(environ)
    findings = list(check(document, path.parent, has_token_keys=bool(environ.get(TOKEN_KEYS_VARIABLE))))
    try:
        valid = Document.model_validate(document)
    except ValidationError as error:
        findings += findings_of(error)
    if findings or problems:
        raise ConfigError(path, [*_located(path, text, findings, options), *problems])
    return settings_of(valid, document, path.parent, token_keys)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _failed(path, None, "the file is larger than 1 MB", "name a configuration file")
        return content.decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError as error:
        raise _failed(path, None, "there is no such file", f"make it with  routeward init {path}") from error
    except OSError as error:
        raise _failed(path, None, f"cannot be read: {error.strerror}", "check its permissions, and the path") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failed(path, line, "not UTF-8 text", "save the file as UTF-8") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
        message = f"not TOML: {_POSITION.sub('', str(error))}"
        raise _failed(path, line, message, _syntax_hint(text.split("\n")[line - 1])) from error
    except (RecursionError, ValueError) as error:
        message = "not a configuration: a number is too long, or something is nested too deeply"
        raise _failed(path, 1, message, "compare with what  routeward init  writes") from error


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


def _with(options: Mapping[str, str], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with addresses that stand in options instead."""
    server = document.get("server", {})
    if not options or not isinstance(server, Mapping):
        return dict(document)
    return {**document, "server": {**server, **options}}


def _token_keys(environ: Mapping[str, str]) -> tuple[tuple[TokenKey, ...], list[Problem]]:
    text = environ.get(TOKEN_KEYS_VARIABLE, "")
    try:
        return (parse_keys(text.split(","), TOKEN_KEYS_VARIABLE) if text else ()), []
    except TokenKeyError as error:
        hint = "make a key with  routeward keys rotate FILE  and join the lines of that file with commas"
        return (), [Problem(TOKEN_KEYS_VARIABLE, str(error), hint)]


def _located(path: Path, text: str, findings: Iterable[Finding], options: Mapping[str, str]) -> list[Problem]:
    lines = lines_of(text)
    typed = {f"server.{name}": f"--{name}" for name in options}
    problems = []
    for finding in findings:
        option = typed.get(".".join(map(str, finding.path)))
        line = None if option else line_of(lines, finding.path)
        place = option or f"{path}:{line}"
        problems.append(Problem(place, finding.message, finding.hint, line))
    return sorted(problems, key=lambda problem: problem.line or 0)


def _failed(path: Path, line: int | None, message: str, hint: str) -> ConfigError:
    place = str(path) if line is None else f"{path}:{line}"
    return ConfigError(path, [Problem(place, message, hint, line)])
