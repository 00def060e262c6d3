"""Invented traffic logs of any length, in columns, with exact propensities and the truth beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.calls import BATCH, UNKNOWN, Call, Calls, session_number
from adapters.traffic.log import LogReport, Progress
from bandit.request import Objective
from bandit.signals import Kind, Status
from simulations.errors import OptionsError
from simulations.generator import MODELS, TASKS, InventedModel, Task
from simulations.logs.cells import Cells, Truth
from simulations.logs.loggers import LOGGERS, Logger
from simulations.logs.outcomes import CallOutcomes, outcomes_of
from simulations.logs.portions import Portion, calls_of, session_name
from simulations.logs.requests import Requests, RequestTape
from simulations.ranges import check_range

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_US: Final = 1_767_571_200_000_000
"""Time of the first call: 2026-01-05 00:00 UTC, a Monday."""
_DAY_US: Final = 86_400_000_000
_ROWS: Final = (1, 10_000_000_000)
_ERROR_SHARE: Final = (0, 0.5)
_DAYS: Final = (0.001, 3650)
BALANCED: Final = Objective(answer_value_usd=0.05, second_value_usd=0.001)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What to invent.

    `logger` is one of `LOGGERS`; "thompson" learns what answers are worth under `objective`, and refreshes its
    probabilities every `refresh_rows`. `world_seed` draws the world, `seed` the calls. A share of the answers is
    judged, whichever model gave it, and about `error_share` of the calls fail. `session_length` calls in a row belong
    together and are equally hard; with 1 there are no sessions. Calls are spread over `days`.
    """

    rows: int
    seed: int = 0
    world_seed: int = 0
    logger: str = "uniform"
    models: tuple[InventedModel, ...] = MODELS
    tasks: tuple[Task, ...] = TASKS
    objective: Objective = BALANCED
    judged_share: float = 1.0
    error_share: float = 0.01
    session_length: int = 1
    days: float = 7.0
    refresh_rows: int = 100


class _Stretch(NamedTuple):
    """Calls within which the logger's probabilities, of shape (C, M), stayed as they are."""

    probabilities: Floats
    model: Ints
    outcomes: CallOutcomes


