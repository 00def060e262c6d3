"""Fields of a JSON document, each read with its type. What is absent or null is unknown."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from simulations.page.errors import DocumentError

Numbers = tuple[float | None, ...]


class Interval(NamedTuple):
    """A value and the ends of its interval; each None where it is unknown."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a document, and the path that leads to it. Reading raises DocumentError, which names the field."""

    of: Mapping[str, Any]
    path: str = ""

    @classmethod
    def at(cls, value: Any, path: str) -> Self:
        """Take a value that must be an object; null is an empty one."""
        if value is None:
            return cls({}, path)
        if not isinstance(value, Mapping):
            raise DocumentError(f"{path or 'the document'} is {_short(value)}; an object is expected")
        return cls(value, path)

    def within(self, name: str) -> "Fields":
        """Return an object inside this one, empty where it is absent."""
        return Fields.at(self.of.get(name), self._path(name))

    def items(self) -> "Iterator[tuple[str, Fields]]":
        """Yield every name with its object."""
        for name in self.of:
            yield name, self.within(name)

    def each(self, name: str) -> "Iterator[Fields]":
        """Yield the objects of a list, none where it is absent."""
        for place, value in enumerate(self._list(name)):
            yield Fields.at(value, f"{self._path(name)}[{place}]")

    def number(self, name: str) -> float | None:
        """Return a number, None where it is unknown."""
        return _number(self.of.get(name), self._path(name))

    def numbers(self, name: str) -> Numbers:
        """Return a list of numbers."""
        return tuple(_number(value, f"{self._path(name)}[{place}]") for place, value in enumerate(self._list(name)))

    def mapping(self, name: str) -> dict[str, float | None]:
        """Return numbers by their names."""
        found = self.within(name)
        return {key: found.number(key) for key in found.of}

    def interval(self, name: str) -> Interval | None:
        """Return a value with its interval, None where it is absent."""
        if self.of.get(name) is None:
            return None
        found = self.within(name)
        return Interval(found.number("value"), found.number("low"), found.number("high"))

    def text(self, name: str, default: str = "") -> str:
        """Return a text, the default where it is absent."""
        value = self.of.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise DocumentError(f"{self._path(name)} is {_short(value)}; a text is expected")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(str(value) for value in self._list(name))

    def _list(self, name: str) -> Sequence[Any]:
        value = self.of.get(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise DocumentError(f"{self._path(name)} is {_short(value)}; a list is expected")
        return value

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def _number(value: Any, path: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DocumentError(f"{path} is {_short(value)}; a finite number is expected, or null for unknown")
    return float(value)


def _short(value: Any) -> str:
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."
