"""The asynchronous client: the twin of `routeward.client`."""
# ruff: noqa: ASYNC109  (a timeout is the deadline that gRPC sends to the server, not only a wait to give up)

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

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

if TYPE_CHECKING:
    from routeward.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from routeward.v1.routing_service_pb2_grpc import RoutingServiceAsyncStub

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class AsyncClient(BaseClient):
    """Asks a routeward server for decisions and reports how they went, without blocking the event loop.

    It connects at its first call and belongs to that call's event loop. Close it, or use it in an `async with`
    statement. Its methods are those of `routeward.Client`.
    """

    async def route(self, category: str, *, timeout: float | None = None, **options: Unpack[RouteOptions]) -> Decision:
        """Ask which model should serve a call: see `Client.route`."""
        request = messages.route_request(category, **options)
        timeout = self._route_timeout if timeout is None else timeout
        try:
            response = await self._invoke(self._stub.Route, request, timeout)
        except (UnavailableError, DeadlineExceededError) as error:
            decision = self._without_server(error, category, options)
            if decision is None:
                raise
            return decision
        return messages.decision_of(response)

    async def feedback(
        self, decision: Decision | str, *signals: Signal, rater: str = "", timeout: float | None = None
    ) -> FeedbackResult:
        """Report what was observed about a decision: see `Client.feedback`."""
        feedback = Feedback(decision, signals, rater)
        if made_alone(feedback):
            return FeedbackResult()
        request = messages.feedback_request(feedback, self._clock.now())
        timeout = self._feedback_timeout if timeout is None else timeout
        return messages.feedback_result(await self._invoke(self._stub.Feedback, request, timeout))

    async def feedback_batch(
        self, items: Iterable[Feedback], *, timeout: float | None = None
    ) -> tuple[FeedbackResult | RoutewardError, ...]:
        """Report about many decisions: see `Client.feedback_batch`."""
        items = tuple(items)
        timeout = self._feedback_timeout if timeout is None else timeout
        answers = [
            answer
            for batch in self._batches(items)
            for answer in (await self._invoke(self._stub.FeedbackBatch, batch, timeout)).results
        ]
        return batch_results(items, answers)

    def call(
        self, category: str, *, timeout: float | None = None, **options: Unpack[RouteOptions]
    ) -> AbstractAsyncContextManager[Call]:
        """Route, and measure and report what happens in the `async with` statement: see `Client.call`.

        A cancelled call is reported in the background, so that cancelling waits for nothing; `close` waits for it.
        """
        return self._routed(category, timeout, options)

    async def attempts(
        self,
        category: str,
        *,
        on: ExceptionTypes = Exception,
        timeout: float | None = None,
        **options: Unpack[RouteOptions],
    ) -> AsyncIterator[AbstractAsyncContextManager[Call]]:
        """Route, then yield one measured call for each model to try: see `Client.attempts`."""
        decision = await self.route(category, timeout=timeout, **options)
        candidates = (decision, *decision.fallbacks)
        for candidate in candidates:
            call = Call(candidate, self._clock)
            yield self._measured(call, () if candidate is candidates[-1] else on)
            if call.settled:
                return

    async def explain(self, decision: Decision | str, *, timeout: float | None = None) -> Explanation:
        """Ask why a decision came out as it did: see `Client.explain`."""
        return await self._explain(explanation_messages.question_about(decision), timeout)

    async def explain_call(
        self, category: str, *, timeout: float | None = None, **options: Unpack[RouteOptions]
    ) -> Explanation:
        """Ask how a call would be decided now: see `Client.explain_call`."""
        call = messages.route_request(category, **options)
        return await self._explain(ExplainDecisionRequest(call=call), timeout)

    async def close(self) -> None:
        """Wait for reports in the background, then close the connection. Safe to repeat."""
        await asyncio.gather(*self._reports)
        if not self._closed and "_channel" in vars(self):
            await self._channel.close()
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @cached_property
    def _reports(self) -> set[asyncio.Task[None]]:
        """Reports in the background; the event loop itself keeps only weak references."""
        return set()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        target, credentials = self._endpoint.target, self._endpoint.credentials
        options = self._endpoint.options(self._service_config)
        if credentials is None:
            return grpc.aio.insecure_channel(target, options)
        return grpc.aio.secure_channel(target, credentials, options)

    @cached_property
    def _stub(self) -> "RoutingServiceAsyncStub":
        return RoutingServiceStub(self._channel)

    @cached_property
    def _admin_stub(self) -> "AdminServiceAsyncStub":
        return AdminServiceStub(self._channel)

    async def _explain(self, request: ExplainDecisionRequest, timeout: float | None) -> Explanation:
        timeout = self._feedback_timeout if timeout is None else timeout
        response = await self._invoke(self._admin_stub.ExplainDecision, request, timeout)
        return explanation_messages.explanation_of(response)

    async def _invoke(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]", request: _Request, timeout: float
    ) -> _Response:
        self._check_open()
        try:
            return await method(request, timeout=timeout, metadata=self._endpoint.metadata)
        except grpc.aio.AioRpcError as error:
            trailers = tuple(error.trailing_metadata() or ())
            raise error_of_status(error.code(), error.details() or "", trailers) from error

    @asynccontextmanager
    async def _routed(self, category: str, timeout: float | None, options: RouteOptions) -> AsyncIterator[Call]:
        call = Call(await self.route(category, timeout=timeout, **options), self._clock)
        async with self._measured(call, ()):
            yield call

    @asynccontextmanager
    async def _measured(self, call: Call, passed_on: ExceptionTypes) -> AsyncIterator[Call]:
        call.start()
        try:
            yield call
        except Exception as error:
            await self._report(call, call.end(error))
            if call.settled or not isinstance(error, passed_on):
                raise
        except BaseException as error:
            self._report_soon(call, call.end(error))
            raise
        else:
            await self._report(call, call.end(None), raising=self._raise_report_errors)

    async def _report(self, call: Call, outcome: Outcome, *, raising: bool = False) -> None:
        try:
            await self.feedback(call.decision, outcome)
        except RoutewardError as error:
            if raising:
                raise
            self._not_reported(call, error)

    def _report_soon(self, call: Call, outcome: Outcome) -> None:
        report = asyncio.get_running_loop().create_task(self._report(call, outcome))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)
