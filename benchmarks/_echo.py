"""Servers that only answer, to tell what grpc itself costs: `python -m benchmarks._echo aio|sync [held|stalled]`.

Messages are parsed and serialised like those of the real service. With "held", Feedback is answered at the
next tick of a clock, as after a group commit; with "stalled" it never is, as while a disk hangs.
"""

import asyncio
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc

from benchmarks._load import FEEDBACK_RESPONSE, ROUTE_RESPONSE
from routeward.v1 import routing_service_pb2 as pb

OPTIONS = [("grpc.so_reuseport", 0)]
COMMIT_S = {"held": 0.002, "stalled": 3600.0}
THREADS = 4
HOLDING_THREADS = 32
"""Each call that waits for a commit holds one; in the measurements 16 wait at once, or 64 where nothing commits."""


class Commit:
    """Resolves what waits, every tick, on the event loop."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.waiting: list[asyncio.Future[None] | Future[None]] = []

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            batch, self.waiting = self.waiting, []
            for one in batch:
                if not one.done():
                    one.set_result(None)


def handlers(route: Any, feedback: Any) -> grpc.GenericRpcHandler:
    """Return what makes a server answer both methods with generated code."""
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Route": grpc.unary_unary_rpc_method_handler(
            route, pb.RouteRequest.FromString, pb.RouteResponse.SerializeToString
        ),
        "Feedback": grpc.unary_unary_rpc_method_handler(
            feedback, pb.FeedbackRequest.FromString, pb.FeedbackResponse.SerializeToString
        ),
    }
    return grpc.method_handlers_generic_handler("routeward.v1.RoutingService", methods)


async def serve_aio(commit: Commit | None) -> None:
    async def route(_request: pb.RouteRequest, _context: Any) -> pb.RouteResponse:
        return ROUTE_RESPONSE

    async def feedback(_request: pb.FeedbackRequest, _context: Any) -> pb.FeedbackResponse:
        if commit:
            done = asyncio.get_running_loop().create_future()
            commit.waiting.append(done)
            await done
        return FEEDBACK_RESPONSE

    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((handlers(route, feedback),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.gather(server.wait_for_termination(), *([commit.run()] if commit else []))


def serve_sync(commit: Commit | None) -> None:
    def route(_request: pb.RouteRequest, _context: Any) -> pb.RouteResponse:
        return ROUTE_RESPONSE

    def feedback(_request: pb.FeedbackRequest, _context: Any) -> pb.FeedbackResponse:
        if commit:
            done: Future[None] = Future()
            commit.waiting.append(done)
            done.result()
        return FEEDBACK_RESPONSE

    server = grpc.server(ThreadPoolExecutor(HOLDING_THREADS if commit else THREADS), options=OPTIONS)
    server.add_generic_rpc_handlers((handlers(route, feedback),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    if commit:
        threading.Thread(target=asyncio.run, args=(commit.run(),), daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    holding = Commit(COMMIT_S[sys.argv[2]]) if len(sys.argv) > 2 else None
    if sys.argv[1] == "aio":
        asyncio.run(serve_aio(holding))
    else:
        serve_sync(holding)
