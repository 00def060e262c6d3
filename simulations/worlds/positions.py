"""Places in a run as people write them: a number of requests, a share of the run, or a time from its start."""

import math
import re
from fractions import Fraction
from typing import Annotated, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from adapters.toml.kinds import Rule

RULE: Final = Rule(
    'a number of requests like 1500, a share of the run like "33%" or "1/3", or a time like "90s" or "2h"'
)
_SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SHARE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)%|(\d{1,9})/(\d{1,9})")
_TIME: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(s|min|h|d)")


class Position(NamedTuple):
    """A place in a run; one of the three is not None. A share is in [0, 1]."""

    requests: int | None = None
    share: Fraction | None = None
    seconds: float | None = None

    def within(self, steps: int, time_us: NDArray[np.int64]) -> int:
        """Return the first request at or after this place, counted from 0; more than `steps` is past the end.

        A share is rounded down to a request.
        """
        if self.share is not None:
            return math.floor(self.share * steps)
        if self.seconds is not None:
            place = int(np.searchsorted(time_us, self.seconds * 1e6))
            is_past = place == steps and self.seconds * 1e6 > time_us[-1]
            return steps + 1 if is_past else place
        return self.requests or 0


def position_of(value: object) -> Position:
    """Read a place. Raises PydanticCustomError for what is none."""
    if isinstance(value, Position):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Position(requests=value)
    if isinstance(value, str):
        if (found := _SHARE.fullmatch(value)) and int(found[3] or 1):
            share = Fraction(found[1]) / 100 if found[1] else Fraction(int(found[2]), int(found[3]))
            if share <= 1:
                return Position(share=share)
        elif found := _TIME.fullmatch(value):
            return Position(seconds=float(found[1]) * _SECONDS[found[2]])
    raise PydanticCustomError("position", "no place in a run")


Place = Annotated[Position, PlainValidator(position_of), RULE]
