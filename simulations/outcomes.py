"""A full-information table: what each model answered to each prompt.

Columns: prompt_id, category, model, quality (0 to 1), cost_usd (0, or 1e-12 to 1e6), latency_ms (.001 to 7 days),
input_tokens and output_tokens (0 to 1e8); others are ignored. An empty cell, NULL or NaN is unknown, and never zero.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from simulations.errors import OutcomesError
from simulations.tables import Row, table_rows

NAMES: Final = ("prompt_id", "category", "model")
NUMBERS: Final = ("quality", "cost_usd", "latency_ms", "input_tokens", "output_tokens")
COLUMNS: Final = (*NAMES, *NUMBERS)
_RANGES: Final = {
    "quality": (0.0, 1.0),
    "cost_usd": (1e-12, 1e6),
    "latency_ms": (1e-3, 7 * 86_400_000.0),
    "input_tokens": (0.0, 1e8),
    "output_tokens": (0.0, 1e8),
}


class Answer(NamedTuple):
    """One answer of one model to one prompt; None is unknown. Quality is in [0, 1]."""

    prompt_id: str
    category: str
    model: str
    quality: float | None
    cost_usd: float | None
    latency_ms: float | None
    input_tokens: float | None
    output_tokens: float | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The answers of a table, and how many of its rows were left out for what reason."""

    answers: tuple[Answer, ...]
    rejected: Mapping[str, int]

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that answered, sorted."""
        return tuple(sorted({answer.model for answer in self.answers}))


def read_outcomes(path: Path) -> Outcomes:
    """Read a table from a `.parquet` file (extra `replay`) or a `.csv` file.

    Raises OutcomesError when there is no such file, its format is another one, it lacks columns, or
    it holds no usable row. Single bad rows are left out and counted.
    """
    outcomes = outcomes_of(table_rows(path, COLUMNS))
    if not outcomes.answers:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in outcomes.rejected.items())
        raise OutcomesError(f"{path} holds no usable row ({reasons or 'it is empty'})")
    return outcomes


def outcomes_of(rows: Iterable[Row]) -> Outcomes:
    """Check rows, whose cells are in the order of `COLUMNS`; the first answer of a model to a prompt counts."""
    answers: dict[tuple[str, str], Answer] = {}
    rejected: Counter[str] = Counter()
    categories: dict[str, str] = {}
    for row in rows:
        try:
            answer = _answer(row)
        except ValueError as error:
            rejected[str(error)] += 1
            continue
        key = answer.prompt_id, answer.model
        if key in answers:
            rejected["repeated prompt_id and model"] += 1
        elif categories.setdefault(answer.prompt_id, answer.category) != answer.category:
            rejected["prompt_id in a second category"] += 1
        else:
            answers[key] = answer
    return Outcomes(tuple(answers.values()), dict(sorted(rejected.items())))


def _answer(row: Row) -> Answer:
    if len(row) != len(COLUMNS):
        raise ValueError("wrong number of cells")
    prompt_id, category, model = (_name(column, cell) for column, cell in zip(NAMES, row, strict=False))
    quality, *others = (_number(column, cell) for column, cell in zip(NUMBERS, row[len(NAMES) :], strict=True))
    return Answer(prompt_id, category, model, quality, *others)


def _name(column: str, cell: object) -> str:
    name = "" if cell is None else str(cell).strip()
    if not name:
        raise ValueError(f"{column} is empty")
    return name


def _number(column: str, cell: object) -> float | None:
    text = "" if cell is None else str(cell).strip()
    if text.lower() in {"", "nan", "null", "none"}:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{column} is not a number") from None
    low, high = _RANGES[column]
    is_free = value == 0 and column == "cost_usd"
    if not (low <= value <= high or is_free):
        raise ValueError(f"{column} is out of range")
    return value
