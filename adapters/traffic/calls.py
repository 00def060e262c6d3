"""Calls of a log in one canonical form, whatever wrote it: by the row, and in batches of columns.

Every format has a reader that turns its rows into `Call`s; everything that is computed from a log starts from `Calls`.
Unknown is None in a `Call`, NaN or -1 in `Calls`, and never zero.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.signals import Kind, Status

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BATCH: Final = 10_000
"""Calls in memory at a time."""
UNKNOWN: Final = -1
"""Stands for what is not known in a column of integers."""


class Call(NamedTuple):
    """One call of a log; None, or an empty text, is unknown.

    `time_us` is that of the decision, in microseconds since 1970-01-01 UTC. `propensity` is the probability with which
    the model was drawn; `probabilities` are those of every model that could have been, `eligible` their names where
    only these are known. `requested_tokens` are prompt tokens as the caller counted them, `input_tokens` as the
    provider did. `quality` is in [0, 1]; `judged_us` is when that was known, `answered_us` when the outcome was.
    `session` names calls that belong together.
    """

    category: str
    model: str
    time_us: int | None = None
    call_id: str = ""
    session: str = ""
    kind: Kind | None = None
    propensity: float | None = None
    probabilities: Mapping[str, float] | None = None
    eligible: tuple[str, ...] | None = None
    answer_value_usd: float | None = None
    second_value_usd: float | None = None
    requested_tokens: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    first_token_s: float | None = None
    status: Status | None = None
    quality: float | None = None
    answered_us: int | None = None
    judged_us: int | None = None


NUMBERS: Final = (
    "propensity",
    "answer_value_usd",
    "second_value_usd",
    "requested_tokens",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_s",
    "first_token_s",
    "quality",
)
INTEGERS: Final = ("time_us", "kind", "status", "answered_us", "judged_us")


class Names:
    """Numbers names in the order in which they come. Numbers once given stay."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}

    def number(self, name: str) -> int:
        """Return the number of a name, a new one for a new name."""
        return self._numbers.setdefault(name, len(self._numbers))

    def all(self) -> tuple[str, ...]:
        """Return every name so far, by its number."""
        return tuple(self._numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """A batch of n calls in columns of shape (n,), with the fields of `Call`.

    `category` and `model` are numbers of `categories` and `models`. `session` is a hash, -1 where unknown. `drawn_from`
    is a row of `probabilities`, which has shape (D, M): the probability of each model, NaN for one that could not be
    drawn; -1 where it is unknown what could. Where the eligible models are known and their probabilities are not, a row
    has infinity for each of them.
    """

    categories: tuple[str, ...]
    models: tuple[str, ...]
    category: Ints
    model: Ints
    session: Ints
    drawn_from: Ints
    probabilities: Floats
    time_us: Ints
    kind: Ints
    status: Ints
    answered_us: Ints
    judged_us: Ints
    propensity: Floats
    answer_value_usd: Floats
    second_value_usd: Floats
    requested_tokens: Floats
    input_tokens: Floats
    cached_input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats
    latency_s: Floats
    first_token_s: Floats
    quality: Floats

    def __len__(self) -> int:
        return len(self.model)


def batches(calls: Iterable[Call], size: int = BATCH) -> Iterator[Calls]:
    """Yield calls in columns, `size` at a time. Numbers of names stay the same from batch to batch."""
    categories, models, rows = Names(), Names(), iter(calls)
    while batch := list(islice(rows, size)):
        yield columns_of(batch, categories, models)


def columns_of(batch: Sequence[Call], categories: Names, models: Names) -> Calls:
    """Return one batch in columns, numbering new names."""
    category = np.array([categories.number(call.category) for call in batch], np.int64)
    model = np.array([models.number(call.model) for call in batch], np.int64)
    drawn_from, probabilities = _distributions(batch, models)
    columns: dict[str, NDArray[Any]] = {}
    for names, kind, unknown in ((INTEGERS, np.int64, UNKNOWN), (NUMBERS, np.float64, math.nan)):
        for name in names:
            cells = (getattr(call, name) for call in batch)
            columns[name] = np.array([unknown if cell is None else cell for cell in cells], kind)
    return Calls(
        categories=categories.all(),
        models=models.all(),
        category=category,
        model=model,
        session=np.array([session_number(call.session) for call in batch], np.int64),
        drawn_from=drawn_from,
        probabilities=probabilities,
        **columns,
    )


def session_number(session: str) -> int:
    """Return the number that stands for a session, the same on every machine, and in SQL; -1 for none."""
    if not session:
        return UNKNOWN
    # JSON can hold halves of characters, of which there is no text.
    return int.from_bytes(md5(session.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:8], "big") >> 1


def _distributions(batch: Sequence[Call], models: Names) -> tuple[Ints, Floats]:
    """Return each call's row of probabilities, and the rows, each of which stands once."""
    rows: dict[tuple[tuple[int, float], ...], int] = {}
    drawn_from = np.full(len(batch), UNKNOWN, np.int64)
    for place, call in enumerate(batch):
        if call.probabilities is not None:
            known = tuple(sorted((models.number(model), p) for model, p in call.probabilities.items()))
        elif call.eligible is not None:
            known = tuple(sorted((models.number(model), math.inf) for model in call.eligible))
        else:
            continue
        drawn_from[place] = rows.setdefault(known, len(rows))
    probabilities = np.full((len(rows), len(models.all())), np.nan)
    for row, known in enumerate(rows):
        for model, probability in known:
            probabilities[row, model] = probability
    return drawn_from, probabilities
