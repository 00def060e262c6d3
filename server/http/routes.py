"""What is served at which path, and what every request goes through: credential, limits, errors, figures, log."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from structlog.typing import FilteringBoundLogger

from server.credentials import CredentialError, Credentials, Principal
from server.edge import EVERYONE, MAX_MESSAGE_BYTES, Method
from server.errors import ApiKeyInvalidError, DefectError, ServiceError
from server.gateway.chats import CallFailedError, Chats
from server.http.call_headers import KEY, PARAMS, PREFIX
from server.http.chat_replies import REQUEST_ID, failed_headers, shown
from server.http.chat_requests import ChatRequests
from server.http.completions import Completions
from server.http.contract_json import ContractMethod
from server.http.dialect import Dialect
from server.http.exchange import JSON, Events, Incoming, Reply
from server.http.figures import HttpFigures
from server.http.messages.counting import count_tokens
from server.http.messages.dialect import MessagesDialect
from server.http.model_list import PATH as MODELS
from server.http.model_list import ModelList
from server.http.offer import Offer
from server.http.openai_dialect import OpenAIDialect
from server.http.openai_errors import ApiError, RequestError, of_provider, of_service
from server.settings import Settings

OTHER: Final = "other"
"""Stands for every path that is not served."""

DESCRIPTION: Final = Path(__file__).with_name("openapi.json")

ANTHROPIC_KEY: Final = "x-api-key"

OPENAI: Final = OpenAIDialect()
ANTHROPIC: Final = MessagesDialect()

Handler = Callable[[Incoming, bytes, Principal], Awaitable[Reply | Events]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path with the method that it takes, empty for any; POST has a body of at most `max_body_bytes`.

    `params` are the names that fields of a call have there; failures are told in the `dialect`.
    """

    path: str
    handler: Handler
    method: str = "GET"
    max_body_bytes: int = 0
    is_open: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = OPENAI


@dataclass(frozen=True, slots=True)
class EdgeSources:
    """What makes two runs differ: the clock in microseconds, and ids of incidents."""

    clock: Callable[[], int]
    incident: Callable[[], str]


