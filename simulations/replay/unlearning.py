"""What a learner is compared with, on the very same requests and tapes: policies that learn nothing."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.replay.course import Course, Played, Player, Stage
from simulations.replay.tapes import NONE

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOGGED: Final = "logged"
RANDOM: Final = "random"
CHEAPEST: Final = "cheapest"
PRICIEST: Final = "priciest"
HINDSIGHT: Final = "best in hindsight"
FIXED: Final = "fixed:"


def unlearning(stage: Stage, course: Course) -> Iterator[tuple[str, Played]]:
    """Yield what was logged, and what every policy that learns nothing gets.

    A fixed model that may not serve a request leaves it to chance. The cheapest and the priciest model, and the best
    one in hindsight, are those of the request's category, size and objective by the means of the whole log.
    """
    kept = np.zeros((2, len(course.rows)), bool)
    yield LOGGED, Played(course.rows, kept[0], kept[1])
    eligible, means = stage.asked.eligible[course.rows], Means(stage)
    random = _random(eligible, course.other)
    choices = {RANDOM: random}
    cost = means.cost_usd(course.rows)
    choices[CHEAPEST] = _least(np.where(np.isnan(cost), np.inf, cost), eligible)
    choices[PRICIEST] = _least(np.where(np.isnan(cost), np.inf, -cost), eligible)
    value = means.value_usd(course.rows, cost)
    if np.isfinite(value).any():
        choices[HINDSIGHT] = _least(np.where(np.isnan(value), np.inf, -value), eligible)
    for position, model in enumerate(stage.asked.models):
        if stage.asked.served[position] != NONE:
            choices[FIXED + model.id] = np.where(eligible[:, position], position, random)
    for name, chosen in choices.items():
        yield name, Player(stage, course).play(0, chosen)


class Means:
    """Means of outcomes by category and offered model, shape (C, M); NaN where nothing is known."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        traffic, worth = stage.traffic, stage.worth
        self.answer, self.fixed_usd, self.usd_per_token, self.latency_s = (
            self._of(values) for values in (worth.answer, worth.fixed_usd, worth.usd_per_token, worth.latency_s)
        )
        asked = ~traffic.forced & np.isfinite(traffic.requested_tokens)
        counts = np.bincount(traffic.category[asked], minlength=len(traffic.categories))
        tokens = np.bincount(traffic.category[asked], traffic.requested_tokens[asked], minlength=len(counts))
        self._typical_tokens: Floats = np.where(counts > 0, tokens / np.maximum(counts, 1), 0.0)

    def cost_usd(self, rows: Ints) -> Floats:
        """Return what each model's answer to the requests of rows costs in the mean; shape (T, M)."""
        category, tokens = self._stage.traffic.category[rows], self._stage.traffic.requested_tokens[rows]
        tokens = np.where(np.isnan(tokens), self._typical_tokens[category], tokens)
        usd: Floats = self.fixed_usd[category] + self.usd_per_token[category] * tokens[:, None]
        return usd

    def value_usd(self, rows: Ints, cost_usd: Floats) -> Floats:
        """Return what it is worth, under the objective of each request; shape (T, M)."""
        asked, category = self._stage.asked, self._stage.traffic.category[rows]
        second = asked.second_value_usd[rows, None]
        waiting = np.where(second > 0, second * self.latency_s[category], 0.0)
        value: Floats = asked.answer_value_usd[rows, None] * self.answer[category] - cost_usd - waiting
        return value

    def _of(self, values: Floats) -> Floats:
        traffic, served = self._stage.traffic, self._stage.asked.served
        shape = len(traffic.categories), len(traffic.models)
        known = np.isfinite(values) & ~traffic.forced
        cell = traffic.category[known] * shape[1] + traffic.model[known]
        counts = np.bincount(cell, minlength=shape[0] * shape[1])
        totals = np.bincount(cell, values[known], minlength=len(counts))
        means = np.where(counts > 0, totals / np.maximum(counts, 1), np.nan).reshape(shape)
        offered: Floats = np.where(served == NONE, np.nan, means[:, served])
        return offered


def _random(eligible: Bools, uniforms: Floats) -> Ints:
    counts = eligible.sum(axis=1)
    turn = np.minimum((uniforms * counts).astype(np.int64), np.maximum(counts - 1, 0))
    chosen: Ints = (np.cumsum(eligible, axis=1) > turn[:, None]).argmax(axis=1)
    return chosen


def _least(values: Floats, eligible: Bools) -> Ints:
    least: Ints = np.where(eligible, values, np.inf).argmin(axis=1)
    unknown = np.isinf(values) | ~eligible
    return np.where(unknown.all(axis=1), eligible.argmax(axis=1), least)
