"""The requests of a log, as they are put to what is offered now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model
from bandit.request import Objective, Request, quarter_octave
from simulations.purse import TYPICAL_PROMPT
from simulations.replay.offer import Learner
from simulations.replay.tapes import NONE, Tapes
from simulations.replay.traffic import Traffic

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What N rows ask of M models on offer.

    `served`, of shape (M,), is the number of each offered model in the log, -1 where the log does not know it.
    `eligible`, of shape (N, M), says which of them may answer. `request`, of shape (N,), is a number of `requests`.
    `answer_value_usd` and `second_value_usd` have shape (N,). `stream` are the rows that are played: forced ones whose
    model is on offer, and those that some model may answer. `unseen` are offered models that never answered in a
    category, and so cannot be replayed there.
    """

    models: tuple[Model, ...]
    served: Ints
    eligible: Bools
    request: Ints
    requests: tuple[Request, ...]
    answer_value_usd: Floats
    second_value_usd: Floats
    stream: Ints
    unseen: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, traffic: Traffic, tapes: Tapes, learner: Learner) -> Self:
        """Put the requests of a log to a learner's models."""
        models = learner.models
        served = np.array([_number(traffic.models, model.id) for model in models])
        has_tape = _has_tape(tapes, served)
        eligible = _eligible(traffic, models, served) & has_tape[traffic.category]
        value = _valued(traffic.answer_value_usd, learner.objective.answer_value_usd, learner.answer_value_usd)
        second = _valued(traffic.second_value_usd, learner.objective.second_value_usd, learner.second_value_usd)
        request, requests = _requests(traffic, eligible, value, second, learner)
        played = np.where(traffic.forced, np.isin(traffic.model, served), eligible.any(axis=1))
        return cls(
            models=models,
            served=served,
            eligible=eligible,
            request=request,
            requests=requests,
            answer_value_usd=value,
            second_value_usd=second,
            stream=np.flatnonzero(played),
            unseen=tuple(
                (traffic.categories[c], models[m].id) for c, m in np.argwhere(~has_tape & _asks(traffic)[:, None])
            ),
        )


def _number(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else NONE


def _has_tape(tapes: Tapes, served: Ints) -> Bools:
    """Return which offered models have answered in which category; shape (C, M)."""
    in_log: Bools = (tapes.of != NONE).any(axis=2)
    return np.where(served == NONE, False, in_log[:, served])


def _asks(traffic: Traffic) -> Bools:
    asking = traffic.category[~traffic.forced]
    return np.bincount(asking, minlength=len(traffic.categories)) >= FEWEST


def _eligible(traffic: Traffic, models: Sequence[Model], served: Ints) -> Bools:
    known = np.where(served == NONE, False, traffic.eligible_sets[:, served])
    fits = [model.enabled & ~(traffic.requested_tokens > (model.context_tokens or np.inf)) for model in models]
    eligible: Bools = known[traffic.eligible_set] & np.stack(fits, axis=1)
    return eligible


def _valued(logged: Floats, otherwise: float, asked: float | None) -> Floats:
    if asked is not None:
        return np.full(len(logged), asked)
    return np.where(np.isnan(logged), otherwise, logged)


def _requests(
    traffic: Traffic, eligible: Bools, value: Floats, second: Floats, learner: Learner
) -> tuple[Ints, tuple[Request, ...]]:
    """Number the distinct requests; those that differ in nothing that a distribution depends on are one."""
    sizes, size = np.unique(_sizes(traffic, learner), return_inverse=True)
    masks, mask = np.unique(np.packbits(eligible, axis=1, bitorder="little"), axis=0, return_inverse=True)
    values, valued = np.unique(value, return_inverse=True)
    seconds, waited = np.unique(second, return_inverse=True)
    limits = len(traffic.categories), len(masks), len(sizes), len(values), len(seconds)
    key = np.ravel_multi_index((traffic.category, mask.reshape(-1), size, valued, waited), limits)
    keys, request = np.unique(key, return_inverse=True)
    columns = (one.tolist() for one in np.unravel_index(keys, limits))
    requests = tuple(
        Request(
            traffic.categories[c],
            int.from_bytes(masks[m].tobytes(), "little"),
            int(sizes[s]),
            Objective(float(values[v]), float(seconds[w])),
        )
        for c, m, s, v, w in zip(*columns, strict=True)
    )
    return request, requests


def _sizes(traffic: Traffic, learner: Learner) -> Ints:
    typical = [learner.typical_tokens(category, TYPICAL_PROMPT) for category in traffic.categories]
    tokens = np.where(
        np.isnan(traffic.requested_tokens), np.array(typical)[traffic.category], traffic.requested_tokens
    ).round()
    known, place = np.unique(tokens.astype(np.int64), return_inverse=True)
    return np.array([quarter_octave(count) for count in known.tolist()], np.int64)[place]
