"""A value that no log, error or repr shows."""

from typing import Final, NoReturn

MASK: Final = "***"


class Secret:
    """A key. Only `reveal` returns it; everything that turns values into text gets `MASK`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key, to be sent and not kept."""
        return self._value

    def masked(self, content: bytes) -> bytes:
        """Return bytes that came from elsewhere, with `MASK` wherever the key stands in them."""
        return content.replace(self._value.encode(), MASK.encode()) if self._value else content

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
