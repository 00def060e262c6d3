"""Server-sent events as they arrive, by the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from typing import Final

from adapters.providers.errors import AnswerTooLargeError
from adapters.providers.formats.chat_format import ServerSentEvent

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""What is read of one event, a picture in base64 included."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class EventParser:
    """Reads one stream, cut into pieces anywhere. An event that no blank line ends is dropped, as the rules say.

    Nothing is decoded here: data may hold bytes that are no UTF-8.
    """

    __slots__ = ("_after_cr", "_at_start", "_data", "_event", "_limit", "_open", "_size")

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._open = bytearray()  # the line that has no end yet
        self._data: list[bytes] = []
        self._size = 0  # bytes in _data
        self._event = ""
        self._at_start = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that a piece completes. Raises AnswerTooLargeError beyond the limit of one event."""
        if not piece:
            return []
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._after_cr = piece.endswith(b"\r")
        lines = piece.splitlines()  # of bytes: at CRLF, CR and LF, as the rules want it, and nowhere else
        rest = lines.pop() if lines and not piece.endswith((b"\n", b"\r")) else b""
        if lines and self._open:
            lines[0] = bytes(self._open) + lines[0]
            self._open.clear()
        events = self._events(lines)
        self._open += rest
        self._check(self._size + len(self._open))
        return events

    def _events(self, lines: list[bytes]) -> list[ServerSentEvent]:
        if lines and self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        events = []
        for line in lines:
            if line:
                self._field(line)
                continue
            if self._data:
                events.append(ServerSentEvent(b"\n".join(self._data), self._event))
                self._data, self._size = [], 0
            self._event = ""
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._size += len(value) + 1
            self._check(self._size)
            self._data.append(value)
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode("utf-8", "replace")

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise AnswerTooLargeError(f"one event of the stream is larger than {self._limit} bytes")
