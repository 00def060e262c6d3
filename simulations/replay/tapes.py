"""Tapes of outcomes: what each model answered in each category, in the order of the log, by time and prompt size.

A policy that picks a model gets the next outcome of its tape (queue replay, Mandel et al., AAAI 2016). That is right
where, within a tape, the logger chose without looking at anything that the outcome depends on. So tapes are cut by
time, for an outage to happen when it happened, and by prompt size where the logger looked at that
(`simulations.replay.contextual`).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from simulations.replay.traffic import Traffic

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST: Final = 20
"""Outcomes of a tape at least: one that has fewer borrows those of the nearest times, then of other sizes."""
NONE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where rows stand: P places, a time bucket and a size class each. `of_row` has shape (N,), the others (P,)."""

    of_row: Ints
    bucket: Ints
    size: Ints

    @classmethod
    def of(cls, bucket: Ints, size: Ints) -> Self:
        """Number the places of rows with these buckets and size classes, both of shape (N,)."""
        places, of_row = np.unique(np.stack([bucket, size]), axis=1, return_inverse=True)
        return cls(of_row.reshape(-1), places[0], places[1])

    def distances(self, place: int) -> Ints:
        """Return how far every place is from one: other sizes are further than any other time."""
        span = int(self.bucket.max() - self.bucket.min()) + 1
        distance: Ints = np.abs(self.bucket - self.bucket[place]) + span * np.abs(self.size - self.size[place])
        return distance


@dataclass(frozen=True, slots=True, eq=False)
class Tapes:
    """K tapes, one after another in `rows` and `borrowed`, of shape (E,): rows of the log, and whether of other places.

    `start` and `length` have shape (K,). `of` has shape (C, M, P): which tape serves a category, model and place, -1
    where the log holds no outcome of the model in the category.
    """

    rows: Ints
    borrowed: Bools
    start: Ints
    length: Ints
    of: Ints

    @classmethod
    def of_traffic(cls, traffic: Traffic, places: Places) -> Self:
        """Cut the outcomes of a log into tapes; forced calls are on none."""
        shape = len(traffic.categories), len(traffic.models), len(places.bucket)
        chosen = np.flatnonzero(~traffic.forced)
        cells = traffic.category[chosen] * shape[1] + traffic.model[chosen]
        order = np.argsort(cells * shape[2] + places.of_row[chosen], kind="stable")
        rows, cells = chosen[order], cells[order]
        asked = np.zeros((shape[0], shape[2]), bool)
        asked[traffic.category[chosen], places.of_row[chosen]] = True
        tapes = _Cut(np.full(shape, NONE, np.int64))
        edges = np.flatnonzero(np.diff(cells, prepend=-1, append=-1))
        for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            category, model = divmod(int(cells[first]), shape[1])
            tapes.add_cell(category, model, rows[first:end], places, np.flatnonzero(asked[category]))
        return cls(
            np.concatenate(tapes.rows),
            np.concatenate(tapes.borrowed),
            np.cumsum([0, *map(len, tapes.rows[:-1])]),
            np.array([len(tape) for tape in tapes.rows]),
            tapes.of,
        )

    def bootstrapped(self, rng: np.random.Generator) -> Ints:
        """Return places in `rows`, shape (E,): each tape made of blocks of itself, drawn at random (`blocks`)."""
        return np.repeat(self.start, self.length) + blocks(self.length, rng)


class _Cut:
    """Tapes while they are cut."""

    def __init__(self, of: Ints) -> None:
        self.rows: list[Ints] = []
        self.borrowed: list[Bools] = []
        self.of = of

    def add_cell(self, category: int, model: int, rows: Ints, places: Places, asked: Ints) -> None:
        """Cut the rows of a model in a category, ordered by their place, into a tape for each place asked for."""
        held, first, count = np.unique(places.of_row[rows], return_index=True, return_counts=True)
        for place in asked.tolist():
            near = np.argsort(places.distances(place)[held], kind="stable")
            taken = near[: int(np.searchsorted(np.cumsum(count[near]), LEAST)) + 1]
            tape = np.concatenate([rows[first[one] : first[one] + count[one]] for one in taken.tolist()])
            self.of[category, model, place] = len(self.rows)
            self.rows.append(tape)
            self.borrowed.append(places.of_row[tape] != place)


def blocks(lengths: Ints, rng: np.random.Generator) -> Ints:
    """Return a circular block bootstrap (Politis and Romano, 1992) of sequences of these lengths, one after another.

    Each is made of blocks of the cube root of its length, rounded up, that start anywhere in it and wrap around.
    Positions count from 0 in each sequence; shape (sum of lengths,).
    """
    size = np.ceil(np.cbrt(lengths)).astype(np.int64)
    counts = -(-lengths // size)
    starts = (rng.random(int(counts.sum())) * np.repeat(lengths, counts)).astype(np.int64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    block = np.repeat(np.cumsum(counts) - counts, lengths) + position // size[owner]
    shifted: Ints = (starts[block] + position % size[owner]) % lengths[owner]
    return shifted


class Reels:
    """Tapes that one policy plays: where each of them stands."""

    def __init__(self, tapes: Tapes, bootstrapped: Ints) -> None:
        self._tapes = tapes
        self._entries = bootstrapped
        self._played = np.zeros(len(tapes.length), np.int64)

    def next(self, tape: Ints, luck: Floats) -> tuple[Ints, Bools]:
        """Play these tapes on, in order; shape (n,). Return places in `Tapes.rows`, and which are resampled.

        Where a tape is dry, `luck` in [0, 1) picks any of its outcomes once more.
        """
        order = np.argsort(tape, kind="stable")
        ordered = tape[order]
        first = np.flatnonzero(np.diff(ordered, prepend=NONE))
        counts = np.diff(first, append=len(ordered))
        turn = np.empty(len(tape), np.int64)
        turn[order] = np.arange(len(tape)) - np.repeat(first, counts)
        position, length = self._played[tape] + turn, self._tapes.length[tape]
        self._played[ordered[first]] += counts
        dry = position >= length
        position = np.where(dry, (luck * length).astype(np.int64), position)
        return self._entries[self._tapes.start[tape] + position], dry
