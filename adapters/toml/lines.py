"""Which line of a TOML document each of its keys stands on; the parser of the standard library does not tell.

`lines_of` expects a document that `tomllib` accepts, and so reads loosely: it only has to find keys and where
values end.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from itertools import count
from typing import Final

Path = tuple[str | int, ...]
"""Keys and array indices from the top of the document."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_DOT: Final = re.compile(r"[ \t]*\.[ \t]*")
_TEXT: Final = re.compile(
    r'''"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:'{0,2})|"(?:\\.|[^"\\\n])*"|'[^'\n]*\'''', re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def lines_of(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, on which every key, array element and table of a valid document begins.

    What is spread over several places, like `[a]` and `[a.b]`, has the line of the first.
    """
    return _Scanner(text).scan()


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of a path, or of the nearest thing around it that exists; 1 is the document."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}

    def scan(self) -> Mapping[Path, int]:
        """Read statements to the end of the text."""
        table: Path = ()
        while self._skip_blank():
            if self._takes("[["):
                table = self._header(element=True)
            elif self._takes("["):
                table = self._header(element=False)
            else:
                self._pair(table)
        return self._lines

    def _header(self, *, element: bool) -> Path:
        """Read a table's name and closing brackets; the last table of an array is the one that is named."""
        self._skip_blank()
        line = self._line()
        path: Path = ()
        keys = self._keys()
        for key in keys[:-1]:
            path = self._inside((*path, key), line)
        path = (*path, keys[-1])
        self._mark(path, line)
        if element:
            self._lengths[path] = self._lengths.get(path, 0) + 1
            path = (*path, self._lengths[path] - 1)
            self._mark(path, line)
        self._at = self._text.index("]", self._at) + (2 if element else 1)
        return path

    def _inside(self, path: Path, line: int) -> Path:
        self._mark(path, line)
        length = self._lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._mark(path, line)
        self._skip_blank()
        self._takes("=")
        self._skip_blank()
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._takes("["):
            self._elements(path)
        elif self._takes("{"):
            while not self._closes("}"):
                self._pair(path)
        else:
            found = _TEXT.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = found.end() if found else len(self._text)

    def _elements(self, path: Path) -> None:
        for index in count():
            if self._closes("]"):
                return
            self._mark((*path, index), self._line())
            self._value((*path, index))

    def _closes(self, bracket: str) -> bool:
        """Go past a comma; then past the bracket, if it is next."""
        self._skip_blank()
        self._takes(",")
        return not self._skip_blank() or self._takes(bracket)

    def _keys(self) -> list[str]:
        keys = []
        while found := _KEY.match(self._text, self._at):
            self._at = found.end()
            key = found[0]
            keys.append(tomllib.loads(f"k = {key}")["k"] if key[0] in "\"'" else key)
            dot = _DOT.match(self._text, self._at)
            if not dot:
                break
            self._at = dot.end()
        return keys

    def _skip_blank(self) -> bool:
        """Go past white space and comments; return whether anything is left."""
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _takes(self, token: str) -> bool:
        taken = self._text.startswith(token, self._at)
        self._at += len(token) * taken
        return taken

    def _line(self) -> int:
        return bisect_right(self._line_starts, self._at)

    def _mark(self, path: Path, line: int) -> None:
        self._lines.setdefault(path, line)
