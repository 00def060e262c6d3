"""What stands between a service and its database and can fall silent, as a network does that drops every packet."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

CHUNK: Final = 65_536

T = TypeVar("T")


class Silence:
    """Forwards connections on loopback to a port there, from a thread of its own. `close` it at the end.

    While it is silent, nothing passes either way, no connection ends, and new ones are taken and not heard.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._passes = asyncio.Event()
        self._passes.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._forward, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def fall(self) -> None:
        """Let nothing pass."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def end(self) -> None:
        """Let everything pass, what waited first."""
        self._loop.call_soon_threadsafe(self._passes.set)

    def close(self) -> None:
        """End every connection."""
        self._do(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _closed(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passes.wait()
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                await self._passes.wait()
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
