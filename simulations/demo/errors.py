"""Errors of the demo, beside those of every simulation.

SimulationError
└── ServerFailedError    the server that the demo started did not do its part
"""

from simulations.errors import SimulationError


class ServerFailedError(SimulationError):
    """The server that the demo started did not do its part; the text ends with the last lines of its log."""
