"""The learning core: four pure verbs. No I/O, no clock, no logging, no global randomness.

sums         = record(sums, events)
posterior    = infer(sums, now_us, settings)
distribution = policy(snapshot_of(posterior, models, settings), request)
decision     = draw(distribution, rng)
"""

from bandit.draw import Draw, draw
from bandit.evidence import Event, events_of
from bandit.policy import Distribution, policy
from bandit.posterior import Posterior, infer
from bandit.snapshot import Snapshot, snapshot_of
from bandit.sums import Sums, merge, record

__all__ = [
    "Distribution",
    "Draw",
    "Event",
    "Posterior",
    "Snapshot",
    "Sums",
    "draw",
    "events_of",
    "infer",
    "merge",
    "policy",
    "record",
    "snapshot_of",
]
