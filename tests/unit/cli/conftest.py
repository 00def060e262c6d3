"""Runs command lines in this process, in a folder of their own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from routeward.cli.app import run
from routeward.testing import FakeRouter


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command line printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Cli = Callable[..., Ended]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "TARGET", "API_KEY", "TOKEN_KEYS"):
        monkeypatch.delenv(f"ROUTEWARD_{name}", raising=False)

    def ran(*words: str) -> Ended:
        capsys.readouterr()
        code = run(words)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return ran


@pytest.fixture
def router() -> Iterator[FakeRouter]:
    with FakeRouter({"summarization": ["small", "large"]}) as router:
        yield router
