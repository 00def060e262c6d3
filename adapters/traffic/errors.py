"""Errors of reading logs. Each message says what to do.

TrafficError
├── LogError              a log cannot be read, or holds nothing to learn from
│   └── MissingExtraError its format needs an optional package
├── ExportError           decisions cannot be written, or an export not be continued
│   └── ExportBusyError   another export writes there
└── WarmStartError        a warm start cannot be read or written
"""


class TrafficError(Exception):
    """A file with earlier traffic, or what was made of one, cannot be used."""


class LogError(TrafficError):
    """A log cannot be read, or holds nothing to learn from."""


class MissingExtraError(LogError):
    """The log's format needs an optional package."""


class ExportError(TrafficError):
    """Decisions cannot be written, or an export cannot be continued."""


class ExportBusyError(ExportError):
    """Another export writes there."""


class WarmStartError(TrafficError):
    """A warm start cannot be read or written."""
