"""An export that can be killed: exports a store to a folder by the hour, and says after every few decisions how far.

Arguments: the file of the store, the folder, the suffix of its files.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from adapters.sql.sqlite.traffic import decisions_of, extent_of, next_time_of
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.own.folder import HOUR_US, Decisions, Span, export_folder
from adapters.traffic.own.manifest import Choice

TOLD: int = 10
"""Decisions from one line to the next."""


def export(file: Path, folder: Path, suffix: str) -> None:
    extent = extent_of(file)

    def decisions(start_us: int, end_us: int) -> Iterator[LoggedDecision]:
        for number, decision in enumerate(decisions_of(file, start_us, end_us), start=1):
            if number % TOLD == 0:
                sys.stdout.write(".\n")
                sys.stdout.flush()
            yield decision

    span = Span(extent.oldest_us, extent.newest_us, extent.retained_us, settled_us=extent.oldest_us + 2 * HOUR_US)
    of_store = Decisions(decisions, lambda start_us: next_time_of(file, start_us))
    export_folder(folder, of_store, Choice(suffix=suffix, part_us=HOUR_US), span, resume=True)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
