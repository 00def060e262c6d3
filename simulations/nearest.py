"""Which name was meant by one that is not known."""

from collections.abc import Collection
from difflib import get_close_matches
from itertools import islice
from typing import Final

SHOWN: Final = 20


def nearest(name: str, known: Collection[str]) -> str:
    """Return the names most like `name`, for a message; where none is, the first of all."""
    near = get_close_matches(name, known, n=3) or list(islice(known, SHOWN))
    more = f" and {len(known) - SHOWN} more" if len(near) == SHOWN < len(known) else ""
    return ", ".join(near) + more
