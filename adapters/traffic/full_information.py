"""Tables in which several models answered each prompt: long, an answer a row, or wide as RouterBench, a prompt a row.

Such a table becomes the log of a router that chose evenly among the models that answered a prompt: their probabilities
are 1/K, and the prompt is the session, because its answers belong together.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.fields import Column, Layout
from adapters.traffic.generic import COLUMNS, call_of, present
from adapters.traffic.log import LogReport
from adapters.traffic.plan import Plan, first
from adapters.traffic.reading import Found, Reading
from adapters.traffic.rows import BROKEN, Record, Row
from adapters.traffic.source import Source
from bandit.signals import SCORE_PREFIX, Kind

LONG: Final[Layout] = {**COLUMNS, "prompt_id": (Column("prompt_id"),)}
COST: Final = "|total_cost"
WIDE: Final[Layout] = {"prompt_id": (Column("sample_id"),), "category": (Column("eval_name"),)}
_SOURCE: Final = f"{SCORE_PREFIX}quality"


def matches(columns: frozenset[str]) -> bool:
    """Return whether a table has answers of several models to each prompt."""
    return is_wide(columns) or ({"prompt_id", "model"} <= columns and not {"propensity", "probabilities"} & columns)


def is_wide(columns: frozenset[str]) -> bool:
    """Return whether models have columns: one for the score, and one for the cost."""
    return "sample_id" in columns and any(column.endswith(COST) for column in columns)


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the calls of a table."""
    columns = frozenset[str]().union(*(file.columns for file in source.files))
    if is_wide(columns):
        return _wide(source, reading)
    return _long(source, reading, Plan.of(present(reading.layout(LONG), columns)))


def _long(source: Source, reading: Reading, plan: Plan) -> Iterator[Found]:
    """Read twice: who answered a prompt is known after the first time."""
    answered: dict[str, frozenset[str]] = {}
    kept: dict[frozenset[str], frozenset[str]] = {}
    for found in _answers(source, Reading(LogReport("")), plan):
        among = answered.get(found.call.session, frozenset()) | {found.call.model}
        answered[found.call.session] = kept.setdefault(among, among)
    chances = {among: _even(among) for among in kept}
    for found in _answers(source, reading, plan):
        yield found._replace(call=_drawn(found.call, chances[answered[found.call.session]]))


def _answers(source: Source, reading: Reading, plan: Plan) -> Iterator[Found]:
    def read(row: Row) -> tuple[Call, tuple[str, ...]]:
        prompt = cells.text(plan.first(row, "prompt_id")[1])
        if not prompt:
            raise ValueError("prompt_id is missing")
        call, sources = call_of(row, plan, reading)
        if not sources and call.latency_s is call.cost_usd is call.output_tokens is call.status is None:
            raise ValueError("nothing is known of the answer")
        return call._replace(session=prompt), sources

    return reading.usable(source.records(), read)


def _wide(source: Source, reading: Reading) -> Iterator[Found]:
    layout = reading.layout(WIDE)
    for record in source.records():
        answers = _row_of_answers(record, reading, layout)
        even = _even(frozenset(call.model for call in answers))
        for call in answers:
            yield Found(record, _drawn(call, even), () if call.quality is None else (_SOURCE,))


def _row_of_answers(record: Record, reading: Reading, layout: Layout) -> list[Call]:
    row, answers = record.row, list[Call]()
    try:
        if record.row is BROKEN:
            raise ValueError("not a row of the log's format")
        prompt = cells.name("sample_id", first(row, layout["prompt_id"])[1], mended=True)
        column, cell = first(row, layout["category"])
        category = reading.category(column.path, cell)
    except ValueError as error:
        reading.reject(str(error), record)
        return []
    for column_of_cost in (column for column in row if column.endswith(COST)):
        try:
            answer = _answer(row, column_of_cost, Call(category, "", session=prompt), reading)
        except ValueError as error:
            reading.reject(str(error), record)
        else:
            answers.extend([] if answer is None else [answer])
    return answers


def _answer(row: Row, column_of_cost: str, prompt: Call, reading: Reading) -> Call | None:
    """Return what one model answered; None where nothing is known of it."""
    column = column_of_cost.removesuffix(COST)
    score = cells.number("a score", row.get(column), 0.0, 1.0)
    cost = cells.number("a cost", row[column_of_cost], 0.0, 1e6)
    if score is cost is None:
        return None
    quality = None if score is None else reading.quality({_SOURCE: score})
    return prompt._replace(model=cells.name("model", column, mended=True), quality=quality, cost_usd=cost)


def _drawn(call: Call, chances: Mapping[str, float]) -> Call:
    return call._replace(
        call_id=f"{call.session} {call.model}",
        kind=Kind.SAMPLED,
        propensity=chances[call.model],
        probabilities=chances,
    )


def _even(models: frozenset[str]) -> Mapping[str, float]:
    return dict.fromkeys(sorted(models), 1.0 / len(models)) if models else {}
