"""Which level a model's signal was at, bucket by bucket: a hidden Markov chain with one usual level and many others.

Incidents strike a model in all its categories at once, start suddenly and end. Level 0 is what is usual, the others are
offsets from it. Over an elapsed time D, with e0 = exp(-onset D), e1 = exp(-recovery D) and slab weights u:

    0 -> 0: e0          0 -> L: (1 - e0) u(L)
    L -> L: e1 + (1 - e1) (1 - rho) u(L)          L -> 0: (1 - e1) rho          L -> L': (1 - e1) (1 - rho) u(L')

The forward-backward algorithm (Rabiner 1989, section III) averages exactly over all sequences of changes at the bounds
of buckets. Without new observations the belief drifts back to the usual level, so that a model which was left alone is
tried again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hazards:
    """How levels change: rates per second of leaving the usual level and another one.

    `to_usual` is the share of changes from another level that lead back to the usual one, `usual` the probability of
    the usual level before anything was observed.
    """

    onset: float
    recovery: float
    to_usual: float = 0.8
    usual: float = 0.98


def level_beliefs(log_likelihood: Floats, moves: Floats, initial: Floats) -> Floats:
    """Return the probability of each level in each of B buckets, for M independent chains; shape (B, M, G).

    `log_likelihood` has shape (B, M, G), the usual level first; `moves`, of shape (B - 1, G, G), lead from each
    bucket to the next; `initial`, of shape (G,), is believed before the first.
    """
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=-1, keepdims=True))
    # Both ways at once, forwards from the first bucket and backwards from the last; and each chain is a vector of its
    # own, (1, G) times (G, G), so that its bits do not depend on how many there are.
    seen = np.stack((likelihood, likelihood[::-1]), axis=1)[..., None, :]
    both_ways = np.stack((moves, moves[::-1].transpose(0, 2, 1)), axis=1)[:, :, None]
    messages = np.empty_like(seen)
    messages[0, 0], messages[0, 1] = initial, 1.0
    for b, move in enumerate(both_ways):
        joint = messages[b] * seen[b]
        joint /= np.add.reduce(joint, axis=-1, keepdims=True)
        np.matmul(joint, move, out=messages[b + 1])
    smoothed = messages[:, 0, :, 0] * likelihood * messages[::-1, 1, :, 0]
    beliefs: Floats = smoothed / np.add.reduce(smoothed, axis=-1, keepdims=True)
    return beliefs


def transitions(slab: Floats, elapsed_s: Floats, hazards: Hazards) -> Floats:
    """Return the probabilities of going from one level (rows) to another within each of some times; shape (T, G, G)."""
    stays, lasts = (np.exp(-rate * elapsed_s)[:, None] for rate in (hazards.onset, hazards.recovery))
    levels = len(slab) + 1
    moves = np.empty((len(elapsed_s), levels, levels))
    moves[:, 0, 1:] = (1.0 - stays) * slab
    moves[:, 0, 0] = stays[:, 0]
    moves[:, 1:, 0] = hazards.to_usual * (1.0 - lasts)
    moves[:, 1:, 1:] = ((1.0 - hazards.to_usual) * (1.0 - lasts) * slab)[:, None, :]
    others = np.arange(1, levels)
    moves[:, others, others] += lasts
    return moves
