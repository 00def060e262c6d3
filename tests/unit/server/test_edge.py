"""What the edge does to calls, apart from any socket."""

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from routeward.v1 import routing_service_pb2 as pb
from server.credentials import Credentials, make_key
from server.edge import MAX_MESSAGE_BYTES, Edge, Method
from server.errors import ProfileUnknownError
from server.settings import ApiKey

LEAK = "sk-very-secret"


class AbortedError(Exception):
    """What a context raises when a call is ended with an error."""


class Context:
    """The part of a grpc context that the edge uses."""

    def __init__(self, *metadata):
        self.metadata = metadata
        self.code, self.text = None, ""
        self.trailing: tuple[tuple[str, bytes], ...] = ()

    def invocation_metadata(self):
        return self.metadata

    async def abort(self, code, text, trailing):
        self.code, self.text, self.trailing = code, text, trailing
        raise AbortedError

    @property
    def reason(self):
        info = ErrorInfo()
        assert Status.FromString(dict(self.trailing)["grpc-status-details-bin"]).details[0].Unpack(info)
        return info.reason


@pytest.fixture
def edge_of(parts, log):
    def build(*keys):
        return Edge(Credentials(keys) if keys else None, parts.metrics, log.logger, lambda: "incident-1")

    return build


def entrance(edge, answer):
    return edge._entrance(Method("Route", pb.RouteRequest, answer))


async def echo(message, caller):
    return pb.RouteResponse(model=f"{caller.namespace}/{message.category}")


async def fail(message, caller):
    raise ValueError(f"{LEAK} for {message.category} of {caller}")


async def refuse(_message, _caller):
    raise ProfileUnknownError("cheap")


async def call(enter, body, *metadata):
    context = Context(*metadata)
    try:
        return pb.RouteResponse.FromString(await enter(body, context)), context
    except AbortedError:
        return None, context


def handled(parts, code):
    return parts.metrics.registry.get_sample_value(
        "routeward_grpc_server_handled_total", {"method": "Route", "code": code}
    )


async def test_an_answer_is_counted_as_ok(edge_of, parts):
    response, _ = await call(entrance(edge_of(), echo), pb.RouteRequest(category="chat").SerializeToString())
    assert response.model == "default/chat"
    assert handled(parts, "OK") == 1.0


async def test_the_namespace_comes_from_the_key(edge_of):
    key, digest = make_key("shop", lambda size: b"x" * size)
    enter = entrance(edge_of(ApiKey("shop", digest, "acme")), echo)
    response, _ = await call(enter, b"", ("user-agent", "x"), ("authorization", f"Bearer {key}"))
    assert response.model == "acme/"


@pytest.mark.parametrize(
    "metadata", [(), (("authorization", "Bearer shop.guess"),), (("authorization", b"\xff"),), (("x-key", "a"),)]
)
async def test_without_a_known_key_nothing_is_even_parsed(edge_of, metadata):
    _, digest = make_key("shop", lambda size: b"x" * size)
    _, context = await call(entrance(edge_of(ApiKey("shop", digest)), echo), b"\xff\xff", *metadata)
    assert (context.code, context.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_bytes_that_are_no_message_are_an_invalid_argument(edge_of, parts):
    _, context = await call(entrance(edge_of(), echo), b"\xff\xff\xff")
    assert (context.code, context.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert handled(parts, "INVALID_ARGUMENT") == 1.0


async def test_a_message_beyond_the_limit_is_refused_before_it_is_parsed(edge_of):
    _, context = await call(entrance(edge_of(), fail), b"\xff" * (MAX_MESSAGE_BYTES + 1))
    assert (context.code, context.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE")


async def test_a_message_at_the_limit_is_read(edge_of):
    body = pb.RouteRequest(request_id="r" * (MAX_MESSAGE_BYTES - 4)).SerializeToString()
    assert len(body) == MAX_MESSAGE_BYTES
    response, _ = await call(entrance(edge_of(), echo), body)
    assert response is not None


async def test_a_typed_error_becomes_its_status(edge_of):
    _, context = await call(entrance(edge_of(), refuse), b"")
    assert (context.code, context.reason) == (grpc.StatusCode.NOT_FOUND, "PROFILE_UNKNOWN")


async def test_a_defect_reaches_the_log_and_of_it_only_the_incident_reaches_the_client(edge_of, log, parts):
    _, context = await call(entrance(edge_of(), fail), b"")
    assert (context.code, context.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert LEAK not in context.text + str(context.trailing)
    assert "incident-1" in context.text
    (event,) = [event for event in log.events if event["event"] == "defect"]
    assert event["incident"] == "incident-1"
    assert LEAK in event["exception"]
    assert handled(parts, "INTERNAL") == 1.0


async def test_an_answer_that_cannot_be_serialised_is_a_defect_too(edge_of):
    async def answer(_message, _caller):
        return object()

    _, context = await call(entrance(edge_of(), answer), b"")
    assert context.reason == "INTERNAL"
