"""Compressed bodies are read in pieces of a bounded size, whatever they stand for."""

import random
import zlib

import pytest

from adapters.providers.compression import PIECE_BYTES, inflater
from adapters.providers.errors import MalformedAnswerError

RNG = random.Random(3)  # noqa: S311
PLAIN = RNG.randbytes(3 * PIECE_BYTES) + bytes(2 * PIECE_BYTES)
GZIP, ZLIB = zlib.compress(PLAIN, wbits=31), zlib.compress(PLAIN)


def inflated(encoding: str, packed: bytes, part: int) -> list[bytes]:
    unpacking = inflater(encoding)
    assert unpacking
    pieces = [piece for at in range(0, len(packed), part) for piece in unpacking.pieces(packed[at : at + part])]
    unpacking.finish()
    return pieces


@pytest.mark.parametrize(("encoding", "packed"), [("gzip", GZIP), ("X-GZIP", GZIP), (" deflate ", ZLIB)])
@pytest.mark.parametrize("part", [7, PIECE_BYTES, len(PLAIN)])
def test_a_body_is_what_was_compressed_wherever_it_is_cut(encoding, packed, part) -> None:
    assert b"".join(inflated(encoding, packed, part)) == PLAIN


def test_no_piece_is_larger_than_stated() -> None:
    bomb = zlib.compress(bytes(100 * PIECE_BYTES), wbits=31)
    assert [len(piece) for piece in inflated("gzip", bomb, len(bomb))] == [PIECE_BYTES] * 100


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_plain_body_is_left_alone(encoding) -> None:
    assert inflater(encoding) is None


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "rubbish"])
def test_a_compression_that_nobody_asked_for_is_refused(encoding) -> None:
    with pytest.raises(MalformedAnswerError, match="not asked for"):
        inflater(encoding)


@pytest.mark.parametrize(
    ("packed", "wrong"),
    [
        (GZIP[:-1], "end is missing"),
        (b"", "end is missing"),
        (b"rubbish", "cannot be"),
        (GZIP + b"x", "goes on behind"),
    ],
)
def test_a_body_that_is_cut_broken_or_followed_is_refused(packed, wrong) -> None:
    with pytest.raises(MalformedAnswerError, match=wrong):
        inflated("gzip", packed, PIECE_BYTES)
