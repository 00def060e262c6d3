"""The configuration: one TOML file and a variable of the environment, validated whole.

Nothing else in the service reads files of settings or the environment. `schema` says what may stand in the file,
`checks` what is wrong between its parts, `build` makes the settings of it.
"""

from adapters.toml.problems import ConfigError, Problem
from server.config.load import TOKEN_KEYS_VARIABLE, load

__all__ = ["TOKEN_KEYS_VARIABLE", "ConfigError", "Problem", "load"]
