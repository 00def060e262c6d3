"""grpc.health.v1: who may be sent what.

"" and the routing service serve while the server accepts calls, because Route needs nothing but memory;
FEEDBACK serves while feedback can be stored or spooled. The servicer that comes with grpcio-health-checking forgets
watchers of a service when one of them leaves, so this is our own.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse

ROUTING: Final = "routeward.v1.RoutingService"
FEEDBACK: Final = "routeward.v1.FeedbackService"
"""A name for health checks only: feedback is a method of the routing service."""

Context = grpc.aio.ServicerContext[bytes, bytes]


class Health:
    """Answers health checks. Nothing serves before `start`, and nothing after `stop`."""

    def __init__(self) -> None:
        self._serving = dict.fromkeys(("", ROUTING, FEEDBACK), False)
        self._stopped = False
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Say that everything serves."""
        for name in self._serving:
            self.set(name, serving=True)

    def stop(self) -> None:
        """Say that nothing serves any more, for good."""
        for name in self._serving:
            self.set(name, serving=False)
        self._stopped = True

    def set(self, name: str, *, serving: bool) -> None:
        """Say whether a service serves; watchers hear of it."""
        if self._stopped or self._serving[name] == serving:
            return
        self._serving[name] = serving
        self._changed.set()
        self._changed = asyncio.Event()

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what makes a server answer health checks."""
        service = DESCRIPTOR.services_by_name["Health"].full_name
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        return grpc.method_handlers_generic_handler(service, methods)

    async def _check(self, body: bytes, context: Context) -> bytes:
        name = await _service(body, context)
        if name not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return self._response(name)

    async def _watch(self, body: bytes, context: Context) -> AsyncIterator[bytes]:
        name = await _service(body, context)
        last = b""
        while True:
            changed, response = self._changed, self._response(name)
            if response != last:
                yield response
            last = response
            await changed.wait()

    def _response(self, name: str) -> bytes:
        serving = self._serving.get(name)
        status = HealthCheckResponse.SERVICE_UNKNOWN
        if serving is not None:
            status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        body: bytes = HealthCheckResponse(status=status).SerializeToString()
        return body


async def _service(body: bytes, context: Context) -> str:
    try:
        name: str = HealthCheckRequest.FromString(body).service
    except DecodeError:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the bytes are no HealthCheckRequest")
    return name
