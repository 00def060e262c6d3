"""The use case of feedback: check what callers say about a decision, have it written, say what became of it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from bandit.records import SignalRecord
from bandit.signals import DecisionFacts
from bandit.votes import SignalStatus
from server.credentials import Principal
from server.errors import (
    DecisionAheadError,
    DecisionExpiredError,
    DecisionIdInvalidError,
    ForeignDecisionError,
    ScoreNameLimitError,
    ServiceError,
)
from server.namespace import Namespace, score_names
from server.requests import Observation, Report
from server.tokens import (
    DecisionToken,
    TokenAheadError,
    TokenExpiredError,
    TokenInvalidError,
    TokenKeys,
    check_age,
)
from server.writer import Writer

REPORTS_AT_ONCE: Final = 16
"""Reports of a batch that are checked before other calls are served."""

MAX_SCORE_NAMES: Final = 7
"""Score names of a namespace: with the thumb, eight sources of quality."""


class Recorded(NamedTuple):
    """A report that is stored: what became of each signal, and the revision that includes them."""

    results: tuple[tuple[str, SignalStatus], ...]
    revision: int


class Learner:
    """Records reports."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        keys: TokenKeys,
        writer: Writer,
        *,
        max_age_s: float,
    ) -> None:
        self._namespaces = namespaces
        self._keys = keys
        self._writer = writer
        self._max_age_s = max_age_s

    async def record(
        self, decision_id: str, count: int, read: Callable[[], Report], now_us: int, caller: Principal
    ) -> Recorded:
        """Return once every signal of a report about a decision is stored and counted exactly once.

        `now_us` is its time of arrival, `count` the number of its signals. It is read when its transaction begins; a
        decision id that is not the caller's is refused at once. Raises what `read` raises, DecisionIdInvalidError,
        DecisionExpiredError, DecisionAheadError, ForeignDecisionError, ScoreNameLimitError, OverloadedError,
        FeedbackUnavailableError, ShuttingDownError.
        """
        token = self._verified(decision_id, now_us, caller)
        results = await self._writer.submit(count, lambda: self._records(token, read(), now_us, caller))
        return Recorded(results, self._namespaces[caller.namespace].revision)

    async def record_each(
        self, reports: Iterable[Report | ServiceError], now_us: int, caller: Principal
    ) -> Sequence[Recorded | ServiceError]:
        """Record reports in one transaction, reading them one by one; one that is refused fails alone.

        Raises OverloadedError, FeedbackUnavailableError, ShuttingDownError for all of them.
        """
        return await self._record_all((self._checked(report, now_us, caller) for report in reports), caller)

    async def record_own(
        self, own: Iterable[tuple[DecisionToken, Observation]], now_us: int, caller: Principal
    ) -> Sequence[Recorded | ServiceError]:
        """Record what was observed of the caller's decisions by the process that made them; as `record_each`.

        Their tokens never left it, so no signature has to be verified.
        """
        return await self._record_all((self._checked_own(*one, now_us, caller) for one in own), caller)

    async def _record_all(
        self, checks: Iterable[Sequence[SignalRecord] | ServiceError], caller: Principal
    ) -> Sequence[Recorded | ServiceError]:
        checked = []
        for number, one in enumerate(checks, start=1):
            checked.append(one)
            if number % REPORTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        records = [record for one in checked if not isinstance(one, ServiceError) for record in one]
        results = iter(await self._writer.submit(len(records), lambda: records) if records else ())
        revision = self._namespaces[caller.namespace].revision
        return [
            one if isinstance(one, ServiceError) else Recorded(tuple(islice(results, len(one))), revision)
            for one in checked
        ]

    def _checked(
        self, report: Report | ServiceError, now_us: int, caller: Principal
    ) -> Sequence[SignalRecord] | ServiceError:
        if isinstance(report, ServiceError):
            return report
        try:
            return self._records(self._verified(report.decision_id, now_us, caller), report, now_us, caller)
        except ServiceError as error:
            return error

    def _checked_own(
        self, token: DecisionToken, observation: Observation, now_us: int, caller: Principal
    ) -> Sequence[SignalRecord] | ServiceError:
        try:
            check_age(token, now_us, self._max_age_s)
            return self._records(token, Report("", (observation,)), now_us, caller)
        except TokenExpiredError:
            return DecisionExpiredError(self._max_age_s)
        except TokenAheadError as error:
            return DecisionAheadError(error.ahead_s)
        except ServiceError as error:
            return error

    def _records(self, token: DecisionToken, report: Report, now_us: int, caller: Principal) -> Sequence[SignalRecord]:
        namespace = self._namespaces[token.namespace]
        self._admit_scores(report, namespace)
        billing = namespace.published.edition.billing
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
                bill=billing.bill(token, fact),
            )
            for signal, fact, observed_us in report.observations
        ]

    def _verified(self, decision_id: str, now_us: int, caller: Principal) -> DecisionToken:
        try:
            token = self._keys.verify(decision_id, now_us, self._max_age_s)
        except TokenExpiredError as error:
            raise DecisionExpiredError(self._max_age_s) from error
        except TokenAheadError as error:
            raise DecisionAheadError(error.ahead_s) from error
        except TokenInvalidError as error:
            raise DecisionIdInvalidError from error
        if token.namespace != caller.namespace:
            raise ForeignDecisionError
        return token

    def _admit_scores(self, report: Report, namespace: Namespace) -> None:
        """Reserve the names of the report's scores, all or none; what is taken back needs no name."""
        given = [one.signal for one in report.observations if one.fact is not None]
        new = score_names(given) - namespace.score_names
        if new and len(namespace.score_names) + len(new) > MAX_SCORE_NAMES:
            raise ScoreNameLimitError(min(new), MAX_SCORE_NAMES)
        namespace.score_names |= new
