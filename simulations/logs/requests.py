"""What each row of an invented log asks, and the random numbers that decide what becomes of it."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.logs.noise import Tape, normals, uniforms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TAPES: Final = (6, 7, 8)
"""Keys of the tapes, none of which another part of the simulations draws from."""


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """Rows `start` to `end` of a log; `uniforms` has shape (7, n), `normals` (5, n), the other arrays (n,).

    `hardness` is standard normal and the same for all rows of a session.
    """

    start: int
    end: int
    category: Ints
    hardness: Floats
    uniforms: Floats
    normals: Floats

    def part(self, start: int, end: int) -> "Requests":
        """Return these rows of them."""
        here = slice(start - self.start, end - self.start)
        return replace(
            self,
            start=start,
            end=end,
            category=self.category[here],
            hardness=self.hardness[here],
            uniforms=self.uniforms[:, here],
            normals=self.normals[:, here],
        )


class RequestTape:
    """All requests of a seed: categories come equally often, a session's rows follow each other."""

    def __init__(self, seed: int, categories: int, session_length: int) -> None:
        self._categories, self._session_length = categories, session_length
        draws = uniforms(8), normals(5), normals(1)
        self._uniforms, self._normals, self._hardness = (
            Tape(seed, key, draw) for key, draw in zip(_TAPES, draws, strict=True)
        )

    def rows(self, start: int, end: int) -> Requests:
        """Return rows `start` (inclusive) to `end` (exclusive)."""
        numbers, length = self._uniforms.rows(start, end), self._session_length
        hardness = self._hardness.rows(start // length, (end - 1) // length + 1)[0]
        if length > 1:
            hardness = hardness[np.arange(start, end) // length - start // length]
        category = (numbers[0] * self._categories).astype(np.int64)
        return Requests(start, end, category, hardness, numbers[1:], self._normals.rows(start, end))
