"""Structured logs: one JSON object per line, or key=value where a person reads along. Never a prompt or a key."""

import atexit
import io
import logging
import os
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

LEVELS: Final = ("debug", "info", "warning", "error")

MAX_WAITING: Final = 10_000
"""Lines that wait for stderr at most."""

DRAIN_S: Final = 1.0
"""How long the end of the process waits for what was logged last."""


def logger(stream: TextIO | None = None, *, level: str = "info") -> FilteringBoundLogger:
    """Return a logger of what is at least of `level`, one of LEVELS.

    It writes to `stream`, or else to stderr, but behind: callers never wait for whoever reads that.
    """
    out = stream or sys.stderr
    lines = _BestEffort(out) if stream else _Behind(out)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _headed,
        _line(out),
    ]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, lines)),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
    return log


class _BestEffort(io.TextIOBase):
    """Loses a line where the stream cannot take it: a full disk must not end the service that reports it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Behind(_BestEffort):
    """Writes in a thread of its own, since a pipe that nobody reads blocks whoever writes to it.

    A line that finds no room is lost. What waits when the process ends is written, unless the stream blocks.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: SimpleQueue[str | Event] = SimpleQueue()
        Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self._drain)

    def write(self, text: str) -> int:
        """Have a line written, if there is room."""
        if self._waiting.qsize() < MAX_WAITING:
            self._waiting.put(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a line is on its way."""

    def _drain(self) -> None:
        written = Event()
        self._waiting.put(written)
        written.wait(DRAIN_S)

    def _run(self) -> None:
        while True:
            waiting = self._waiting.get()
            if isinstance(waiting, Event):
                waiting.set()
                continue
            # Past the stream's buffer, whose lock a write that blocks would hold while the process wants to end.
            with suppress(OSError, ValueError):
                line = memoryview(waiting.encode("utf-8", "backslashreplace"))
                while line:
                    line = line[os.write(self._stream.fileno(), line) :]


def _headed(_log: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {"timestamp": event["timestamp"], "level": event["level"], "event": event["event"], **event}


def _line(out: TextIO) -> Processor:
    return structlog.processors.KeyValueRenderer() if out.isatty() else structlog.processors.JSONRenderer()
