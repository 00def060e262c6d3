"""Reading the own format back: row by row, and Parquet in columns."""

from collections import Counter
from collections.abc import Iterable, Iterator
from glob import escape
from importlib.util import find_spec
from typing import Final

from adapters.names import NAME
from adapters.traffic.calls import Call, Calls
from adapters.traffic.errors import LogError
from adapters.traffic.files.kinds import kind_of
from adapters.traffic.log import Progress
from adapters.traffic.own.columns import ColumnReader
from adapters.traffic.own.parquet import MEMORY
from adapters.traffic.own.rows import decision_of, is_own
from adapters.traffic.own.survey import Survey, surveyed
from adapters.traffic.reading import ANY_SOURCE, Found, Reading
from adapters.traffic.rows import Record, Row
from adapters.traffic.source import Source

SHOWN: Final = 5
"""Namespaces that a message names."""


def matches(columns: frozenset[str]) -> bool:
    """Tell whether columns are those of this format."""
    return is_own(columns)


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the calls of one namespace, which need not be named where there is only one.

    Raises LogError where a second namespace begins, or where the log has none of that name.
    """

    def read(row: Row) -> tuple[Call, tuple[str, ...]]:
        decision = decision_of(row)
        return decision.as_call(reading.quality_source), tuple(decision.judgements)

    return reading.usable(_of_namespace(source.records(), reading.namespace), read)


def batches(source: Source, reading: Reading, size: int, progress: Progress | None) -> Iterator[Calls] | None:
    """Return what reads a log in columns at once; None where it has to be read row by row."""
    if find_spec("duckdb") is None or any(kind_of(file.path) != "parquet" for file in source.files):
        return None
    paths = [escape(str(file.path)) for file in source.files]
    import duckdb

    connection = duckdb.connect(config={"memory_limit": MEMORY})
    try:
        survey = surveyed(connection, paths, reading.namespace)
    except duckdb.Error:
        survey = None
    if survey is None or not _is_unambiguous(survey, reading.namespace):
        connection.close()
        return None
    columns = ColumnReader(connection, paths, survey, reading.namespace, reading.quality_source)
    return _told(columns, size, reading, progress)


def _is_unambiguous(survey: Survey, namespace: str) -> bool:
    return namespace in survey.namespaces if namespace else len(survey.namespaces) == 1


def _told(columns: ColumnReader, size: int, reading: Reading, progress: Progress | None) -> Iterator[Calls]:
    done, survey = 0, columns.survey
    with columns.connection:
        for calls_of_batch in columns.batches(size):
            done += len(calls_of_batch)
            if progress is not None:
                progress(done, survey.used)
            yield calls_of_batch
    report = reading.report
    report.used, report.knows, report.sources = survey.used, Counter(survey.knows), Counter(survey.sources)
    if reading.quality_source != ANY_SOURCE:
        of_source = survey.sources[reading.quality_source]
        report.knows = +Counter({**survey.knows, "quality": of_source, "judged_us": of_source})


def _of_namespace(records: Iterable[Record], wanted: str) -> Iterator[Record]:
    only, others = wanted, dict[str, None]()
    is_there = False
    for record in records:
        namespace = record.row.get("namespace")
        if isinstance(namespace, str) and NAME.fullmatch(namespace):
            only = only or namespace
            if namespace != only:
                others[namespace] = None
                if not wanted:
                    raise LogError(f"the log is of several namespaces; choose one: {only}, {namespace}, ...")
                continue
            is_there = True
        yield record
        if len(others) > SHOWN:
            others.popitem()
    if wanted and not is_there:
        raise LogError(f"the log has no namespace '{wanted}'; it has {', '.join(others) or 'none'}")
