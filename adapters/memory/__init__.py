"""The store in memory: for tests and simulations, with the semantics of the one on disk."""

from adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
