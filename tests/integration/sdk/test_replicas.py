"""A client of several replicas: it knows their addresses, and one that stops is no failure."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from routeward import Client, errors
from routeward.retry import SERVICE
from routeward.testing import FakeRouter
from routeward.v1 import routing_service_pb2 as pb

TIMEOUT_S = 20.0


class Stopping:
    """Answers as a server that stops does, the first times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def route(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        if self.left:
            self.left -= 1
            context.abort(grpc.StatusCode.CANCELLED, "")
        model = pb.RouteRequest.FromString(body).category
        return bytes(pb.RouteResponse(model=model).SerializeToString())


@pytest.fixture
def stopping() -> Iterator[Callable[[int], str]]:
    with ExitStack() as stack:

        def start(times: int) -> str:
            server = grpc.server(ThreadPoolExecutor(2))
            methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
                "Route": grpc.unary_unary_rpc_method_handler(Stopping(times).route)
            }
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stack.callback(lambda: server.stop(None).wait())
            return f"127.0.0.1:{port}"

        yield start


@pytest.mark.parametrize("times", [1, 4])
def test_a_call_that_a_stopping_server_cancels_is_repeated(stopping, times):
    with Client(stopping(times), route_timeout=2.0) as client:
        assert client.route("chat").model == "chat"


def test_a_server_that_cancels_for_ever_is_unavailable(stopping):
    with Client(stopping(99), route_timeout=0.5) as client, pytest.raises(errors.UnavailableError):
        client.route("chat")


def test_replicas_share_the_calls_and_the_rest_answer_when_one_stops():
    with (
        FakeRouter({"chat": "first"}) as first,
        FakeRouter({"chat": "second"}) as second,
        Client(f"ipv4:{first.target},{second.target}", route_timeout=TIMEOUT_S) as client,
    ):
        while {"first", "second"} - {client.route("chat").model for _ in range(4)}:
            continue  # connections are made one after the other
        first.stop()
        assert {client.route("chat").model for _ in range(10)} == {"second"}
        first.start()
        while client.route("chat").model != "first":
            continue
