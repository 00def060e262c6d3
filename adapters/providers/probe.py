"""One small call to a model, to see whether it is there and how fast."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, NamedTuple

from adapters.providers.answer_stream import HttpAnswerStream
from adapters.providers.chat import Timeouts, Usage
from adapters.providers.errors import ProviderError, RequestRefusedError
from adapters.providers.provider import HttpProvider

MAX_OUTPUT_TOKENS: Final = 16
_MESSAGES: Final = [{"role": "user", "content": "Say OK."}]
_LIMIT, _NEW_LIMIT = "max_tokens", "max_completion_tokens"


class Probed(NamedTuple):
    """How a call went; times in seconds, None is unknown. `error` is None where the answer was whole."""

    latency_s: float
    first_token_s: float | None = None
    usage: Usage = Usage()
    finish_reason: str = ""
    request_id: str = ""
    error: ProviderError | None = None


async def probe(provider: HttpProvider, timeouts: Timeouts, clock_s: Callable[[], float]) -> Probed:
    """Call a model once, streaming; `clock_s` never goes back. Models that want the newer name of the limit get it."""
    probed = await _called(provider, timeouts, clock_s, _LIMIT)
    if isinstance(probed.error, RequestRefusedError) and _LIMIT in (probed.error.param, *str(probed.error).split("'")):
        return await _called(provider, timeouts, clock_s, _NEW_LIMIT)
    return probed


async def _called(provider: HttpProvider, timeouts: Timeouts, clock_s: Callable[[], float], limit: str) -> Probed:
    began_s, first_token_s, usage, finish_reason, request_id = clock_s(), None, Usage(), "", ""
    try:
        async with _stream(provider, {"messages": _MESSAGES, limit: MAX_OUTPUT_TOKENS}, timeouts) as stream:
            request_id = stream.request_id
            async for chunk in stream:
                if chunk.has_token and first_token_s is None:
                    first_token_s = clock_s() - began_s
                usage = chunk.usage or usage
                finish_reason = chunk.finish_reason or finish_reason
    except ProviderError as error:
        return Probed(clock_s() - began_s, first_token_s, usage, finish_reason, request_id or error.request_id, error)
    return Probed(clock_s() - began_s, first_token_s, usage, finish_reason, request_id)


@asynccontextmanager
async def _stream(provider: HttpProvider, body: Any, timeouts: Timeouts) -> AsyncIterator[HttpAnswerStream]:
    async with aclosing(await provider.stream(body, timeouts)) as stream:
        yield stream
