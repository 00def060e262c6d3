"""Requests to providers that are not OpenAI's: where they go, and what lets them in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from adapters.providers.endpoint import Endpoint
from adapters.providers.json_text import written
from adapters.providers.transport import HttpRequest

_JSON: Final = "application/json"


def post(
    endpoint: Endpoint,
    versions: Sequence[str],
    path: str,
    body: Mapping[str, Any],
    *,
    key_header: str,
    stream: bool,
    headers: Mapping[str, str] | None = None,
    query: str = "",
) -> HttpRequest:
    """Return a request with a body in JSON. What the operator configured wins; the key is never part of the URL.

    A `base_url` may end with one of the `versions` of the API, as OpenAI's do, or leave the first one out, as the
    official clients have it.
    """
    sent = {"content-type": _JSON, "accept": "text/event-stream" if stream else _JSON, **(headers or {})}
    if endpoint.key:
        sent[key_header] = endpoint.key.reveal()
    sent |= {name.lower(): value for name, value in endpoint.headers.items()}
    queries = "&".join(part for part in (query, urlencode(endpoint.query)) if part)
    has_version = endpoint.base_url.endswith(tuple(f"/{version}" for version in versions))
    address = endpoint.base_url + ("" if has_version else f"/{versions[0]}") + path
    return HttpRequest(f"{address}?{queries}" if queries else address, sent, written(body))
