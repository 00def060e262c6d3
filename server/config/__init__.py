"""The configuration: one TOML file and a variable of the environment, validated whole.

Nothing else in the service reads files of settings or the environment. `schema` says what may stand in the file,
`lines` where it stands, `explain` and `checks` what is wrong with it, `build` makes the settings of it.
"""

from server.config.load import TOKEN_KEYS_VARIABLE, load
from server.config.problems import ConfigError, Problem

__all__ = ["TOKEN_KEYS_VARIABLE", "ConfigError", "Problem", "load"]
