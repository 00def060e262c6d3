"""Bodies that are compressed although nobody asked for it, in bounded pieces: a small body may stand for a huge one."""

import zlib
from collections.abc import Iterator
from typing import Final

from adapters.providers.errors import MalformedAnswerError

PIECE_BYTES: Final = 65536
"""What is decompressed at once."""

_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS


class Inflater:
    """Decompresses one body of gzip or deflate, which arrives in parts. It keeps what is not yet read, compressed."""

    __slots__ = ("_decompressor",)

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(wbits=_ZLIB_OR_GZIP)

    def pieces(self, part: bytes) -> Iterator[bytes]:
        """Yield what a part stands for, at most `PIECE_BYTES` at once. Raises MalformedAnswerError."""
        while True:
            try:
                piece = self._decompressor.decompress(part, PIECE_BYTES)
            except zlib.error:
                raise MalformedAnswerError("the answer cannot be decompressed") from None
            if self._decompressor.unused_data:
                raise MalformedAnswerError("the answer goes on behind its compressed part")
            if piece:
                yield piece
            part = self._decompressor.unconsumed_tail
            if not part and len(piece) < PIECE_BYTES:
                return

    def finish(self) -> None:
        """Say that no part follows. Raises MalformedAnswerError where one is missing."""
        if not self._decompressor.eof:
            raise MalformedAnswerError("the answer is compressed, and its end is missing")


def inflater(encoding: str) -> Inflater | None:
    """Return what decompresses a body of this `Content-Encoding`; None where it is plain. Raises MalformedAnswerError.

    Only identity is asked for. gzip and deflate are understood all the same, since proxies are known to ignore that.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return Inflater()
        case _:
            raise MalformedAnswerError("the answer is compressed in a way that was not asked for")
