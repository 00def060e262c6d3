"""What can be said about every key of the configuration file."""

from typing import Final

from adapters.toml.reference import Reference
from server.config.schema import Document

REFERENCE: Final = Reference(Document)
