"""Match replay (Li et al., WSDM 2011): keep the calls of a log for which a policy would have chosen the same model.

That is right only where the logger chose uniformly. On the log of a learner, what it liked is kept more often than it
would have come, and what it liked looked better than it was. The command does not offer it; here it is a control.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.sums import Sums, with_axes
from simulations.core import Core
from simulations.replay.course import Stage
from simulations.replay.lessons import Taught
from simulations.replay.tapes import NONE

Ints = NDArray[np.int64]


class Matched(NamedTuple):
    """Rows of the log that were kept."""

    rows: Ints

    def value(self, stage: Stage) -> float:
        """Return what they were worth in the mean, in fully good answers."""
        worth, asked, rows = stage.worth, stage.asked, self.rows
        usd = (
            asked.answer_value_usd[rows] * worth.answer[rows]
            - worth.cost_usd(rows, rows)
            - asked.second_value_usd[rows] * worth.latency_s[rows]
        )
        return float(np.mean(usd / asked.answer_value_usd[rows]))


def match_replay(stage: Stage, seed: int, requests: int, per_publication: int) -> Matched:
    """Let the learner propose a model for each row, and keep at most `requests` rows whose model it is.

    What is kept teaches at once, and is known from the next publication on.
    """
    learner, traffic, lessons = stage.learner, stage.traffic, stage.lessons
    rng, ids = np.random.default_rng(seed), [model.id for model in learner.models]
    empty = Sums.empty(round(learner.bucket_s * 1e6), int(traffic.time_us[0]))
    sums = with_axes(empty, traffic.categories, ids)
    core, kept, start = Core(learner.models, learner.inference, learner.policy), list[Ints](), 0
    while start < len(traffic) and sum(map(len, kept)) < requests:
        core.publish(sums, int(traffic.time_us[start]))
        rows = _matches(core, stage, np.arange(start, len(traffic)), rng)[:per_publication]
        kept.append(rows)
        start = int(rows[-1]) + 1 if len(rows) == per_publication else len(traffic)
        which, slot = np.nonzero(lessons.signal[rows] != NONE)
        sums = lessons.added(sums, [Taught(rows[which], slot, traffic.time_us[rows[which]])])
    return Matched(np.concatenate(kept)[:requests])


def _matches(core: Core, stage: Stage, rows: Ints, rng: np.random.Generator) -> Ints:
    """Return the rows whose model the learner would choose."""
    distinct, which = np.unique(stage.asked.request[rows], return_inverse=True)
    cumulative = np.array([core.distribution(stage.asked.requests[one]).cumulative for one in distinct.tolist()])
    drawn = (cumulative[which] <= rng.random((len(rows), 1))).sum(axis=1)
    matches: Ints = rows[stage.asked.served[drawn] == stage.traffic.model[rows]]
    return matches
