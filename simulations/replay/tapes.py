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
    """Where rows stand: P places, a time bucket and a size class each. `of_row` has shape (N,), the others (P,).

    Places are ordered by size, then by time.
    """

    of_row: Ints
    bucket: Ints
    size: Ints

    @classmethod
    def of(cls, bucket: Ints, size: Ints) -> Self:
        """Number the places of rows with these buckets and size classes, both of shape (N,)."""
        places, of_row = np.unique(np.stack([size, bucket]), axis=1, return_inverse=True)
        return cls(of_row.reshape(-1), places[1], places[0])

    def distances(self, place: int) -> Ints:
        """Return how far every place is from one: other sizes are further than any other time."""
        span = int(self.bucket.max() - self.bucket.min()) + 1
        distance: Ints = np.abs(self.bucket - self.bucket[place]) + span * np.abs(self.size - self.size[place])
        return distance


@dataclass(frozen=True, slots=True, eq=False)
class Tapes:
    """K tapes of the L outcomes that can be played.

    `rows`, of shape (L,), are these outcomes, rows of the log, each once: ordered by category, model, place and time.
    `entries`, of shape (E,), are positions in `rows`, those of one tape after another; tapes that borrow have some in
    common. `start` and `length` have shape (K,). `of` has shape (C, M, P): which tape serves a category, model and
    place, -1 where the log holds no outcome of the model in the category. `strata`, of shape (S,), are the lengths of
    stretches of `rows` that a bootstrap draws from each other.
    """

    rows: Ints
    strata: Ints
    entries: Ints
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
        tapes = _Cut(places, np.full(shape, NONE, np.int64))
        edges = np.flatnonzero(np.diff(cells, prepend=-1, append=-1))
        for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            category, model = divmod(int(cells[first]), shape[1])
            tapes.add_cell(category, model, rows[first:end], first, np.flatnonzero(asked[category]))
        lengths = np.array([len(tape) for tape in tapes.entries])
        return cls(
            rows=rows,
            strata=np.array(tapes.strata),
            entries=np.concatenate(tapes.entries),
            start=np.cumsum(lengths) - lengths,
            length=lengths,
            of=tapes.of,
        )

    def bootstrapped(self, rng: np.random.Generator) -> Ints:
        """Return other rows in place of `rows`, shape (L,): blocks of their stratum, drawn at random (`blocks`)."""
        return self.rows[blocks(self.strata, rng)]


class _Cut:
    """Tapes while they are cut."""

    def __init__(self, places: Places, of: Ints) -> None:
        self.entries: list[Ints] = []
        self.strata: list[int] = []
        self.of = of
        self._places = places

    def add_cell(self, category: int, model: int, rows: Ints, start: int, asked: Ints) -> None:
        """Cut the rows of a model in a category, at positions from `start` on, into a tape for each place asked for."""
        held, first, count = np.unique(self._places.of_row[rows], return_index=True, return_counts=True)
        self.strata += strata(count)
        for place in asked.tolist():
            near = np.argsort(self._places.distances(place)[held], kind="stable")
            taken = near[: int(np.searchsorted(np.cumsum(count[near]), LEAST)) + 1]
            stretches = [np.arange(first[one], first[one] + count[one]) for one in taken.tolist()]
            self.of[category, model, place] = len(self.entries)
            self.entries.append(start + np.concatenate(stretches))


def strata(counts: Ints) -> list[int]:
    """Return lengths of stretches to bootstrap, of neighbours that hold so many: what is small is put together.

    A stretch of a few rows, drawn from itself, would show next to no spread. So neighbours with fewer than `LEAST` are
    one stretch as soon as they have that many, and what is left over of them belongs to the stretch before.
    """
    found, open_, follows_small = list[int](), 0, False
    for count in [*counts.tolist(), LEAST]:
        if count >= LEAST:
            if follows_small:
                found[-1] += open_
            elif open_:
                found.append(open_)
            found.append(count)
            open_, follows_small = 0, False
        elif open_ + count >= LEAST:
            found.append(open_ + count)
            open_, follows_small = 0, True
        else:
            open_ += count
    return found[:-1]


def blocks(lengths: Ints, rng: np.random.Generator) -> Ints:
    """Return a circular block bootstrap (Politis and Romano, 1992) of sequences of these lengths, one after another.

    Each is made of blocks of the cube root of its length, rounded up, that start anywhere in it and wrap around.
    Positions count over all sequences; shape (sum of lengths,).
    """
    size = np.ceil(np.cbrt(lengths)).astype(np.int64)
    counts = -(-lengths // size)
    starts = (rng.random(int(counts.sum())) * np.repeat(lengths, counts)).astype(np.int64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    position = np.arange(len(owner)) - first
    block = np.repeat(np.cumsum(counts) - counts, lengths) + position // size[owner]
    drawn: Ints = first + (starts[block] + position % size[owner]) % lengths[owner]
    return drawn


class Reels:
    """Tapes that one policy plays: where each of them stands, and which outcomes were played."""

    def __init__(self, tapes: Tapes) -> None:
        self._tapes = tapes
        self._turns = np.zeros(len(tapes.length), np.int64)
        self._was_played = np.zeros(len(tapes.rows), bool)
        self._first = np.empty(len(tapes.rows), np.int64)

    def next(self, tape: Ints, luck: Floats) -> tuple[Ints, Bools]:
        """Play these tapes on, in order; shape (n,). Return positions in `Tapes.rows`, and which were played before.

        Where a tape is dry, `luck` in [0, 1) picks any of its outcomes once more.
        """
        order = np.argsort(tape, kind="stable")
        ordered = tape[order]
        first = np.flatnonzero(np.diff(ordered, prepend=NONE))
        counts = np.diff(first, append=len(ordered))
        turn = np.empty(len(tape), np.int64)
        turn[order] = np.arange(len(tape)) - np.repeat(first, counts)
        entry, length = self._turns[tape] + turn, self._tapes.length[tape]
        self._turns[ordered[first]] += counts
        entry = np.where(entry >= length, (luck * length).astype(np.int64), entry)
        position = self._tapes.entries[self._tapes.start[tape] + entry]
        return position, self._note(position)

    def _note(self, position: Ints) -> Bools:
        """Note what is played, and return which of it was played before, perhaps on another tape."""
        now = np.arange(len(position))
        self._first[position[::-1]] = now[::-1]  # of equal positions the last one written stays: the first played
        again: Bools = self._was_played[position] | (self._first[position] != now)
        self._was_played[position] = True
        return again
