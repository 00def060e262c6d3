"""What servers that speak OpenAI's format answer: bytes that stay as they are, and what has to be known of them."""

from collections.abc import Iterable
from typing import Any, Final

from adapters.providers.chat import Answer, Chunk, Usage
from adapters.providers.errors import MalformedAnswerError
from adapters.providers.formats.chat_format import ServerSentEvent
from adapters.providers.formats.failures import Report, explained, reported, typed
from adapters.providers.json_text import count, dollars, field, read, text

_DONE: Final = b"[DONE]"


def answer(content: bytes, request_id: str) -> Answer:
    """Read a whole answer, as `ChatFormat.answer`."""
    document = read(content)
    first = _first_choice(document)
    _raise_reported(document, first, request_id)
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        raise MalformedAnswerError("the provider sent JSON that is no chat completion", request_id=request_id)
    return Answer(content, usage(document) or Usage(), text(first.get("finish_reason")), request_id)


def usage(document: Any) -> Usage | None:
    """Return what an answer or a chunk says was used; None where it does not say."""
    stated = field(document, "usage") or field(document, "x_groq", "usage")
    if not isinstance(stated, dict):
        return None
    inputs, cached = count(stated.get("prompt_tokens")), _cached(stated)
    return Usage(
        input_tokens=inputs,
        cached_input_tokens=None if inputs is None or cached is None else min(inputs, cached),
        output_tokens=count(stated.get("completion_tokens")),
        cost_usd=dollars(stated.get("cost")),  # OpenRouter's
    )


def _cached(stated: dict[str, Any]) -> int | None:
    """Return what was read from the cache, which DeepSeek and Moonshot tell by names of their own."""
    known = count(field(stated, "prompt_tokens_details", "cached_tokens"))
    for name in ("prompt_cache_hit_tokens", "cached_tokens"):
        if known is None and name in stated:
            known = count(stated[name])
    return known


class OpenAIDecoder:
    """Reads one stream. It is complete with `[DONE]`, or, as some servers leave that out, when each choice ended:
    all that began, and as many as are wanted.
    """

    __slots__ = ("_choices", "_done", "_finished", "_seen")

    def __init__(self, choices: int = 1) -> None:
        self._choices = choices
        self._done = False
        self._seen: set[int] = set()
        self._finished: set[int] = set()

    @property
    def is_complete(self) -> bool:
        """Whether the end of the answer was seen."""
        if self._done:
            return bool(self._seen)
        return len(self._finished) >= self._choices and self._seen == self._finished

    def feed(self, event: ServerSentEvent) -> Iterable[Chunk]:
        """Return what an event says, as `StreamDecoder.feed`."""
        if event.data.startswith(_DONE):
            self._done = True
            return ()
        if event.event == "error":
            raise typed(200, explained(event.data))
        document = read(event.data)
        _raise_reported(document, _first_choice(document), "")
        choices = field(document, "choices")
        if not isinstance(document, dict) or not isinstance(choices, list | None):
            raise MalformedAnswerError("the provider sent an event that is no part of a chat completion")
        has_token, finish_reason = False, ""
        for choice in choices or ():
            has_token = self._read_choice(choice) or has_token
            finish_reason = finish_reason or text(choice.get("finish_reason"))
        return (Chunk(event.data, has_token, finish_reason, usage(document), bool(choices)),)

    def _read_choice(self, choice: Any) -> bool:
        """Note where a choice stands; return whether it brings something of the answer, which a mere role is not."""
        index = choice.get("index", 0) if isinstance(choice, dict) else None
        if not isinstance(index, int):
            raise MalformedAnswerError("the provider sent a choice that is none")
        self._seen.add(index)
        if choice.get("finish_reason"):
            self._finished.add(index)
        delta = choice.get("delta")
        return isinstance(delta, dict) and any(value and name != "role" for name, value in delta.items())


def _first_choice(document: Any) -> Any:
    choices = document.get("choices") if isinstance(document, dict) else None
    return choices[0] if isinstance(choices, list) and choices else None


def _raise_reported(document: Any, first: Any, request_id: str) -> None:
    report = reported(document)
    if report is None and isinstance(first, dict):
        # OpenRouter tells within a choice that the model's own provider failed.
        report = reported(first) or (Report() if first.get("finish_reason") == "error" else None)
    if report is not None:
        raise typed(200, report, request_id=request_id)
