"""Answers as OpenAI's API gives them: a `chat.completion`, or the `chat.completion.chunk`s of a stream.

https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.providers.chat import Answer, Chunk, Usage

STOP: Final = "stop"
LENGTH: Final = "length"
TOOL_CALLS: Final = "tool_calls"
CONTENT_FILTER: Final = "content_filter"

# `json.dumps` makes an encoder for each call that wants no spaces, which costs more than to encode a chunk.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class Told(NamedTuple):
    """What other APIs tell about an answer: its id, when it was made (seconds since 1970), by which model."""

    id: str
    created: int
    model: str


class Choice(NamedTuple):
    """One answer of a model, with its `tool_calls` as OpenAI writes them."""

    text: str
    reasoning: str
    tool_calls: Sequence[Mapping[str, Any]]
    finish_reason: str


class Spent(NamedTuple):
    """What was used, and how many of the output tokens were thoughts; None is unknown."""

    usage: Usage = Usage()
    reasoning_tokens: int | None = None


def tool_call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    """Return a call of a tool; `arguments` is JSON."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def compact(value: Any) -> str:
    """Return JSON without spaces, in ASCII, so that half of a surrogate pair gets through as it came."""
    return _ENCODER.encode(value)


def completion(told: Told, choices: Sequence[Choice], spent: Spent, request_id: str) -> Answer:
    """Return a whole answer; its finish reason is that of the first choice."""
    body: dict[str, Any] = {
        "id": told.id,
        "object": "chat.completion",
        "created": told.created,
        "model": told.model,
        "choices": [_choice(index, choice) for index, choice in enumerate(choices)],
    }
    if (usage := _usage(spent)) is not None:
        body["usage"] = usage
    return Answer(compact(body).encode(), spent.usage, choices[0].finish_reason, request_id)


def _choice(index: int, choice: Choice) -> dict[str, Any]:
    content = choice.text if choice.text or not choice.tool_calls else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = choice.tool_calls
    return {"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason}


def _usage(spent: Spent) -> dict[str, Any] | None:
    """Return OpenAI's account of the tokens; None where it could not be filled."""
    prompt, cached, output, _ = spent.usage
    if prompt is None or output is None:
        return None
    account: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    if cached is not None:
        account["prompt_tokens_details"] = {"cached_tokens": cached}
    if spent.reasoning_tokens is not None:
        account["completion_tokens_details"] = {"reasoning_tokens": spent.reasoning_tokens}
    return account


class ChunkWriter:
    """Writes the chunks of one stream; `index` is that of the choice."""

    __slots__ = ("_head",)

    def __init__(self, told: Told) -> None:
        self._head = (
            f'{{"id":{compact(told.id)},"object":"chat.completion.chunk","created":{told.created},'
            f'"model":{compact(told.model)},"choices":['
        )

    def role(self, index: int = 0) -> Chunk:
        """Return the first chunk of a choice, which says nothing yet."""
        return Chunk(self._data('{"role":"assistant","content":""}', index))

    def text(self, text: str, index: int = 0) -> Chunk:
        """Return a part of the text."""
        return Chunk(self._data(f'{{"content":{compact(text)}}}', index), has_token=True)

    def reasoning(self, text: str, index: int = 0) -> Chunk:
        """Return a part of the thoughts."""
        return Chunk(self._data(f'{{"reasoning_content":{compact(text)}}}', index), has_token=True)

    def tool_call(self, position: int, call: Mapping[str, Any], index: int = 0) -> Chunk:
        """Return a call of a tool, or its beginning; `position` counts the calls of a choice."""
        return Chunk(self._data(compact({"tool_calls": [{"index": position, **call}]}), index), has_token=True)

    def arguments(self, position: int, part: str, index: int = 0) -> Chunk:
        """Return a part of the arguments of a call."""
        return self.tool_call(position, {"function": {"arguments": part}}, index)

    def finish(self, reason: str, index: int = 0) -> Chunk:
        """Return the end of a choice."""
        return Chunk(self._data("{}", index, f'"{reason}"'), finish_reason=reason)

    def usage(self, spent: Spent) -> Chunk:
        """Return the last chunk, which has no choices."""
        data = f'{self._head}],"usage":{compact(_usage(spent))}}}'
        return Chunk(data.encode(), usage=spent.usage, has_choices=False)

    def _data(self, delta: str, index: int, reason: str = "null") -> bytes:
        choice = f'{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{reason}}}'
        return f"{self._head}{choice}]}}".encode()
