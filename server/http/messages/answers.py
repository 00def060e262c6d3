"""A chat completion as a message."""

import json
from typing import Any, Final

from adapters.providers.chat import Answer, Usage
from adapters.providers.errors import MalformedAnswerError
from adapters.providers.formats.anthropic_words import STOP_REASONS
from adapters.providers.formats.completions import STOP, TOOL_CALLS, compact
from adapters.providers.json_text import field, read, text
from server.http.exchange import Document

_TOLD_IN: Final = ("content", "refusal")


def message(answer: Answer) -> bytes:
    """Return the JSON of a message. Raises MalformedAnswerError for calls of tools that it cannot hold."""
    completion = read(answer.body)
    choice = completion["choices"][0]
    said = choice["message"]
    calls = [tool_use(call, _arguments(call)) for call in said.get("tool_calls") or ()]
    told = envelope(completion, texts(said) + calls)
    told["stop_reason"] = stop_reason(text(choice.get("finish_reason")), has_calls=bool(calls))
    told["usage"] = account(answer.usage) | {"output_tokens": answer.usage.output_tokens}
    return compact(told).encode()


def envelope(completion: Any, content: list[Document]) -> Document:
    """Return a message that says who it is of, from an answer or a chunk of one; it has not ended yet."""
    return {
        "id": text(field(completion, "id")),
        "type": "message",
        "role": "assistant",
        "model": text(field(completion, "model")),
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
    }


def texts(said: Document) -> list[Document]:
    """Return what is said in words; thoughts are not, as nobody can sign them."""
    return [text_block(words) for name in _TOLD_IN for words in _words(said.get(name))]


def _words(content: Any) -> list[str]:
    """Return texts that are not empty: Mistral's models that think say them in parts."""
    if isinstance(content, list):
        return [words for part in content if field(part, "type") == "text" and (words := text(field(part, "text")))]
    return [content] if content and isinstance(content, str) else []


def text_block(words: str) -> Document:
    """Return a block of text."""
    return {"type": "text", "text": words}


def tool_use(call: Any, arguments: Document) -> Document:
    """Return a call of a tool; what Gemini signs it with stays there, to come back with the conversation."""
    block = {
        "type": "tool_use",
        "id": text(field(call, "id")),
        "name": text(field(call, "function", "name")),
        "input": arguments,
    }
    signed = field(call, "extra_content")
    return block | {"extra_content": signed} if isinstance(signed, dict) else block


def stop_reason(finish_reason: str, *, has_calls: bool) -> str:
    """Return Anthropic's word for why the model stopped; some servers call it a stop where tools are called."""
    reason = TOOL_CALLS if has_calls and finish_reason == STOP else finish_reason
    return STOP_REASONS.get(reason, STOP_REASONS[STOP])


def account(usage: Usage) -> Document:
    """Return what the prompt used: what the cache gave is not among `input_tokens`. What is unknown is null."""
    inputs, cached = usage.input_tokens, usage.cached_input_tokens
    fresh = None if inputs is None else inputs - (cached or 0)
    return {"input_tokens": fresh, "cache_read_input_tokens": cached}


def _arguments(call: Any) -> Document:
    written = field(call, "function", "arguments") or "{}"
    try:
        arguments = json.loads(written)
    except (ValueError, TypeError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise MalformedAnswerError("the model called a tool with arguments that are no JSON object")
    return arguments
