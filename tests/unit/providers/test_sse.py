"""Server-sent events, read by the rules of the standard."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.errors import AnswerTooLargeError
from adapters.providers.formats.chat_format import ServerSentEvent
from adapters.providers.sse import EventParser

LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"data:", b"event: e", b"event", b": note", b"id: 1", b"", b"x"]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
STREAM = (
    b"\xef\xbb\xbfevent: first\r\ndata: one\r\n\r\n: a comment\n\ndata: two\ndata:  lines \n\n"
    b"event: nameless data\n\ndata\r\rid: 7\ndata: \xc3\xa4\xff:\n\ndata: never ended\n"
)
EVENTS = [
    ServerSentEvent(b"one", "first"),
    ServerSentEvent(b"two\n lines "),
    ServerSentEvent(b""),
    ServerSentEvent(b"\xc3\xa4\xff:"),
]


def parsed(*pieces: bytes) -> list[ServerSentEvent]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def by_the_book(stream: bytes) -> list[ServerSentEvent]:
    """The algorithm of the standard, one step after the other, on a whole stream."""
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]
    events, data, name = [], b"", ""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if line == b"":
            events += [ServerSentEvent(data[:-1], name)] if data else []
            data, name = b"", ""
        elif field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value.decode()
    return events


def test_a_stream_is_read_as_the_standard_says():
    assert parsed(STREAM) == EVENTS


def test_a_stream_split_at_every_byte_is_the_same():
    assert parsed(*(bytes([byte]) for byte in STREAM)) == EVENTS


def test_an_event_is_returned_with_the_piece_that_ends_it():
    parser = EventParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"") == []
    assert parser.feed(b"\n") == [ServerSentEvent(b"a")]


def test_a_line_feed_in_the_next_piece_belongs_to_the_carriage_return_before_it():
    assert parsed(b"data: a\r", b"\ndata: b\r", b"", b"\n\r", b"\n") == [ServerSentEvent(b"a\nb")]


def test_other_separators_of_text_end_no_line():
    data = "a\x0bb\x0cc\x1cd\x85e\u2028f".encode()
    assert parsed(b"data: " + data + b"\n\n") == [ServerSentEvent(data)]


@given(st.lists(st.tuples(LINES, ENDS)), st.booleans(), st.lists(st.integers(0, 200)))
def test_any_stream_cut_anywhere_gives_what_the_standard_gives(lines, has_mark, cuts):
    stream = (b"\xef\xbb\xbf" if has_mark else b"") + b"".join(line + end for line, end in lines)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert parsed(*pieces) == by_the_book(stream)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: 01234567890"],
        [b"data: 0123", b"4567890"],
        [b"data: 012\n", b"data: 345\n", b"data: 678\n\n"],
        [b": a comment without an end", b" and on and on"],
        [b"data\n" * 11],
    ],
)
def test_an_event_beyond_the_limit_is_too_large(pieces):
    parser = EventParser(limit=10)
    with pytest.raises(AnswerTooLargeError, match="10 bytes"):
        list(map(parser.feed, pieces))


def test_the_limit_is_of_one_event_and_not_of_the_stream():
    parser = EventParser(limit=20)
    events = [event for _ in range(1000) for event in parser.feed(b"data: 0123456789\n\n")]
    assert events == [ServerSentEvent(b"0123456789")] * 1000
