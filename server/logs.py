"""Structured logs: one JSON object per line, or key=value where a person reads along. Never a prompt or a key."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger


def logger(stream: TextIO | None = None, *, level: str = "info") -> FilteringBoundLogger:
    """Return a logger that writes to `stream`, by default stderr. `level` is debug, info, warning or error."""
    out = stream or sys.stderr
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _headed,
        _line(out),
    ]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
    return log


def _headed(_log: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {"timestamp": event["timestamp"], "level": event["level"], "event": event["event"], **event}


def _line(out: TextIO) -> Processor:
    return structlog.processors.KeyValueRenderer() if out.isatty() else structlog.processors.JSONRenderer()
