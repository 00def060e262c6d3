"""Answers and chunks, read as strictly as the official client of OpenAI can, and folded as it folds them."""

import json
from collections.abc import Iterable
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from adapters.providers.chat import Chunk
from adapters.providers.formats.chat_format import ServerSentEvent, StreamDecoder


def completion(body: bytes) -> Any:
    """A `ChatCompletion`; Any, for whose tests know which of its optional parts are there."""
    return ChatCompletion.model_validate_json(body, strict=True)


def decoded(decoder: StreamDecoder, events: Iterable[Any]) -> list[Chunk]:
    return [chunk for event in events for chunk in decoder.feed(ServerSentEvent(json.dumps(event).encode()))]


def folded(chunks: Iterable[Chunk]) -> Any:
    """The completion that the official client makes of chunks."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(chunk.data, strict=True))
    return state.get_final_completion()


def said(body: Any) -> dict[str, Any]:
    """What a completion says, in the form that a stream's fold and a whole answer share."""
    [choice] = body.choices
    calls = [
        (call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()
    ]
    return {
        "text": choice.message.content or "",
        "thoughts": getattr(choice.message, "reasoning_content", None) or "",
        "calls": calls,
        "finish": choice.finish_reason,
        "usage": body.usage.model_dump(exclude_none=True) if body.usage else None,
    }
