"""An export in parts: what is written again, what is left alone, what is refused."""

import fcntl
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.traffic.calls import Call
from adapters.traffic.errors import ExportBusyError, ExportError, LogError
from adapters.traffic.formats import open_log
from adapters.traffic.own import folder
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.own.folder import HOUR_US, Decisions, Exported, Span, export_folder
from adapters.traffic.own.manifest import DAY_US, Choice, Manifest, read_manifest, write_manifest
from adapters.traffic.own.parquet import write_piece
from adapters.traffic.own.writing import replace_file, scratch, write_file
from bandit.signals import Kind

FIRST_DAY = 20_000
START_US = FIRST_DAY * DAY_US
LINES = Choice(suffix=".jsonl")


class Decided:
    """Decisions every six hours over some days, and which ranges of time were read of them."""

    def __init__(self, days: int) -> None:
        times = range(START_US, START_US + days * DAY_US, 6 * HOUR_US)
        self.held = [
            LoggedDecision(Call("chat", "large", time, f"{time:x}", kind=Kind.SAMPLED), "acme") for time in times
        ]
        self.read: list[int] = []

    def __call__(self, start_us: int, end_us: int) -> Iterator[LoggedDecision]:
        self.read.append((start_us - START_US) // DAY_US)
        return (one for one in self.held if start_us <= (one.call.time_us or 0) < end_us)

    def next_us(self, start_us: int) -> int | None:
        return min((time for one in self.held if (time := one.call.time_us or 0) >= start_us), default=None)

    def span(self, *, settled_days: float = 0.0, retained_days: float = -1.0, until_days: float | None = None) -> Span:
        oldest, newest = (self.held[end].call.time_us or 0 for end in (0, -1))
        settled, retained = (round(START_US + days * DAY_US) for days in (settled_days, retained_days))
        until = None if until_days is None else round(START_US + until_days * DAY_US)
        return Span(oldest, newest, retained, settled, until)

    def judged(self, place: int) -> None:
        """Let a decision be judged late."""
        one = self.held[place]
        self.held[place] = one._replace(call=one.call._replace(quality=1.0, judged_us=START_US))


def exported(
    out: Path, decided: Decided, span: Span, choice: Choice = LINES, *, resume: bool = False, force: bool = False
) -> Exported:
    return export_folder(out, Decisions(decided, decided.next_us), choice, span, resume=resume, force=force)


def read(out: Path) -> list[Call]:
    log = open_log(out)
    calls = list(log.calls())
    assert log.report.rejected == {}
    return calls


def test_a_folder_has_a_file_per_day_and_reads_as_what_was_exported(tmp_path):
    decided = Decided(days=3)
    result = exported(tmp_path / "out", decided, decided.span())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_manifest.json",
        *(f"decisions-2024-10-0{day}.jsonl" for day in (4, 5, 6)),
    ]
    assert (result.rows, result.written) == (12, 3)
    assert read(tmp_path / "out") == [one.call for one in decided.held]


@pytest.mark.parametrize("hours", [1, 24])
def test_a_resumed_export_reads_only_what_may_have_changed(tmp_path, hours):
    decided, choice = Decided(days=4), replace(LINES, part_us=hours * HOUR_US)
    exported(tmp_path / "out", decided, decided.span(settled_days=2.5), choice)
    decided.read.clear()
    decided.judged(10)
    decided.held += Decided(days=5).held[16:]
    result = exported(tmp_path / "out", decided, decided.span(settled_days=2.5), choice, resume=True)
    assert set(decided.read) == {2, 3, 4}
    assert result.manifest.final_before_us == START_US + (2 if hours == 24 else 2.5) * DAY_US
    assert read(tmp_path / "out") == [one.call for one in decided.held]


def test_a_resumed_export_of_nothing_new_writes_nothing(tmp_path):
    decided = Decided(days=2)
    exported(tmp_path / "out", decided, decided.span(settled_days=9))
    assert exported(tmp_path / "out", decided, decided.span(settled_days=9), resume=True).written == 0


@pytest.mark.parametrize("resume", [False, True])
def test_days_without_decisions_are_neither_read_nor_written(tmp_path, resume):
    decided = Decided(days=1)
    if resume:
        exported(tmp_path / "out", decided, decided.span(settled_days=9))
        decided.read.clear()
    day = decided.held[0]
    late = day.call._replace(time_us=START_US + 20_000 * DAY_US, call_id="late")
    decided.held.append(day._replace(call=late))
    result = exported(tmp_path / "out", decided, decided.span(settled_days=9), resume=resume)
    assert decided.read == ([20_000] if resume else [0, 20_000])
    assert len(result.manifest.parts) == 2
    assert read(tmp_path / "out") == [one.call for one in decided.held]
    decided.read.clear()
    exported(tmp_path / "out", decided, decided.span(settled_days=9), resume=True)
    assert decided.read == [20_000]


