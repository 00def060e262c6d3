"""An answer that is under way: its beginning is there, the rest is passed on as it comes."""

from collections.abc import AsyncIterator, Callable

from adapters.providers.chat import AnswerStream, Chunk, Usage
from adapters.providers.errors import ProviderError
from server.gateway.chats import Served
from server.gateway.outcomes import Outcomes, Turn


class Beginning:
    """The chunks of a stream up to its first token, with the rest of them."""

    def __init__(self, stream: AnswerStream, clock_s: Callable[[], float]) -> None:
        self.stream = stream
        self.chunks: list[Chunk] = []
        self.first_token_s: float | None = None
        self.rest = aiter(stream)
        self._clock_s = clock_s

    async def arrive(self) -> None:
        """Wait for the first token, or for the end where there is none. Raises ProviderError."""
        async for chunk in self.rest:
            self.chunks.append(chunk)
            if chunk.has_token:
                self.first_token_s = self._clock_s()
                return


class LiveAnswer:
    """Passes an answer on (`chats.Streaming`), and settles its outcome once, when closed at the latest."""

    def __init__(self, beginning: Beginning, turn: Turn, served: Served, outcomes: Outcomes) -> None:
        self._beginning = beginning
        self._turn = turn
        self._outcomes = outcomes
        self._usage = Usage()
        self._is_usage_final = False
        self._is_finished = False
        self._is_settled = False
        self.served = served

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Yield the chunks. Raises CallFailedError where the answer breaks off."""
        for chunk in self._beginning.chunks:
            self._note(chunk)
            yield chunk
        try:
            async for chunk in self._beginning.rest:
                self._note(chunk)
                yield chunk
        except ProviderError as error:
            self._settle_failed(error)
            raise self.served.failed(error) from error
        self._settle_served()

    async def aclose(self) -> None:
        """End the answer. A caller who leaves after its last token has had all of it."""
        if self._is_finished:
            self._settle_served()
        elif not self._is_settled:
            self._is_settled = True
            self._outcomes.cancelled(self._turn, self._beginning.first_token_s, self._final_usage)
        await self._beginning.stream.aclose()

    @property
    def _final_usage(self) -> Usage:
        """What an answer used that has no end; unknown where a provider keeps counting along with its chunks."""
        return self._usage if self._is_usage_final else Usage()

    def _note(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self._usage = chunk.usage
            self._is_usage_final = not chunk.has_choices
        if chunk.finish_reason:
            self._is_finished = True

    def _settle_served(self) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._outcomes.served(self._turn, self._usage, self._beginning.first_token_s)

    def _settle_failed(self, error: ProviderError) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._outcomes.failed(self._turn, error, self._beginning.first_token_s, self._final_usage)
