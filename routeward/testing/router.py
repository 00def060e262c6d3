"""A real gRPC server on this machine, for tests."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Self

import grpc

from routeward.clock import Clock, SystemClock
from routeward.decisions import Decision
from routeward.errors import RoutewardError
from routeward.signals import Signal
from routeward.testing.failures import failure
from routeward.testing.routing import FakeRouting, Outage
from routeward.v1 import routing_service_pb2 as pb
from routeward.v1.routing_service_pb2_grpc import add_RoutingServiceServicer_to_server

_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class FakeRouter:
    """A routeward server that decides what a test tells it to, and keeps what it is told.

    It holds requests to the contract's rules and counts one vote per decision and signal, but learns nothing. It
    listens on a port that the system chooses, from the beginning of its `with` statement to the end:

        with FakeRouter({"summarization": ["small", "large"]}) as router, Client(router.target) as client:
            assert client.route("summarization").model == "small"

    Parameters
    ----------
    models
        The model for every category, or for each category one or several: the first is chosen, the others are
        fallbacks. The category "default" stands for those that are not named.
    api_key
        The only key it lets in. Default: it lets everyone in.
    credentials
        Of a TLS server. Default: not encrypted.
    clock
        Tells when signals without an observed_time arrive.
    """

    def __init__(
        self,
        models: str | Mapping[str, str | Sequence[str]],
        *,
        api_key: str | None = None,
        credentials: grpc.ServerCredentials | None = None,
        clock: Clock | None = None,
    ) -> None:
        table = {"default": models} if isinstance(models, str) else models
        lists = {name: [one] if isinstance(one, str) else list(one) for name, one in table.items()}
        self._routing = FakeRouting(lists, api_key, clock or SystemClock())
        self._credentials = credentials
        self._server: grpc.Server | None = None
        self._port = 0

    @property
    def target(self) -> str:
        """Address to give to a client."""
        return f"127.0.0.1:{self._port}"

    @property
    def attempts(self) -> int:
        """How many calls have arrived, refused and repeated ones included."""
        return self._routing.attempts

    @property
    def route_requests(self) -> Sequence[pb.RouteRequest]:
        """What was asked and answered, oldest first."""
        return tuple(self._routing.route_requests)

    @property
    def feedback_requests(self) -> Sequence[pb.FeedbackRequest]:
        """What was reported and kept, oldest first."""
        return tuple(self._routing.feedback_requests)

    def signals(self, decision: Decision | str) -> Mapping[str, Signal]:
        """Return the signals that count for a decision, by name: "outcome", "thumb", "score:<name>".

        Raises KeyError for a decision that is not this server's.
        """
        decision_id = decision.decision_id if isinstance(decision, Decision) else decision
        return self._routing.votes[decision_id].counted

    @contextmanager
    def failing(
        self,
        error: type[RoutewardError],
        *,
        method: Literal["Route", "Feedback", "FeedbackBatch"] | None = None,
        times: int | None = None,
        retry_after_s: float | None = None,
    ) -> Iterator[None]:
        """Make calls fail within the `with` statement, so that a client raises `error`.

        All of them, or those of one `method`; `times` limits how many, where each attempt of a client counts, and
        without it clients are told not to repeat. `DeadlineExceededError` stands for an answer that never comes.
        Raises ValueError for an error that no server answers with.
        """
        failure(error)
        self._routing.outage = Outage(error, method, times, retry_after_s)
        try:
            yield
        finally:
            self._routing.outage = None

    def start(self) -> None:
        """Begin to listen; on the same port as before, if it did before."""
        server = grpc.server(ThreadPoolExecutor(max_workers=8), options=_OPTIONS)
        add_RoutingServiceServicer_to_server(self._routing, server)
        if self._credentials is None:
            self._port = server.add_insecure_port(self.target)
        else:
            self._port = server.add_secure_port(self.target, self._credentials)
        server.start()
        self._server = server

    def stop(self) -> None:
        """Stop listening and end calls under way. What was kept stays; safe to repeat."""
        if self._server is not None:
            self._server.stop(grace=0.5).wait()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
