"""How a failed call looks to a client of Anthropic: `{"type": "error", "error": {...}}`."""

import json
from collections.abc import Mapping
from typing import Final

from adapters.providers.formats.anthropic_words import ERROR_STATUSES
from server.http.exchange import Document
from server.http.openai_errors import ApiError

_TYPES: Final[Mapping[int, str]] = {status: kind for kind, status in ERROR_STATUSES.items()} | {503: "overloaded_error"}


def error_body(error: ApiError) -> bytes:
    """Return the JSON; `details` hold the code and the field, as Anthropic's clients read the former."""
    kind = _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    details: Document = {"error_code": error.code}
    if error.param:
        details["param"] = error.param
    told = {"type": kind, "message": error.message, "details": details}
    return json.dumps({"type": "error", "error": told}).encode("ascii")
