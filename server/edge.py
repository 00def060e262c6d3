"""Where every call enters and leaves: size, credential, parsing, errors, figures and log, in one place.

Bytes are parsed here rather than by grpc, which answers those it cannot parse, and every exception, with
UNKNOWN and the exception's text.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message
from structlog.typing import FilteringBoundLogger

from server.credentials import CredentialError, Credentials, Principal
from server.errors import ApiKeyInvalidError, DefectError, MalformedMessageError, MessageTooLargeError, ServiceError
from server.metrics import Metrics
from server.statuses import status_code, text, trailing_metadata

MAX_MESSAGE_BYTES: Final = 256 * 1024
EVERYONE: Final = Principal(is_admin=True)
"""Who calls where no key is asked for, which only loopback may be."""

Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service: its name, the type of its request, and what answers it."""

    name: str
    request: type[Message]
    answer: Callable[[Any, Principal], Awaitable[Message]]


class Edge:
    """Lets calls in and out; without credentials everyone is the same.

    `incident` makes ids that tie a client's INTERNAL to a line of the log.
    """

    def __init__(
        self, credentials: Credentials | None, metrics: Metrics, log: FilteringBoundLogger, incident: Callable[[], str]
    ) -> None:
        self._credentials = credentials
        self._metrics = metrics
        self._log = log
        self._incident = incident

    def handler(self, service: str, methods: Iterable[Method]) -> grpc.GenericRpcHandler:
        """Return what makes a server answer the methods of a service."""
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method.name: grpc.unary_unary_rpc_method_handler(self._entrance(method)) for method in methods
        }
        return grpc.method_handlers_generic_handler(service, handlers)

    def _entrance(self, method: Method) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def enter(body: bytes, context: Context) -> bytes:
            started = perf_counter()
            code = "CANCELLED"
            try:
                answer = await self._answer(method, body, context)
                if isinstance(answer, bytes):
                    code = "OK"
                    return answer
                code = answer.code.name
                self._log.debug("refused", method=method.name, code=code, reason=answer.reason)
                await context.abort(status_code(answer), text(answer), trailing_metadata(answer))
            finally:
                self._metrics.answered(method.name, code, perf_counter() - started)

        return enter

    async def _answer(self, method: Method, body: bytes, context: Context) -> bytes | ServiceError:
        try:
            caller = self._caller(context)
            if len(body) > MAX_MESSAGE_BYTES:
                return MessageTooLargeError(MAX_MESSAGE_BYTES)
            response = await method.answer(method.request.FromString(body), caller)
            return response.SerializeToString()
        except ServiceError as error:
            return error
        except DecodeError:
            return MalformedMessageError(method.name)
        except Exception:  # noqa: BLE001 - the one place that keeps defects from the client, and logs them
            incident = self._incident()
            self._log.exception("defect", method=method.name, incident=incident)
            return DefectError(incident)

    def _caller(self, context: Context) -> Principal:
        if self._credentials is None:
            return EVERYONE
        sent = next((value for key, value in context.invocation_metadata() or () if key == "authorization"), None)
        try:
            return self._credentials.authenticate(sent if isinstance(sent, str) else None)
        except CredentialError as error:
            raise ApiKeyInvalidError from error
