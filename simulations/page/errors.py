"""Errors of the report. Each message says what to do.

PageError
├── DocumentError       a file is no result of `routeward evaluate` or `routeward replay`, or a field of it is wrong
├── MissingPlotlyError  the page needs an optional package; JSON and CSV do not
└── NotWrittenError     a file cannot be written
"""

from simulations.errors import SimulationError


class PageError(SimulationError):
    """A report cannot be made."""


class DocumentError(PageError):
    """A document is no result, or a field of it is wrong."""


class MissingPlotlyError(PageError):
    """The page needs an optional package."""


class NotWrittenError(PageError):
    """A file cannot be written."""