def test_days_on_which_only_others_have_decisions_cost_one_manifest(tmp_path, monkeypatch):
    decided, written = Decided(days=50), list[str]()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any) -> Any:
            written.append(function.__name__)
            return function(*words)

        return call

    for function in (write_manifest, replace_file):
        monkeypatch.setattr(folder, function.__name__, counted(function))
    result = export_folder(
        tmp_path / "out", Decisions(lambda _start, _end: [], decided.next_us), LINES, decided.span(settled_days=99)
    )
    assert written == ["write_manifest", "write_manifest"]
    assert read_manifest(tmp_path / "out") == result.manifest == Manifest(LINES, START_US + 50 * DAY_US)


def test_a_part_whose_decisions_are_gone_though_none_were_dropped_goes_too(tmp_path):
    decided = Decided(days=3)
    exported(tmp_path / "out", decided, decided.span())
    del decided.held[4:8]
    result = exported(tmp_path / "out", decided, decided.span(), resume=True)
    assert len(result.manifest.parts) == 2
    assert read(tmp_path / "out") == [one.call for one in decided.held]


def test_the_first_export_to_a_folder_may_be_a_resumed_one(tmp_path):
    decided = Decided(days=1)
    assert exported(tmp_path / "out", decided, decided.span(), resume=True).rows == 4


def test_what_the_store_has_dropped_stays_in_the_export(tmp_path):
    decided = Decided(days=4)
    exported(tmp_path / "out", decided, decided.span())
    expected = [one.call for one in decided.held]
    del decided.held[:6]
    exported(tmp_path / "out", decided, decided.span(retained_days=1.5), resume=True)
    assert read(tmp_path / "out") == expected


def test_a_part_of_which_only_a_beginning_was_asked_for_is_completed_later(tmp_path):
    decided = Decided(days=2)
    exported(tmp_path / "out", decided, decided.span(settled_days=9, until_days=0.5))
    assert len(read(tmp_path / "out")) == 2
    exported(tmp_path / "out", decided, decided.span(settled_days=9), resume=True)
    assert read(tmp_path / "out") == [one.call for one in decided.held]


def test_an_export_that_ends_anywhere_is_completed_by_the_next(tmp_path):
    decided = Decided(days=3)
    for broken_at in range(12):

        def breaking(start: int, end: int, left: int = broken_at) -> Iterator[LoggedDecision]:
            for one in decided(start, end):
                if one is decided.held[left]:
                    raise LogError("the store is gone")
                yield one

        out = tmp_path / f"out-{broken_at}"
        with pytest.raises(LogError):
            export_folder(out, Decisions(breaking, decided.next_us), LINES, decided.span())
        exported(out, decided, decided.span(), resume=True)
        assert read(out) == [one.call for one in decided.held]


def test_an_empty_range_leaves_a_folder_without_decisions(tmp_path):
    decided = Decided(days=1)
    result = exported(tmp_path / "out", decided, decided.span(until_days=-1))
    assert (result.rows, dict(result.manifest.parts)) == (0, {})
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_manifest.json"]


def test_an_export_that_is_there_is_replaced_only_when_forced(tmp_path):
    decided = Decided(days=2)
    exported(tmp_path / "out", decided, decided.span())
    with pytest.raises(ExportError, match="--resume continues it, --force replaces it"):
        exported(tmp_path / "out", decided, decided.span())
    del decided.held[4:]
    exported(tmp_path / "out", decided, decided.span(), force=True)
    assert read(tmp_path / "out") == [one.call for one in decided.held]


@pytest.mark.parametrize("changed", [{"namespace": "acme"}, {"part_us": HOUR_US}, {"suffix": ".parquet"}])
def test_an_export_cannot_be_continued_otherwise_than_it_began(tmp_path, changed):
    decided = Decided(days=1)
    exported(tmp_path / "out", decided, decided.span())
    with pytest.raises(ExportError, match="was exported otherwise: "):
        exported(tmp_path / "out", decided, decided.span(), replace(LINES, **changed), resume=True)


def test_an_export_cannot_be_shortened(tmp_path):
    decided = Decided(days=2)
    exported(tmp_path / "out", decided, decided.span())
    with pytest.raises(ExportError, match="goes beyond the end"):
        exported(tmp_path / "out", decided, decided.span(until_days=1), resume=True)


