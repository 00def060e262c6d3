"""The fields of a request beside its messages and tools: which formats translate, which are hints, what is refused.

A field is never dropped in silence when that could change the answer. There are three kinds:

* translated: the format says in its own words what the field says;
* hints: they help OpenAI to run its service, or the answer to come sooner or to be found again. Left out;
* everything else, unknown fields included: refused, unless the value is the one that says nothing (`NEUTRAL`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from adapters.providers.chat import Body
from adapters.providers.errors import RequestRefusedError, UnsupportedRequestError

OF_THE_CALL: Final = frozenset({"model", "stream", "stream_options"})
"""Said by the call itself, not by the body."""

TRANSLATED: Final = frozenset(
    {
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "response_format",
        "reasoning_effort",
    }
)
"""What every format translates."""

HINTS: Final = frozenset(
    {
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "service_tier",
        "seed",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    }
)
"""`seed` is one by OpenAI's own words: best effort, no guarantee. Who the user is stays here: it may be a name."""

NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "modalities": (["text"],),
    "verbosity": ("medium",),
    "functions": ([],),
}
"""The values, besides null, that a field may have which cannot be translated."""

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

MAX_CHOICES: Final = 128
"""Answers to one request, by OpenAI's own reference."""

_JSON_OBJECT: Final = "json_object"


class JsonMode(NamedTuple):
    """The answer has to be JSON: one object, or what the schema allows."""

    schema: Mapping[str, Any] | None = None


def wrong(param: str, reason: str) -> RequestRefusedError:
    """Return the error for a field that is wrong whatever the model."""
    return RequestRefusedError(f"{param} {reason}", code="invalid_value", param=param)


def unsupported(param: str, reason: str) -> UnsupportedRequestError:
    """Return the error for a field that another model may understand."""
    return UnsupportedRequestError(f"{param} {reason}", code="unsupported_parameter", param=param)


def check_fields(body: Body, translated: frozenset[str] = frozenset()) -> None:
    """Raise UnsupportedRequestError for the first field that would be lost; `translated` are those beyond the usual."""
    for name, value in body.items():
        known = name in TRANSLATED or name in HINTS or name in OF_THE_CALL or name in translated
        if not (known or value is None or value in NEUTRAL.get(name, ())):
            raise unsupported(name, "is nothing that this model's API can be told")


def number(body: Body, name: str, low: float, high: float) -> float | None:
    """Return a number within a range; None where it is not given."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not low <= value <= high:
        raise wrong(name, f"must be a number from {low:g} to {high:g}")
    return float(value)


def integer(body: Body, name: str, low: int, high: int) -> int | None:
    """Return a whole number within a range; None where it is not given."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise wrong(name, f"must be a whole number from {low} to {high}")
    return value


def max_tokens(body: Body) -> int | None:
    """Return the bound of the answer, thoughts included; None where none is given."""
    newer = integer(body, "max_completion_tokens", 1, 2**31 - 1)
    older = integer(body, "max_tokens", 1, 2**31 - 1)
    return older if newer is None else newer


def choices(body: Body) -> int:
    """Return how many answers are wanted."""
    return integer(body, "n", 1, MAX_CHOICES) or 1


def stops(body: Body) -> list[str]:
    """Return the texts that end the answer."""
    value = body.get("stop")
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise wrong("stop", "must be a string or a list of strings, none of them empty")
    return texts


def reasoning_effort(body: Body) -> str | None:
    """Return one of `EFFORTS`; None where the model's own is wanted."""
    value = body.get("reasoning_effort")
    if value is not None and value not in EFFORTS:
        raise wrong("reasoning_effort", f"must be one of {', '.join(EFFORTS)}")
    return value


def json_mode(body: Body) -> JsonMode | None:
    """Return whether, and by which schema, the answer has to be JSON; None where text is wanted."""
    wanted = body.get("response_format")
    kind = "text" if wanted is None else wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return None
    if kind == _JSON_OBJECT:
        return JsonMode()
    if kind != "json_schema" or wanted is None:
        raise wrong("response_format.type", "must be text, json_object or json_schema")
    described = wanted.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise wrong("response_format.json_schema.schema", "must be an object")
    return JsonMode(schema)
