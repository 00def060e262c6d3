"""What a caller is told of who answered, and how the parts of an answer are framed."""

from collections.abc import Mapping, Sequence
from typing import Final

from bandit.signals import Kind
from server.gateway.chats import Attempt, Served
from server.http.call_headers import PREFIX

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
    decision = served.decision
    is_first = served.decision_id == decision.id
    return {
        f"{PREFIX}decision-id": served.decision_id,
        f"{PREFIX}model": served.model,
        f"{PREFIX}category": decision.question.request.category,
        f"{PREFIX}kind": _KINDS[decision.kind if is_first else Kind.FALLBACK],
        f"{PREFIX}expected-cost-usd": f"{served.forecast_usd:.9g}",
        f"{PREFIX}attempts": str(len(served.attempts)),
        "x-request-id": decision.call.request_id or decision.nonce.hex(),
        **provider_header(served.request_id),
    }


def failed_headers(attempts: Sequence[Attempt]) -> Mapping[str, str]:
    """Return the headers of a failure after attempts."""
    last = attempts[-1]
    return {
        f"{PREFIX}decision-id": last.decision_id,
        f"{PREFIX}model": last.model,
        f"{PREFIX}attempts": str(len(attempts)),
        **provider_header(last.error.request_id if last.error else ""),
    }


def provider_header(request_id: str) -> Mapping[str, str]:
    """Return what the provider calls the request, where that can stand in a header."""
    fits = 0 < len(request_id) <= MAX_HEADER_CHARACTERS and request_id.isascii() and request_id.isprintable()
    return {f"{PREFIX}provider-request-id": request_id} if fits else {}