def test_a_final_part_that_was_changed_or_lost_is_noticed(tmp_path):
    decided = Decided(days=2)
    exported(tmp_path / "out", decided, decided.span(settled_days=9))
    (tmp_path / "out/decisions-2024-10-04.jsonl").write_text("")
    with pytest.raises(ExportError, match=r"2024-10-04.jsonl is gone or was changed; export anew with --force"):
        exported(tmp_path / "out", decided, decided.span(settled_days=9), resume=True)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("final_before_us",), "2024-10-05"),
        (("final_before_us",), None),
        (("final_before_us",), True),
        (("final_before_us",), -1),
        (("final_before_us",), 10**30),
        (("choice", "part_us"), 0),
        (("choice", "part_us"), 0.5),
        (("choice", "prompt"), "x"),
        (("parts", "decisions-2024-10-04.jsonl", "to_us"), "x"),
        (("parts", "decisions-2024-10-04.jsonl", "to_us"), 0),
        (("parts", "decisions-2024-10-04.jsonl", "from_us"), 1 << 62),
        (("parts", "decisions-2024-10-04.jsonl", "bytes"), []),
        (("parts", "decisions-2024-10-04.jsonl", "rows"), -1),
        (("parts",), []),
    ],
)
def test_a_manifest_in_which_something_was_changed_is_told(tmp_path, place, value):
    decided = Decided(days=1)
    exported(tmp_path, decided, decided.span())
    document = json.loads((tmp_path / "_manifest.json").read_text())
    within = document
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = value
    (tmp_path / "_manifest.json").write_text(json.dumps(document))
    with pytest.raises(ExportError, match=r"_manifest.json is no manifest of an export; export to another folder"):
        exported(tmp_path, decided, decided.span(until_days=9), resume=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', "\x00", "[" * 100_000])
def test_a_broken_manifest_is_told(tmp_path, text):
    decided = Decided(days=1)
    (tmp_path / "_manifest.json").write_text(text)
    with pytest.raises(ExportError, match=r"_manifest.json is"):
        exported(tmp_path, decided, decided.span(), resume=True)


@pytest.mark.parametrize("force", [False, True])
def test_other_people_s_files_are_never_touched(tmp_path, force):
    decided = Decided(days=1)
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(ExportError, match=r"holds other things \(thesis.txt\)"):
        exported(tmp_path, decided, decided.span(), force=force)
    assert (tmp_path / "thesis.txt").read_text() == "chapter 1"


def test_parts_without_a_manifest_are_other_people_s_files(tmp_path):
    decided = Decided(days=1)
    write_file(decided.held, tmp_path / "decisions-2024-10-04.jsonl")
    with pytest.raises(ExportError, match="holds other things"):
        exported(tmp_path, decided, decided.span(), resume=True)


def test_two_exports_to_one_place_do_not_meet(tmp_path):
    with scratch(tmp_path / ".part"), pytest.raises(ExportBusyError, match="another export has"):
        exported(tmp_path, Decided(days=1), Decided(days=1).span())


@pytest.mark.parametrize("next_one", [Path.mkdir, lambda _: None], ids=["began", "did not begin"])
def test_an_export_that_began_as_another_one_ended_has_nothing_to_write_to(tmp_path, monkeypatch, next_one):
    place, lock = tmp_path / ".part", fcntl.flock

    def others_end(descriptor, how):
        place.rename(tmp_path / "removed")
        next_one(place)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", others_end)
    with pytest.raises(ExportBusyError), scratch(place):
        pytest.fail("it began")


def test_what_a_killed_export_left_behind_is_removed(tmp_path):
    (tmp_path / ".part").mkdir()
    (tmp_path / ".part/whole.jsonl").write_text("half a ro")
    exported(tmp_path, Decided(days=1), Decided(days=1).span())
    assert not (tmp_path / ".part").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for out, reason in ((tmp_path / "file/out", "Not a directory"), (tmp_path / "gone/out", "No such file")):
        with pytest.raises(ExportError, match=f"cannot be written: {reason}"):
            exported(out, Decided(days=1), Decided(days=1).span())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system take no more of a file than this, as a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_what_a_disk_does_not_take_is_told_and_what_was_there_stays(tmp_path, suffix):
    held, path = Decided(days=1).held, tmp_path / f"log{suffix}"
    write_file(held, path)
    before = path.read_bytes()
    with files_of_at_most(100_000), pytest.raises(ExportError, match=f"log{suffix} cannot be written: File too large"):
        write_file(held * 500, path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path]


def test_what_the_library_of_parquet_cannot_write_is_told(tmp_path):
    (tmp_path / "text.jsonl").write_text("{}")
    with pytest.raises(ExportError, match=r"log.parquet cannot be written as Parquet: .*No such file"):
        write_piece(tmp_path / "text.jsonl", tmp_path / "gone/log.parquet")


def test_the_manifest_tells_what_a_folder_holds(tmp_path):
    decided = Decided(days=1)
    exported(tmp_path, decided, decided.span(settled_days=9))
    part = tmp_path / "decisions-2024-10-04.jsonl"
    assert json.loads((tmp_path / "_manifest.json").read_text()) == {
        "format": "routeward decisions 1",
        "choice": {"namespace": "", "since_us": None, "suffix": ".jsonl", "part_us": DAY_US},
        "final_before_us": START_US + DAY_US,
        "parts": {
            part.name: {"from_us": START_US, "to_us": START_US + DAY_US, "rows": 4, "bytes": part.stat().st_size}
        },
    }
