"""Random numbers of the rows of a log, which do not depend on how many rows are asked for at a time."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK: Final = 1 << 14
"""Rows that one generator draws for."""


class Tape:
    """Random numbers by row: `draw` makes those of a block, of shape (..., BLOCK), from the block's own generator."""

    def __init__(self, seed: int, key: int, draw: Callable[[np.random.Generator], Floats]) -> None:
        self._seed, self._key, self._draw = seed, key, draw
        self._last: tuple[int, Floats] | None = None

    def rows(self, start: int, end: int) -> Floats:
        """Return the numbers of rows `start` (inclusive) to `end` (exclusive). Reading on costs nothing twice."""
        pieces = []
        for block in range(start // BLOCK, (end - 1) // BLOCK + 1):
            first = block * BLOCK
            pieces.append(self._block(block)[..., max(start - first, 0) : end - first])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)

    def _block(self, block: int) -> Floats:
        if self._last is None or self._last[0] != block:
            seeds = np.random.SeedSequence(self._seed, spawn_key=(self._key, block))
            self._last = block, self._draw(np.random.default_rng(seeds))
        return self._last[1]


def uniforms(count: int) -> Callable[[np.random.Generator], Floats]:
    """Draw this many numbers in [0, 1) per row; shape (count, BLOCK)."""
    return lambda rng: rng.random((count, BLOCK))


def normals(count: int) -> Callable[[np.random.Generator], Floats]:
    """Draw this many standard normal numbers per row; shape (count, BLOCK)."""
    return lambda rng: rng.standard_normal((count, BLOCK))
