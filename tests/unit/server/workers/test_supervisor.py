"""What a supervisor does before it replaces anybody. Its workers are real processes that end at the first order."""

import asyncio
import io
import json
import socket
from contextlib import suppress
from pathlib import Path

from server.listening import StartError
from server.logs import logger
from server.settings import ServerSettings, Settings, SpoolSettings
from server.workers.process import Command, WorkerProcess
from server.workers.sockets import Bound
from server.workers.supervisor import Supervisor

SOON_S = 20.0


class Workers(Command):
    """Starts workers that are ready at once."""

    def __init__(self) -> None:
        super().__init__((), Bound("127.0.0.1:0", (), None), 2)
        self.started: list[WorkerProcess] = []

    async def start(self, number: int) -> WorkerProcess:
        ours, its = socket.socketpair()
        with its:
            process = await asyncio.create_subprocess_exec(
                *("sh", "-c", """echo '{"ready": {}}'; head -c1 >&2"""), stdin=its.fileno(), stdout=its.fileno()
            )
        self.started.append(WorkerProcess(number, process, *await asyncio.open_connection(sock=ours)))
        return self.started[-1]


async def test_a_configuration_that_went_wrong_ends_no_worker_also_where_a_spool_keeps_two_from_overlapping():
    workers, stream, loop = Workers(), io.StringIO(), asyncio.get_running_loop()
    ready, checked = asyncio.Event(), asyncio.Queue[None]()

    def check() -> None:
        loop.call_soon_threadsafe(checked.put_nowait, None)
        raise StartError("min_free_mb is below 0")

    settings = Settings(server=ServerSettings(workers=2), spool=SpoolSettings(Path("spool.db")))
    supervisor = Supervisor(workers, check, settings, logger(stream))
    running = asyncio.create_task(supervisor.run(ready.set))
    async with asyncio.timeout(SOON_S):
        await ready.wait()
        for _ in range(2):  # the second check comes after all that follows the first
            supervisor.renew.set()
            await checked.get()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(one["event"], one.get("error")) for one in events[:2]] == [
        ("restarting_workers", None),
        ("restart_abandoned", "min_free_mb is below 0"),
    ]
    assert [one.is_running for one in workers.started] == [True, True]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await supervisor.stop(asyncio.Event())