class InventedLog:
    """A log that is drawn as it is read, the same at each reading and in portions of any size.

    Raises OptionsError for settings that have no meaning.
    """

    def __init__(self, settings: LogSettings) -> None:
        _check(settings)
        self.settings = settings
        self.report = LogReport("invented", used=settings.rows)
        self._cells = Cells.of(settings.world_seed, settings.models, settings.tasks, settings.error_share)

    @property
    def truth(self) -> Truth:
        """What calls are like in the mean."""
        return self._cells.truth

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Draw the calls in order, one by one."""
        start = 0
        for batch in self.batches(progress=progress):
            yield from calls_of(Portion(start, batch, self.settings.session_length))
            start += len(batch)

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Draw the calls in order, `size` at a time."""
        settings, shape = self.settings, (len(self._cells.categories), len(self._cells.models))
        logger = LOGGERS[settings.logger](*shape, settings.refresh_rows)
        tape = RequestTape(settings.seed, len(self._cells.categories), settings.session_length)
        for start in range(0, settings.rows, size):
            end = min(start + size, settings.rows)
            yield self._batch(tape.rows(start, end), logger)
            if progress is not None:
                progress(end, settings.rows)

    def _batch(self, requests: Requests, logger: Logger) -> Calls:
        stretches = []
        for start, end in pairwise(_bounds(requests, logger.refresh_rows)):
            if logger.refresh_rows and start % logger.refresh_rows == 0:
                logger.refresh()
            here = requests.part(start, end)
            model = _drawn(logger.probabilities[here.category], here.uniforms[0])
            outcomes = outcomes_of(self._cells, here, model, self.settings.judged_share)
            logger.learn(here.category, model, outcomes.worth(self.settings.objective))
            stretches.append(_Stretch(logger.probabilities, model, outcomes))
        return self._calls(requests, stretches)

    def _calls(self, requests: Requests, stretches: Sequence[_Stretch]) -> Calls:
        category, n = requests.category, len(requests.category)
        model = np.concatenate([stretch.model for stretch in stretches])
        places = np.repeat(np.arange(len(stretches)), [len(stretch.model) for stretch in stretches])
        drawn_from = places * len(self._cells.categories) + category
        probabilities = np.concatenate([stretch.probabilities for stretch in stretches])
        outcomes = CallOutcomes.joined([stretch.outcomes for stretch in stretches])
        spacing_us = self.settings.days * _DAY_US / self.settings.rows
        time_us = FIRST_US + np.floor(np.arange(requests.start, requests.end) * spacing_us).astype(np.int64)
        answered_us = time_us + np.rint(outcomes.latency_s * 1e6).astype(np.int64)
        judged = np.isfinite(outcomes.quality)
        after_us = np.rint(np.where(judged, outcomes.judged_after_s, 0.0) * 1e6).astype(np.int64)
        unknown = np.full(n, np.nan)
        return Calls(
            categories=self._cells.categories,
            models=self._cells.models,
            category=category,
            model=model,
            session=_sessions(requests, self.settings.session_length),
            drawn_from=drawn_from,
            probabilities=probabilities,
            time_us=time_us,
            kind=np.full(n, Kind.SAMPLED.value),
            status=np.where(outcomes.failed, Status.ERROR.value, Status.OK.value),
            answered_us=answered_us,
            judged_us=np.where(judged, answered_us + after_us, UNKNOWN),
            propensity=probabilities[drawn_from, model],
            answer_value_usd=np.full(n, self.settings.objective.answer_value_usd),
            second_value_usd=np.full(n, self.settings.objective.second_value_usd),
            requested_tokens=outcomes.requested_tokens,
            input_tokens=outcomes.input_tokens,
            cached_input_tokens=unknown,
            output_tokens=outcomes.output_tokens,
            cost_usd=outcomes.cost_usd,
            latency_s=outcomes.latency_s,
            first_token_s=outcomes.first_token_s,
            quality=outcomes.quality,
        )


def generated_calls(settings: LogSettings, size: int = BATCH) -> tuple[Truth, Iterator[Calls]]:
    """Return the truth, and the calls in batches; equal settings give equal calls, whatever the size of a batch."""
    log = InventedLog(settings)
    return log.truth, log.batches(size)


def _check(settings: LogSettings) -> None:
    if settings.logger not in LOGGERS:
        raise OptionsError(f"there is no logger '{settings.logger}'; choose one of {', '.join(LOGGERS)}")
    check_range("rows", settings.rows, _ROWS)
    check_range("the judged share", settings.judged_share, (0, 1))
    check_range("the share of errors", settings.error_share, _ERROR_SHARE)
    check_range("the length of a session", settings.session_length, _ROWS)
    check_range("days", settings.days, _DAYS)
    check_range("the rows between two refreshes", settings.refresh_rows, _ROWS)


def _bounds(requests: Requests, refresh_rows: int | None) -> list[int]:
    """Return where the rows begin and end, and between them where probabilities may change."""
    if refresh_rows is None:
        return [requests.start, requests.end]
    first = requests.start - requests.start % refresh_rows + refresh_rows
    return [requests.start, *range(first, requests.end, refresh_rows), requests.end]


def _drawn(probabilities: Floats, uniforms: Floats) -> Ints:
    """Draw a model of each row of probabilities, shape (n, M)."""
    passed = uniforms[:, None] >= probabilities.cumsum(axis=1)[:, :-1]
    model: Ints = passed.sum(axis=1)
    return model


def _sessions(requests: Requests, length: int) -> Ints:
    if length == 1:
        return np.full(len(requests.category), UNKNOWN)
    numbers = np.arange(requests.start, requests.end) // length
    first = requests.start // length
    hashes = [session_number(session_name(first + place)) for place in range(int(numbers[-1]) - first + 1)]
    return np.array(hashes)[numbers - first]
