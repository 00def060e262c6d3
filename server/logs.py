"""Structured logs: one JSON object per line, or key=value where a person reads along. Never a prompt or a key."""

import io
import logging
import sys
from contextlib import suppress
from typing import Final, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

LEVELS: Final = ("debug", "info", "warning", "error")


def logger(stream: TextIO | None = None, *, level: str = "info") -> FilteringBoundLogger:
    """Return a logger that writes to `stream`, by default stderr, what is at least of `level`, one of LEVELS."""
    out = stream or sys.stderr
    best_effort = _BestEffort(out)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _headed,
        _line(out),
    ]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, best_effort)),
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


def _headed(_log: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {"timestamp": event["timestamp"], "level": event["level"], "event": event["event"], **event}


def _line(out: TextIO) -> Processor:
    return structlog.processors.KeyValueRenderer() if out.isatty() else structlog.processors.JSONRenderer()
