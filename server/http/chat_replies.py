"""What a caller is told of who answered, and how the parts of an answer are framed."""

from collections.abc import Mapping, Sequence
from typing import Final

from bandit.signals import Kind
from server.gateway.chats import Attempt, Served
from server.http.call_headers import PREFIX

DECISION_ID: Final = f"{PREFIX}decision-id"
MODEL: Final = f"{PREFIX}model"
CATEGORY: Final = f"{PREFIX}category"
KIND: Final = f"{PREFIX}kind"
EXPECTED_COST_USD: Final = f"{PREFIX}expected-cost-usd"
ATTEMPTS: Final = f"{PREFIX}attempts"
PROVIDER_REQUEST_ID: Final = f"{PREFIX}provider-request-id"
REQUEST_ID: Final = "x-request-id"

DONE: Final = b"data: [DONE]\n\n"
MAX_HEADER_CHARACTERS: Final = 256

_KINDS: Final = {kind: kind.name for kind in Kind}


def event(data: bytes) -> bytes:
    """Return a server-sent event; data of several lines stays one event."""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(data.splitlines())
    return b"data: " + data + b"\n\n"


def served_headers(served: Served) -> dict[str, str]:
    """Return the headers of an answer."""
    decision, attempts, forecast_usd, request_id = served
    decision_id, model, _ = attempts[-1]
    return {
        DECISION_ID: decision_id,
        MODEL: model,
        CATEGORY: decision.token.category,
        KIND: _KINDS[decision.kind if decision_id == decision.id else Kind.FALLBACK],
        EXPECTED_COST_USD: f"{forecast_usd:.9g}",
        ATTEMPTS: str(len(attempts)),
        REQUEST_ID: shown(decision.call.request_id) or decision.nonce.hex(),
        **provider_header(request_id),
    }


def failed_headers(attempts: Sequence[Attempt]) -> Mapping[str, str]:
    """Return the headers of a failure after attempts."""
    last = attempts[-1]
    return {
        DECISION_ID: last.decision_id,
        MODEL: last.model,
        ATTEMPTS: str(len(attempts)),
        **provider_header(last.error.request_id if last.error else ""),
    }


def provider_header(request_id: str) -> Mapping[str, str]:
    """Return what the provider calls the request, where that can stand in a header."""
    return {PROVIDER_REQUEST_ID: request_id} if shown(request_id) else {}


def shown(text: str) -> str:
    """Return a text that can stand in a header; empty where it cannot."""
    return text if len(text) <= MAX_HEADER_CHARACTERS and text.isascii() and text.isprintable() else ""
