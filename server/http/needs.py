"""What a request needs of its model, as far as its body says."""

from typing import Final, NamedTuple

from server.fields import MAX_TOKENS
from server.http.exchange import Document
from server.http.prompts import AUDIO, FILES, Prompt, refuse

_ONLY_WHERE_DECLARED: Final = (AUDIO, FILES)
"""What no model can be assumed to read."""


class RequestNeeds(NamedTuple):
    """What is asked of the model; `max_output_tokens` is None where the request does not limit the answer."""

    input_tokens: int
    max_output_tokens: int | None
    capabilities: frozenset[str]


def needs_of(body: Document, prompt: Prompt, declared: frozenset[str]) -> RequestNeeds:
    """Return the needs of a request.

    A capability that no model declares is not required: an operator who declares none means that all have it. Sound
    and files are refused then, by InvalidFieldError, as are limits that are none.
    """
    wanted = dict(prompt.wants)
    modalities = body.get("modalities") or []
    if not isinstance(modalities, list):
        refuse("modalities", "is a list of texts")
    if "audio" in modalities:
        wanted.setdefault(AUDIO, "modalities")
    for capability in _ONLY_WHERE_DECLARED:
        if capability in wanted and capability not in declared:
            refuse(wanted[capability], f"needs a model with the capability {capability!r}, which no model declares")
    return RequestNeeds(prompt.input_tokens, _max_output_tokens(body), declared.intersection(wanted))


def _max_output_tokens(body: Document) -> int | None:
    limit = None
    for field in ("max_tokens", "max_completion_tokens"):
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_TOKENS:
            refuse(field, f"is a whole number from 1 to {MAX_TOKENS}")
        limit = value
    return limit
