"""Objects of JSON: by the line, in an array, or one that is the whole file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from adapters.traffic.errors import LogError
from adapters.traffic.files.text import Line, lines, opened, pieces
from adapters.traffic.rows import BROKEN, Record, Row

MAX_JSON_BYTES: Final = 32_000_000
"""A longer line or element is no row. Collectors of traces write thousands of spans in one."""
MAX_DOCUMENT_BYTES: Final = 64_000_000
"""A single JSON document is read as a whole."""
_BEFORE: Final = re.compile(r"[ \t\r\n\[]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n,]*")


def json_lines(path: Path) -> Iterator[Record]:
    """Yield an object a line."""
    for number, (text, done, is_too_long) in enumerate(lines(path, MAX_JSON_BYTES), start=1):
        if text.strip():
            yield Record(BROKEN if is_too_long else _object(text), number, done)


def _object(text: str) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return BROKEN
    return row if isinstance(row, dict) else BROKEN


def json_rows(path: Path) -> Iterator[Record]:
    """Yield lines of objects, elements of an array, or the one object that the file is."""
    first = next((line for line in lines(path, MAX_JSON_BYTES) if line.text.strip()), Line("", 1.0))
    if first.text.lstrip("\ufeff \t\r\n").startswith("["):
        return _elements(path)
    is_whole = first.is_too_long or _object(first.text) is not BROKEN
    return json_lines(path) if is_whole else _document(path)


def _document(path: Path) -> Iterator[Record]:
    """Yield the object that a file is, or those that its `data` lists, as answers of services do."""
    with opened(path) as (file, _):
        content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise LogError(
            f"{path} is one JSON document over {MAX_DOCUMENT_BYTES // 1_000_000} MB; write one object a line"
        )
    try:
        document: Any = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path} is neither JSON nor lines of JSON: {error}") from error
    listed = document.get("data")
    rows = listed if isinstance(listed, list) else [document]
    for number, row in enumerate(rows, start=1):
        yield Record(row if isinstance(row, dict) else BROKEN, number, number / len(rows))


def _elements(path: Path) -> Iterator[Record]:
    """Yield the elements of an array, as much of it in memory as is read at a time."""
    decoder, text, number = json.JSONDecoder(), "", 0
    for piece, done in pieces(path):
        text, start = text + piece, 0
        while True:
            skipped = (_BETWEEN if number else _BEFORE).match(text, start)
            start = skipped.end() if skipped else start
            try:
                element, end = decoder.raw_decode(text, start)
            except (ValueError, RecursionError):
                break
            if end == len(text):  # it may go on
                break
            number, start = number + 1, end
            yield Record(element if isinstance(element, dict) else BROKEN, number, done)
        text = text[start:]
        if len(text) > MAX_JSON_BYTES:
            break
    if text.strip() != "]":
        raise LogError(f"{path}: element {number + 1} of the array is no JSON, cut or too long")
