"""Errors of the simulations. Each message says what to do.

SimulationError
├── OutcomesError            the table of outcomes cannot be used
│   ├── MissingColumnsError  it lacks columns of the schema
│   └── MissingExtraError    its format needs an optional package
├── UnknownOutcomesError     the world does not know what the objective asks about
├── OptionsError             an option has no meaning
│   ├── WorldFileError       a world file cannot be used
│   └── MissingRayError      the engine ray was asked for, and Ray is not installed
├── LogNotWrittenError       an invented log cannot be written
└── PeerError                somebody else's bandit cannot be run, or did what it must not
    └── MissingPeersError    its package is not installed
"""


class SimulationError(Exception):
    """A simulation cannot be run as asked."""


class OutcomesError(SimulationError):
    """The table of outcomes cannot be used."""


class MissingColumnsError(OutcomesError):
    """The table lacks columns of the schema."""


class MissingExtraError(OutcomesError):
    """The table's format needs an optional package."""


class UnknownOutcomesError(SimulationError):
    """The world does not know what the objective asks about."""


class OptionsError(SimulationError):
    """An option has no meaning."""


class WorldFileError(OptionsError):
    """A world file cannot be used; the message has a line, what is wrong and what to write, for everything that is."""


class MissingRayError(OptionsError):
    """The engine ray was asked for, and Ray is not installed."""


class LogNotWrittenError(SimulationError):
    """An invented log cannot be written."""


class PeerError(SimulationError):
    """Somebody else's bandit cannot be run, or did what it must not."""


class MissingPeersError(PeerError):
    """A peer's package is not installed."""
