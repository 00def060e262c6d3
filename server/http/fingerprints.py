"""Names the kind of a task by what its requests have in common, without keeping any of it."""

import hashlib
from functools import lru_cache

from server.fields import FINGERPRINT_BYTES, FINGERPRINT_PREFIX
from server.http.prompts import Prompt


class Fingerprints:
    """Fingerprints under one key, of 16 to 64 bytes, which replicas share.

    They are keyed because short prompts can be guessed, and each namespace has its own: what two tenants have in common
    does not show.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._keyed = lru_cache(maxsize=1024)(self._key_of)

    def of(self, namespace: str, prompt: Prompt) -> str:
        """Return the fingerprint of system prompt and tool names; empty where there is neither."""
        if not prompt.system and not prompt.tools:
            return ""
        hashed = self._keyed(namespace).copy()
        for texts in (prompt.system, prompt.tools):
            hashed.update(b"%d:" % len(texts))
            for text in texts:
                raw = text.encode("utf-8")
                hashed.update(b"%d:" % len(raw))
                hashed.update(raw)
        return FINGERPRINT_PREFIX + hashed.hexdigest()

    def _key_of(self, namespace: str) -> "hashlib.blake2b":
        own = hashlib.blake2b(namespace.encode("ascii"), key=self._key).digest()
        return hashlib.blake2b(key=own, digest_size=FINGERPRINT_BYTES)
