"""A request for a message as a request for a chat completion."""

from typing import Any, Final

from adapters.providers.chat import MarkedBody
from adapters.providers.formats.request_fields import EFFORTS
from server.fields import MAX_TOKENS
from server.http.exchange import Document
from server.http.messages.conversation import conversation, is_marked, mark_last
from server.http.messages.fields import CARRIED, HINTS, check, flag_in, object_in
from server.http.messages.tools import tools
from server.http.prompts import refuse

_SCHEMA_NAME: Final = "answer"
"""OpenAI wants a name, which tells the model nothing."""


def chat_request(body: Document) -> Document:
    """Translate a request. Raises InvalidFieldError, which names the field as the caller wrote it."""
    prompt = prompt_request(body)
    limit = body.get("max_tokens")
    if type(limit) is not int or not 1 <= limit <= MAX_TOKENS:
        refuse("max_tokens", f"is required: a whole number from 1 to {MAX_TOKENS}")
    prompt["max_completion_tokens"] = limit
    prompt |= _sampling(body)
    if flag_in(body, "stream", ""):
        prompt["stream"] = True
    return prompt


def prompt_request(body: Document) -> Document:
    """Translate what the model reads, which is all that counting tokens takes. Raises InvalidFieldError."""
    check(body, CARRIED | HINTS)
    messages = conversation(body.get("system"), body.get("messages"))
    if cached := object_in(body, "cache_control", ""):
        mark_last(messages, cached)
    request = MarkedBody() if is_marked(messages) else {}
    request["model"] = body.get("model")
    request["messages"] = messages
    request |= tools(body)
    request |= _output(body)
    return request


def _sampling(body: Document) -> Document:
    sampling: Document = {}
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is None:
            continue
        if type(value) not in (int, float) or not 0 <= value <= 1:
            refuse(name, "is a number from 0 to 1")
        sampling[name] = value
    stops = body.get("stop_sequences")
    if stops is not None:
        if not isinstance(stops, list) or not all(isinstance(text, str) and text.strip() for text in stops):
            refuse("stop_sequences", "is a list of texts that hold more than white space")
        if stops:
            sampling["stop"] = stops
    return sampling


def _output(body: Document) -> Document:
    """Return how much is to be thought, and what form the answer has."""
    config = object_in(body, "output_config", "")
    check(config, ("effort", "format"), "output_config.")
    effort: Any = config.get("effort")
    if effort is not None and effort not in EFFORTS[2:]:
        refuse("output_config.effort", f"is one of {', '.join(EFFORTS[2:])}")
    thinking = object_in(body, "thinking", "")
    if thinking and thinking != {"type": "disabled"}:
        refuse("thinking", "is disabled or left out: only Anthropic signs thoughts; say output_config.effort instead")
    if thinking and effort:
        refuse("output_config.effort", "asks for thoughts, which `thinking` turns off; say one of them")
    wanted = effort or ("none" if thinking else None)
    output: Document = {"reasoning_effort": wanted} if wanted else {}
    form = object_in(config, "format", "output_config.")
    return output | {"response_format": _schema(form)} if form else output


def _schema(form: Document) -> Document:
    check(form, ("type", "schema"), "output_config.format.")
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        refuse("output_config.format", "has the type json_schema and an object as its schema")
    return {"type": "json_schema", "json_schema": {"name": _SCHEMA_NAME, "schema": form["schema"], "strict": True}}
