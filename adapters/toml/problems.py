"""What is wrong with a file, so that it can be put right: where, what, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath

from adapters.toml.lines import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `place` is FILE:LINE, or what else holds it; `line` is None there."""

    place: str
    message: str
    hint: str
    line: int | None = None

    def __str__(self) -> str:
        """Return two lines for a terminal."""
        return f"{self.place}: {self.message}\n    {self.hint}"


class ConfigError(Exception):
    """The configuration cannot be used; `problems` lists everything that is wrong with it, in order."""

    def __init__(self, path: FilePath, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem whose line is still to be found: `path` leads through the document."""

    path: Path
    message: str
    hint: str