class Routes:
    """Answers requests. Without `credentials` everyone is the same, which only loopback may be.

    `methods` are those of the routing service, of which Route and Feedback are served.
    """

    def __init__(
        self,
        chats: Chats,
        methods: Iterable[Method],
        settings: Settings,
        fingerprint_key: bytes,
        *,
        credentials: Credentials | None,
        figures: HttpFigures,
        log: FilteringBoundLogger,
        sources: EdgeSources,
        offer: Offer | None = None,
    ) -> None:
        self._credentials = credentials
        self._figures = figures
        self._log = log
        self._incident = sources.incident
        self._is_ready = True
        offer = offer or Offer.of(settings)
        requests = ChatRequests(settings, fingerprint_key, offer)
        completions, messages = (
            Completions(chats, requests, sources.clock, self._explain, dialect) for dialect in (OPENAI, ANTHROPIC)
        )
        models = ModelList(offer, sources.clock() // 1_000_000)
        named = {method.name: ContractMethod(method).answer for method in methods}
        most = settings.gateway.max_body_bytes
        self._routes = {
            route.path: route
            for route in (
                Route("/v1/chat/completions", completions.answer, "POST", most, params=PARAMS),
                Route("/v1/messages", messages.answer, "POST", most, params=PARAMS, dialect=ANTHROPIC),
                Route("/v1/messages/count_tokens", count_tokens, "POST", most, dialect=ANTHROPIC),
                Route("/v1/route", named["Route"], "POST", MAX_MESSAGE_BYTES),
                Route("/v1/feedback", named["Feedback"], "POST", MAX_MESSAGE_BYTES),
                Route(MODELS, models.list_all),
                Route("/livez", self._live, is_open=True),
                Route("/healthz", self._live, is_open=True),
                Route("/readyz", self._ready, is_open=True),
                Route("/openapi.json", _description, is_open=True),
            )
        }
        self._model = Route(f"{MODELS}/{{model}}", models.get)
        self._nowhere = Route(OTHER, self._nothing, method="", is_open=True)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Everything that is served."""
        return (*self._routes.values(), self._model)

    def drain(self) -> None:
        """Answer from now on that other replicas should be asked."""
        self._is_ready = False

    async def answer(self, incoming: Incoming) -> Reply | Events:
        """Return what is answered; nothing is raised but what cancels the request."""
        started = perf_counter()
        route, status = self._route(incoming.path), "cancelled"
        try:
            _check_method(route, incoming.method)
            caller = EVERYONE if route.is_open else self._caller(incoming)
            body = await self._body(route, incoming)
            answer = await route.handler(incoming, body, caller)
            status = str(answer.status) if isinstance(answer, Reply) else "200"
        except Exception as error:  # noqa: BLE001 - the one place that keeps defects from the caller, and logs them
            api_error = self._explain(error, route.params)
            status = str(api_error.status)
            self._log.debug("refused", route=route.path, status=api_error.status, code=api_error.code)
            told = {**failed_headers(error.attempts)} if isinstance(error, CallFailedError) else {}
            if request_id := shown(incoming.headers.get(f"{PREFIX}request-id", "")):
                told[REQUEST_ID] = request_id
            return Reply(api_error.status, route.dialect.error(api_error), {**api_error.headers, **told})
        else:
            return answer
        finally:
            self._figures.answered(route.path, status, perf_counter() - started)

    def refused(self, status: int, message: str) -> Reply:
        """Return what is answered to bytes that are no request."""
        self._figures.answered(OTHER, str(status), 0.0)
        return Reply(status, OPENAI.error(RequestError(status, message, "malformed_http").api_error))

    def _route(self, path: str) -> Route:
        return self._routes.get(path) or (self._model if path.startswith(f"{MODELS}/") else self._nowhere)

    async def _nothing(self, _incoming: Incoming, _body: bytes, _caller: Principal) -> Reply:
        known = ", ".join(one.path for one in self.routes)
        raise RequestError(404, f"nothing is served at this path; there are {known}", "unknown_path")

    def _caller(self, incoming: Incoming) -> Principal:
        headers = incoming.headers
        if self._credentials is None:
            # Whatever page a browser shows could spend this machine's money.
            if incoming.method == "POST" and "origin" in headers:
                raise RequestError(403, "pages in browsers may not call a gateway without API keys", "origin_refused")
            return EVERYONE
        try:
            return self._credentials.authenticate(_authorization(headers))
        except CredentialError as error:
            raise ApiKeyInvalidError from error

    async def _body(self, route: Route, incoming: Incoming) -> bytes:
        if route.method != "POST":
            return b""
        media_type = incoming.headers.get("content-type", "")
        if media_type != JSON and media_type.partition(";")[0].strip().lower() != JSON:
            raise RequestError(415, f"send JSON, and  content-type: {JSON}", "unsupported_media_type")
        if incoming.headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestError(415, "send the body as it is, without content-encoding", "unsupported_encoding")
        return await incoming.read(route.max_body_bytes)

    def _explain(self, error: Exception, params: Mapping[str, str] = PARAMS) -> ApiError:
        """Return what a caller is told."""
        if isinstance(error, RequestError):
            return error.api_error
        if isinstance(error, ServiceError):
            return of_service(error, params)
        if isinstance(error, CallFailedError):
            return of_provider(error.error, error.attempts[-1].model)
        incident = self._incident()
        self._log.error("defect", incident=incident, exc_info=error)
        return of_service(DefectError(incident))

    async def _live(self, _incoming: Incoming, _body: bytes, _caller: Principal) -> Reply:
        return _health(200, "live")

    async def _ready(self, _incoming: Incoming, _body: bytes, _caller: Principal) -> Reply:
        return _health(200, "ready") if self._is_ready else _health(503, "draining")


def _check_method(route: Route, method: str) -> None:
    if route.method not in ("", method) and not (method == "HEAD" and route.method == "GET"):
        allow = {"allow": route.method}
        raise RequestError(405, f"{route.path} takes {route.method}", "method_not_allowed", allow)


def _authorization(headers: Mapping[str, str]) -> str | None:
    """Return the credential; Anthropic's clients send theirs in a header of its own."""
    key = headers.get(KEY)
    if key is None and "authorization" not in headers:
        key = headers.get(ANTHROPIC_KEY)
    return headers.get("authorization") if key is None else f"Bearer {key}"


def _health(status: int, what: str) -> Reply:
    return Reply(status, json.dumps({"status": what}).encode("ascii"))


async def _description(_incoming: Incoming, _body: bytes, _caller: Principal) -> Reply:
    return Reply(200, DESCRIPTION.read_bytes())
