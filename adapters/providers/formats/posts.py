"""Requests to providers: what lets them in, and where those go that are not in OpenAI's format."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from adapters.providers.endpoint import Endpoint
from adapters.providers.json_text import written
from adapters.providers.transport import HttpRequest

_JSON: Final = "application/json"


def headers_of(endpoint: Endpoint, own: Mapping[str, str], *, stream: bool) -> Mapping[str, str]:
    """Return the headers of a request, of which `own` are those of the format. What the operator configured wins."""
    configured = {name.lower(): value for name, value in endpoint.headers.items()}
    return {"content-type": _JSON, "accept": "text/event-stream" if stream else _JSON, **own, **configured}


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
    key = {key_header: endpoint.key.reveal()} if endpoint.key else {}
    sent = headers_of(endpoint, {**(headers or {}), **key}, stream=stream)
    queries = "&".join(part for part in (query, urlencode(endpoint.query)) if part)
    has_version = endpoint.base_url.endswith(tuple(f"/{version}" for version in versions))
    address = endpoint.base_url + ("" if has_version else f"/{versions[0]}") + path
    return HttpRequest(f"{address}?{queries}" if queries else address, sent, written(body))
