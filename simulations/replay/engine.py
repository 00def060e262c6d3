"""The service's own core on a course: as the service does it, but all requests between two snapshots at once.

What is published at a time holds what was reported up to then, of decisions made before. Between two publications
nothing that decides changes, so requests are drawn together, each with its own number, from the distributions that
the core gives; and sums are integers, so reports may be added together. So every choice and every sum is that of the
plain loop which does one after the other.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.sums import Sums, with_axes
from simulations.core import Core
from simulations.replay.course import Course, Played, Player, Stage
from simulations.replay.lessons import OUTCOME_SLOTS, SLOTS, Lessons, Taught
from simulations.replay.tapes import NONE

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_OUTCOME: Final = np.arange(OUTCOME_SLOTS)
_JUDGEMENT: Final = np.arange(OUTCOME_SLOTS, SLOTS)


@dataclass(frozen=True, slots=True)
class Pace:
    """Spans of requests between publications: `edges` of shape (E + 1,), and the time of each, shape (E,)."""

    edges: Ints
    published_us: Ints

    @classmethod
    def of(cls, time_us: Ints, refresh_s: float) -> "Pace":
        """Publish at multiples of a period, where requests follow; 0 publishes before each request."""
        if refresh_s == 0:
            return cls(np.arange(len(time_us) + 1), time_us)
        period_us = max(1, round(refresh_s * 1e6))
        periods = time_us // period_us
        first = np.flatnonzero(np.diff(periods, prepend=NONE))
        return cls(np.append(first, len(time_us)), periods[first] * period_us)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the learner got, and the sums it was left with; reports that came after the last publication are not in."""

    played: Played
    sums: Sums


def learned(stage: Stage, course: Course, *, stops_when_dry: bool = False) -> Run:
    """Let the learner play a course. With `stops_when_dry` it ends before the first request whose tape is dry."""
    learner, pace = stage.learner, Pace.of(course.time_us, stage.learner.refresh_s)
    ids = [model.id for model in learner.models]
    sums = with_axes(Sums.empty(round(learner.bucket_s * 1e6), int(course.time_us[0])), stage.traffic.categories, ids)
    core = Core(learner.models, learner.inference, learner.policy)
    reports, player = _Reports(stage, pace), Player(stage, course)
    asked = stage.asked.request[course.rows]
    played = Played.nothing(len(course.rows))
    for span, (start, end) in enumerate(zip(pace.edges[:-1].tolist(), pace.edges[1:].tolist(), strict=True)):
        sums = stage.lessons.added(sums, reports.due(span))
        core.publish(sums, int(pace.published_us[span]))
        choices = _drawn(core, stage, asked[start:end], course.uniforms[start:end])
        got = player.play(start, choices)
        dry = np.flatnonzero(got.resampled & stops_when_dry)
        played.note(start, got.until(int(dry[0])) if len(dry) else got)
        if len(dry):
            break
        reports.take(span, got.outcomes, course.time_us[start:end])
    return Run(played, sums)


def _drawn(core: Core, stage: Stage, asked: Ints, uniforms: Floats) -> Ints:
    """Return a model for each request: as `bandit.draw` does, all at once."""
    distinct, which = np.unique(asked, return_inverse=True)
    requests = stage.asked.requests
    nobody = (1.0,) * len(stage.asked.models)
    # A forced request may be one that nobody else could serve; what is drawn for it is not used.
    cumulative = np.array(
        [core.distribution(requests[one]).cumulative if requests[one].eligible else nobody for one in distinct.tolist()]
    )
    drawn: Ints = (cumulative[which] <= uniforms[:, None]).sum(axis=1)
    return drawn


class _Reports:
    """What was reported, until a publication takes it in."""

    def __init__(self, stage: Stage, pace: Pace) -> None:
        self._lessons: Lessons = stage.lessons
        self._delays = (_OUTCOME, stage.traffic.answer_delay_us), (_JUDGEMENT, stage.traffic.judge_delay_us)
        self._published_us = pace.published_us
        self._due: dict[int, list[Taught]] = defaultdict(list)

    def due(self, span: int) -> list[Taught]:
        """Return what a publication is the first to know."""
        return self._due.pop(span, [])

    def take(self, span: int, outcomes: Ints, decided_us: Ints) -> None:
        """Report the outcomes of decisions: each part when the log had it."""
        for slots, delay_us in self._delays:
            known = np.searchsorted(self._published_us, decided_us + delay_us[outcomes])
            known = np.maximum(known, span + 1)
            which, slot = np.nonzero(self._lessons.signal[outcomes[:, None], slots] != NONE)
            known = known[which]
            for due in np.unique(known).tolist():
                now = known == due
                if due < len(self._published_us):
                    self._due[due].append(Taught(outcomes[which[now]], slots[slot[now]], decided_us[which[now]]))
