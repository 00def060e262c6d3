"""The use case of feedback: check what callers say about a decision, have it written, say what became of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from bandit.records import SignalRecord
from bandit.signals import DecisionFacts
from bandit.votes import SignalStatus
from server.credentials import Principal
from server.errors import (
    DecisionExpiredError,
    DecisionIdInvalidError,
    ForeignDecisionError,
    ScoreNameLimitError,
    ServiceError,
)
from server.namespace import Namespace, score_names
from server.requests import Report
from server.tokens import DecisionToken, TokenExpiredError, TokenInvalidError, TokenKeys
from server.writer import Writer

REPORTS_PER_TURN: Final = 64
"""Reports of a batch that are checked before other calls get their turn."""

MAX_SCORE_NAMES: Final = 7
"""Score names of a namespace: with the thumb, eight sources of quality."""


class Recorded(NamedTuple):
    """A report that is stored: what became of each signal, and the revision that includes them."""

    results: tuple[tuple[str, SignalStatus], ...]
    revision: int


class Learner:
    """Records reports. The clock, in microseconds, is an argument."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        keys: TokenKeys,
        writer: Writer,
        *,
        max_age_s: float,
        clock: Callable[[], int],
    ) -> None:
        self._namespaces = namespaces
        self._keys = keys
        self._writer = writer
        self._max_age_s = max_age_s
        self._clock = clock

    async def record(self, count: int, read: Callable[[], Report], caller: Principal) -> Recorded:
        """Return once every signal of the report is stored and counted exactly once.

        `count` is the number of its signals; it is read in its turn. Raises what `read` raises, DecisionIdInvalidError,
        DecisionExpiredError, ForeignDecisionError, ScoreNameLimitError, OverloadedError, FeedbackUnavailableError,
        ShuttingDownError.
        """
        await self._writer.turn(count)
        records = self._records(read(), caller)
        statuses = await self._writer.submit(records)
        return self._recorded(caller, records, statuses)

    async def record_each(
        self, reports: Sequence[Report | ServiceError], caller: Principal
    ) -> Sequence[Recorded | ServiceError]:
        """Record reports in one transaction; one that is refused, or was already, fails alone.

        Raises OverloadedError, FeedbackUnavailableError, ShuttingDownError for all of them.
        """
        checked = []
        for number, report in enumerate(reports):
            if number % REPORTS_PER_TURN == 0:
                await asyncio.sleep(0)
            checked.append(self._checked(report, caller))
        records = [record for one in checked if not isinstance(one, ServiceError) for record in one]
        if records:
            await self._writer.turn(len(records))
        statuses = iter(await self._writer.submit(records) if records else ())
        return [
            one if isinstance(one, ServiceError) else self._recorded(caller, one, [next(statuses) for _ in one])
            for one in checked
        ]

    def _checked(self, report: Report | ServiceError, caller: Principal) -> Sequence[SignalRecord] | ServiceError:
        if isinstance(report, ServiceError):
            return report
        try:
            return self._records(report, caller)
        except ServiceError as error:
            return error

    def _records(self, report: Report, caller: Principal) -> Sequence[SignalRecord]:
        now_us = self._clock()
        token = self._verified(report.decision_id, now_us)
        if token.namespace != caller.namespace:
            raise ForeignDecisionError
        self._admit_scores(report, self._namespaces[token.namespace])
        # The token's own time, even where another replica's clock is ahead: what is learned may not depend on arrival.
        decision = DecisionFacts(token.category, token.model, token.kind, token.decided_us, token.input_tokens)
        return [
            SignalRecord(
                namespace=token.namespace,
                nonce=token.nonce,
                signal=signal,
                fact=fact,
                observed_us=now_us if observed_us is None else observed_us,
                received_us=now_us,
                decision=decision,
                propensity=token.propensity,
                parent=token.parent,
                client=caller.client,
                rater=report.rater,
            )
            for signal, fact, observed_us in report.observations
        ]

    def _verified(self, decision_id: str, now_us: int) -> DecisionToken:
        try:
            return self._keys.verify(decision_id, now_us, self._max_age_s)
        except TokenExpiredError as error:
            raise DecisionExpiredError(self._max_age_s) from error
        except TokenInvalidError as error:
            raise DecisionIdInvalidError from error

    def _admit_scores(self, report: Report, namespace: Namespace) -> None:
        """Reserve the names of the report's scores, all or none."""
        new = score_names(one.signal for one in report.observations) - namespace.score_names
        if new and len(namespace.score_names) + len(new) > MAX_SCORE_NAMES:
            raise ScoreNameLimitError(min(new), MAX_SCORE_NAMES)
        namespace.score_names |= new

    def _recorded(
        self, caller: Principal, records: Sequence[SignalRecord], statuses: Sequence[SignalStatus]
    ) -> Recorded:
        results = tuple(zip([record.signal for record in records], statuses, strict=True))
        return Recorded(results, self._namespaces[caller.namespace].revision)
