"""One run of requests past the tapes: all that a seed decides, so that every policy of it meets the same."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simulations.replay.asked import Asked
from simulations.replay.lessons import Lessons
from simulations.replay.offer import Learner
from simulations.replay.tapes import NONE, Places, Reels, Tapes, blocks, strata
from simulations.replay.traffic import Traffic
from simulations.replay.worth import Worth

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """All that seeds share: a log, made ready to be replayed by a learner."""

    traffic: Traffic
    places: Places
    tapes: Tapes
    lessons: Lessons
    asked: Asked
    worth: Worth
    learner: Learner

    @property
    def stream_us(self) -> Ints:
        """When each request of the stream comes; shape (T,)."""
        return self.traffic.time_us[self.asked.stream]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """T requests: `rows` of the log whose requests come at `time_us`, and random numbers; all of shape (T,).

    `uniforms` draw the model, `luck` an outcome where a tape is dry, `other` what baselines leave to chance. `reel`, of
    shape (L,), are the outcomes that tapes hold on this course: `Tapes.rows`, or a bootstrap of them.
    """

    rows: Ints
    time_us: Ints
    uniforms: Floats
    luck: Floats
    other: Floats
    reel: Ints

    @classmethod
    def of(cls, stage: Stage, seed: int, *, bootstrap: bool = True) -> Self:
        """Draw the course of a seed. Without `bootstrap`, requests and tapes are those of the log, in its order.

        Requests are drawn in blocks from those of the same time bucket, and come when those of the log came.
        """
        rng, stream, tapes = np.random.default_rng(seed), stage.asked.stream, stage.tapes
        if bootstrap:
            bucket = stage.places.bucket[stage.places.of_row[stream]]
            lengths = np.diff(np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1, append=bucket[-1] + 1)))
            rows, reel = stream[blocks(np.array(strata(lengths)), rng)], tapes.bootstrapped(rng)
        else:
            rows, reel = stream, tapes.rows
        uniforms, luck, other = rng.random((3, len(rows)))
        return cls(rows, stage.stream_us, uniforms, luck, other, reel)


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """The outcomes that a policy got, as rows of the log, shape (T,); -1 where it no longer played.

    `resampled` says that the outcome was played before, `borrowed` that it is of another time or size.
    """

    outcomes: Ints
    resampled: Bools
    borrowed: Bools

    @classmethod
    def nothing(cls, requests: int) -> Self:
        """Return what nobody has played yet."""
        return cls(np.full(requests, NONE, np.int64), np.zeros(requests, bool), np.zeros(requests, bool))

    def note(self, start: int, part: "Played") -> None:
        """Fill in what was played from a request on."""
        span = slice(start, start + len(part.outcomes))
        self.outcomes[span], self.resampled[span], self.borrowed[span] = part.outcomes, part.resampled, part.borrowed

    def until(self, end: int) -> "Played":
        """Return the first requests of this."""
        return Played(self.outcomes[:end], self.resampled[:end], self.borrowed[:end])

    @property
    def end(self) -> int:
        """How many requests were played."""
        stopped = np.flatnonzero(self.outcomes == NONE)
        return int(stopped[0]) if len(stopped) else len(self.outcomes)


class Player:
    """Gives one policy its outcomes on a course."""

    def __init__(self, stage: Stage, course: Course) -> None:
        self._stage = stage
        self._course = course
        self._reels = Reels(stage.tapes)
        self._place = stage.places.of_row[course.rows]
        self._category = stage.traffic.category[course.rows]
        self._decided = ~stage.traffic.forced[course.rows]

    def play(self, start: int, choices: Ints) -> Played:
        """Return what requests from `start` on get of chosen models, which are numbers of offered ones; shape (n,).

        A forced request keeps its own outcome, whatever was chosen.
        """
        end = start + len(choices)
        kept = np.zeros((2, len(choices)), bool)
        played = Played(self._course.rows[start:end].copy(), kept[0], kept[1])
        which = np.flatnonzero(self._decided[start:end])
        place, served = self._place[start:end][which], self._stage.asked.served[choices[which]]
        tape = self._stage.tapes.of[self._category[start:end][which], served, place]
        position, played.resampled[which] = self._reels.next(tape, self._course.luck[start:end][which])
        played.outcomes[which] = self._course.reel[position]
        played.borrowed[which] = self._stage.places.of_row[played.outcomes[which]] != place
        return played
