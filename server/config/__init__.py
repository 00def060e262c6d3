"""The configuration: one TOML file and variables of the environment, validated whole.

Nothing else in the service reads files of settings or the environment. `schema` says what may stand in the file,
`checks` what is wrong between its parts, `build` makes the settings of it.
"""

from adapters.toml.problems import ConfigError, Problem
from server.config.environment import TOKEN_KEYS_VARIABLE
from server.config.load import load

__all__ = ["TOKEN_KEYS_VARIABLE", "ConfigError", "Problem", "load"]
