"""Calls spread over the models while nobody has judged anything.

Judgements may come late. Until the first are there, quality tells no model from another, so cost and latency would
decide, calls would heap up on one model, and the first judgements would all be about that one. So the policy takes
something off a model's quality for each of its answers that waits for a judgement, as if that were a fraction of a
middling one. It is a way to explore, no belief: what is forecast, and what limits are held against, stays as it is.

It needs a hundred answers with hardly a judgement, which tells late from rare, and ends with the first few judgements.
Where none ever come, it ends for each cell after some answers, and for all after some thousand.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HOPE: Final = 0.35
"""What a quality that nobody has judged is believed above that of a middling answer."""
_WORTH, _PRIOR, _MOST_WAITING = 0.3, 2.0, 20.0
"""Judgements that such an answer is worth, those that a prior is worth, and how many answers of a cell count."""
_FEW_ANSWERS, _FEW_JUDGEMENTS = 100.0, 3.0
"""After about so many answers without one judgements are late; after so many judgements they are not."""
_NEVER: Final = 3000.0
"""After about so many answers without one judgements are not expected any more."""


def doubts(judgements: Ints, answers: Ints) -> Floats:
    """Return what to take off each model's quality when choosing, 0 to .35; arguments and result of shape (C, M).

    Both are numbers of them, nothing forgotten; answers to forced decisions, which nobody will judge, are among them.
    """
    judged, answered = float(judgements.sum()), float(answers.sum())
    late = math.exp(-judged / _FEW_JUDGEMENTS) * answered**2 / (answered**2 + _FEW_ANSWERS**2)
    late /= 1.0 + (answered / _NEVER) ** 2
    waiting = late * _WORTH * np.clip(answers - judgements, 0.0, _MOST_WAITING)
    doubt: Floats = _HOPE * waiting / (_PRIOR + waiting)
    return doubt
