"""The synchronous client."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc

from routeward import explanation_messages, messages
from routeward.base import BaseClient, batch_results, made_alone
from routeward.calls import Call, ExceptionTypes
from routeward.decisions import Decision, RouteOptions
from routeward.error_details import error_of_status
from routeward.errors import DeadlineExceededError, RoutewardError, UnavailableError
from routeward.explanations import Explanation
from routeward.signals import Feedback, FeedbackResult, Outcome, Signal
from routeward.v1.admin_service_pb2 import ExplainDecisionRequest
from routeward.v1.admin_service_pb2_grpc import AdminServiceStub
from routeward.v1.routing_service_pb2_grpc import RoutingServiceStub

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Client(BaseClient):
    """Asks a routeward server for decisions and reports how they went.

    It connects at its first call and may be shared between threads, but not with forked processes once connected.
    Close it, or use it in a `with` statement.
    """

    def route(self, category: str, *, timeout: float | None = None, **options: Unpack[RouteOptions]) -> Decision:
        """Ask which model should serve a call; `options` are those of `routeward.decisions.RouteOptions`.

        `timeout` is in seconds, retries included. Where the server cannot be reached in that time, the static
        fallback decides. Raises the errors of `routeward.errors`.
        """
        request = messages.route_request(category, **options)
        timeout = self._route_timeout if timeout is None else timeout
        try:
            response = self._invoke(self._stub.Route, request, timeout)
        except (UnavailableError, DeadlineExceededError) as error:
            decision = self._without_server(error, category, options)
            if decision is None:
                raise
            return decision
        return messages.decision_of(response)

    def feedback(
        self, decision: Decision | str, *signals: Signal, rater: str = "", timeout: float | None = None
    ) -> FeedbackResult:
        """Report what was observed about a decision, given itself or by its id. Stored when this returns.

        `rater` is a pseudonym of the end user who judged. Saying the same again changes nothing. About a decision
        that the client made alone nothing is sent, and the result is empty. Raises the errors of
        `routeward.errors`.
        """
        feedback = Feedback(decision, signals, rater)
        if made_alone(feedback):
            return FeedbackResult()
        request = messages.feedback_request(feedback, self._clock.now())
        timeout = self._feedback_timeout if timeout is None else timeout
        return messages.feedback_result(self._invoke(self._stub.Feedback, request, timeout))

    def feedback_batch(
        self, items: Iterable[Feedback], *, timeout: float | None = None
    ) -> tuple[FeedbackResult | RoutewardError, ...]:
        """Report about many decisions; returns, for each item, what became of it or why it was refused.

        Any number of items: they are sent in as many messages as it takes, each with its own `timeout`. Raises
        when a message fails as a whole; repeating all of it then counts nothing twice.
        """
        items = tuple(items)
        timeout = self._feedback_timeout if timeout is None else timeout
        answers = [
            answer
            for batch in self._batches(items)
            for answer in self._invoke(self._stub.FeedbackBatch, batch, timeout).results
        ]
        return batch_results(items, answers)

    def call(
        self, category: str, *, timeout: float | None = None, **options: Unpack[RouteOptions]
    ) -> AbstractContextManager[Call]:
        """Route, and measure and report what happens in the `with` statement.

        An exception is reported as the status it stands for (`routeward.calls.status_of`) and raised again. Reporting
        never hides a result or an exception.
        """
        return self._routed(category, timeout, options)

    def attempts(
        self,
        category: str,
        *,
        on: ExceptionTypes = Exception,
        timeout: float | None = None,
        **options: Unpack[RouteOptions],
    ) -> Iterator[AbstractContextManager[Call]]:
        """Route, then yield one measured call for each model to try, until one is answered.

        An exception of a type in `on` passes to the next model, and is raised where there is none left.
        """
        decision = self.route(category, timeout=timeout, **options)
        candidates = (decision, *decision.fallbacks)
        for candidate in candidates:
            call = Call(candidate, self._clock)
            yield self._measured(call, () if candidate is candidates[-1] else on)
            if call.settled:
                return

    def explain(self, decision: Decision | str, *, timeout: float | None = None) -> Explanation:
        """Ask why a decision came out as it did, given itself or by its id; a fallback is explained by its decision.

        It is explained by the numbers it was made with, as long as the server's log holds them; DecisionNotLoggedError
        says that it does not. `timeout` is by default that of feedback. Raises the errors of `routeward.errors`.
        """
        return self._explain(explanation_messages.question_about(decision), timeout)

    def explain_call(
        self, category: str, *, timeout: float | None = None, **options: Unpack[RouteOptions]
    ) -> Explanation:
        """Ask how a call would be decided now, given what `route` takes. Nothing is decided, and nothing is written.

        It is refused where `route` would be. Raises the errors of `routeward.errors`.
        """
        call = messages.route_request(category, **options)
        return self._explain(ExplainDecisionRequest(call=call), timeout)

    def close(self) -> None:
        """Close the connection. Calls under way end with UnavailableError; safe to repeat."""
        if not self._closed and "_channel" in vars(self):
            self._channel.close()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _channel(self) -> grpc.Channel:
        target, credentials = self._endpoint.target, self._endpoint.credentials
        options = self._endpoint.options(self._service_config)
        if credentials is None:
            return grpc.insecure_channel(target, options)
        return grpc.secure_channel(target, credentials, options)

    @cached_property
    def _stub(self) -> RoutingServiceStub:
        return RoutingServiceStub(self._channel)

    @cached_property
    def _admin_stub(self) -> AdminServiceStub:
        return AdminServiceStub(self._channel)

    def _explain(self, request: ExplainDecisionRequest, timeout: float | None) -> Explanation:
        timeout = self._feedback_timeout if timeout is None else timeout
        return explanation_messages.explanation_of(self._invoke(self._admin_stub.ExplainDecision, request, timeout))

    def _invoke(
        self, method: "grpc.UnaryUnaryMultiCallable[_Request, _Response]", request: _Request, timeout: float
    ) -> _Response:
        self._check_open()
        try:
            return method(request, timeout=timeout, metadata=self._endpoint.metadata)
        except grpc.RpcError as error:
            trailers = [(datum.key, datum.value) for datum in error.trailing_metadata() or ()]
            raise error_of_status(error.code(), error.details() or "", trailers) from error

    @contextmanager
    def _routed(self, category: str, timeout: float | None, options: RouteOptions) -> Iterator[Call]:
        call = Call(self.route(category, timeout=timeout, **options), self._clock)
        with self._measured(call, ()):
            yield call

    @contextmanager
    def _measured(self, call: Call, passed_on: ExceptionTypes) -> Iterator[Call]:
        call.start()
        try:
            yield call
        except BaseException as error:
            self._report(call, call.end(error))
            if call.settled or not isinstance(error, passed_on):
                raise
        else:
            self._report(call, call.end(None), raising=self._raise_report_errors)

    def _report(self, call: Call, outcome: Outcome, *, raising: bool = False) -> None:
        try:
            self.feedback(call.decision, outcome)
        except RoutewardError as error:
            if raising:
                raise
            self._not_reported(call, error)
