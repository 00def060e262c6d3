"""What a server keeps of a shared store on its own disk, for a start while that does not answer."""

from collections.abc import Mapping
from typing import NamedTuple

from adapters.ledger import StoredSums
from adapters.registry import Registry


class Saved(NamedTuple):
    """What was learned of each namespace, and the registry that decisions were made by."""

    namespaces: Mapping[str, StoredSums] = {}
    registry: Registry = Registry()
