"""The nonces that name decisions."""

import os
from collections.abc import Callable
from typing import Final

from server.tokens import NONCE_BYTES, TIME_BYTES

RANDOM_BYTES: Final = NONCE_BYTES - TIME_BYTES
POOL_BYTES: Final = 1024 * RANDOM_BYTES


class Nonces:
    """Makes nonces that begin with the time, so that rows keyed by them are appended rather than scattered.

    The rest is random. It is drawn from the system for many nonces at once: each such call lets other threads run
    first. The clock, in microseconds, is an argument.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._pool = b""
        self._used = 0

    def __call__(self) -> bytes:
        """Return a nonce of 12 bytes."""
        start, end = self._used, self._used + RANDOM_BYTES
        if end > len(self._pool):
            self._pool, start, end = os.urandom(POOL_BYTES), 0, RANDOM_BYTES
        self._used = end
        milliseconds = self._clock() // 1000 % (1 << 8 * TIME_BYTES)
        return milliseconds.to_bytes(TIME_BYTES, "big") + self._pool[start:end]
