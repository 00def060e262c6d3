"""An export in parts: a folder with a file per day or hour, which the next export continues.

A part is written under another name and then takes the place of its older self, so that at every moment, whoever reads
the folder finds no decision twice. The manifest is written after each part that changed. An export that is killed has
written a part that it does not name yet: the next one begins where the manifest ends, and writes it anew.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from adapters.traffic.errors import ExportError
from adapters.traffic.log import Progress
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.own.manifest import DAY_US, NAME, Choice, Manifest, Part, read_manifest, write_manifest
from adapters.traffic.own.writing import replace_file, scratch, told_as_export_errors

HOUR_US: Final = 3_600_000_000
PREFIX: Final = "decisions-"
PER_MILLE: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Decisions(NamedTuple):
    """Where decisions come from.

    `between` gives those from a time up to before another, in their order; `next_us` the time of the first at a time
    or later, None without any.
    """

    between: Callable[[int, int], Iterable[LoggedDecision]]
    next_us: Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Span:
    """The times of an export: decisions up to before `until_us`, from `oldest_us` to `newest_us`.

    Decisions before `settled_us` cannot change any more. Of those before `retained_us` rows have been dropped.
    """

    oldest_us: int
    newest_us: int
    retained_us: int
    settled_us: int
    until_us: int | None = None


class Exported(NamedTuple):
    """What an export did: the folder's manifest, the parts that it wrote, the rows in them."""

    manifest: Manifest
    written: int
    rows: int


def export_folder(
    folder: Path,
    decisions: Decisions,
    choice: Choice,
    span: Span,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write decisions to a folder, in parts.

    `resume` continues what is there, `force` removes it. Raises ExportError where it cannot be done, where
    something is there and neither was said, and where what is there was exported otherwise.
    """
    with told_as_export_errors(folder):
        folder.mkdir(exist_ok=True)
    with scratch(folder / ".part") as scratch_folder:
        manifest = on_disk = _begun(folder, choice, resume=resume, force=force)
        _require_continuable(folder, manifest, span)
        written = rows = 0
        for from_us, to_us in _ranges(manifest, decisions, span):
            name = _name(from_us, choice)
            if name in manifest.parts and from_us < span.retained_us:
                continue
            found = _watched(decisions.between(from_us, to_us), span, progress)
            part = _write(folder / name, found, from_us, to_us, scratch_folder)
            manifest = manifest.having(name, part, _final_before(from_us, to_us, choice, span))
            if manifest.parts != on_disk.parts:
                on_disk = _keep(manifest, folder)
            written, rows = written + bool(part.rows), rows + part.rows
        if manifest != on_disk:
            _keep(manifest, folder)
        if progress is not None:
            progress(PER_MILLE, PER_MILLE)
    return Exported(manifest, written, rows)


def _begun(folder: Path, choice: Choice, *, resume: bool, force: bool) -> Manifest:
    found = None if force else read_manifest(folder)
    if found is not None and not resume:
        raise ExportError(f"{folder} holds an export already; --resume continues it, --force replaces it")
    if found is not None:
        _require_same(folder, found.choice, choice)
        return found
    _clear(folder, force=force)
    return _keep(Manifest(choice), folder)


def _keep(manifest: Manifest, folder: Path) -> Manifest:
    with told_as_export_errors(folder / NAME):
        write_manifest(manifest, folder)
    return manifest


def _clear(folder: Path, *, force: bool) -> None:
    """Remove an earlier export, if asked to. Nothing else is ever removed."""
    there = [path for path in folder.iterdir() if not path.name.startswith(".")]
    ours = [path for path in there if force and (path.name.startswith(PREFIX) or path.name == NAME)]
    if foreign := sorted({path.name for path in there} - {path.name for path in ours}):
        raise ExportError(f"{folder} holds other things ({foreign[0]}); name an empty folder, or a new one")
    with told_as_export_errors(folder):
        for path in sorted(ours, key=lambda path: path.name == NAME):  # parts without it would be other people's
            path.unlink()


def _require_same(folder: Path, before: Choice, now: Choice) -> None:
    differing = [
        f"{name} was {_shown(old)} and is {_shown(new)}"
        for name, old, new in (
            ("the namespace", before.namespace, now.namespace),
            ("the beginning", before.since_us, now.since_us),
            ("the format", before.suffix, now.suffix),
            ("the length of a part", before.part_us, now.part_us),
        )
        if old != new
    ]
    if differing:
        raise ExportError(f"{folder} was exported otherwise: {'; '.join(differing)}. Say the same, or export elsewhere")


def _shown(value: object) -> str:
    return "not said" if value in (None, "") else str(value)


def _require_continuable(folder: Path, manifest: Manifest, span: Span) -> None:
    for name, part in manifest.parts.items():
        if span.until_us is not None and part.to_us > span.until_us:
            raise ExportError(f"{folder} goes beyond the end that was said; leave it out, or export elsewhere")
        if part.to_us <= manifest.final_before_us:
            path = folder / name
            if not path.is_file() or path.stat().st_size != part.bytes:
                raise ExportError(f"{path} is gone or was changed; export anew with --force")


def _ranges(manifest: Manifest, decisions: Decisions, span: Span) -> Iterator[tuple[int, int]]:
    """Yield the times of the parts to write: those that have a decision, and those that had one."""
    choice = manifest.choice
    first_us = max(span.oldest_us, choice.since_us or 0, manifest.final_before_us)
    last_us = span.newest_us + 1 if span.until_us is None else min(span.newest_us + 1, span.until_us)
    start_us = _next_part(first_us, manifest, decisions)
    while start_us is not None and start_us < last_us:
        end_us = start_us + choice.part_us
        yield max(start_us, choice.since_us or 0), end_us if span.until_us is None else min(end_us, span.until_us)
        start_us = _next_part(end_us, manifest, decisions)


def _next_part(time_us: int, manifest: Manifest, decisions: Decisions) -> int | None:
    """Return the start of the part of the first decision at a time or later, or of what the folder has from then."""
    next_us = decisions.next_us(time_us)
    times = [part.from_us for part in manifest.parts.values() if part.from_us >= time_us]
    times += [] if next_us is None else [next_us]
    return min(times) - min(times) % manifest.choice.part_us if times else None


def _watched(decisions: Iterable[LoggedDecision], span: Span, progress: Progress | None) -> Iterable[LoggedDecision]:
    """Pass decisions on and tell how far their times have come."""
    if progress is None:
        return decisions
    return _watching(decisions, span, progress)


def _watching(decisions: Iterable[LoggedDecision], span: Span, progress: Progress) -> Iterator[LoggedDecision]:
    shown, length_us = 0, max(span.newest_us - span.oldest_us, 1)
    for decision in decisions:
        done = ((decision.call.time_us or 0) - span.oldest_us) * PER_MILLE // length_us
        if done > shown:
            shown = done
            progress(done, PER_MILLE)
        yield decision


def _write(path: Path, decisions: Iterable[LoggedDecision], from_us: int, to_us: int, scratch_folder: Path) -> Part:
    found = iter(decisions)
    first = next(found, None)
    rows = 0 if first is None else replace_file(chain([first], found), path, scratch_folder)
    with told_as_export_errors(path):
        if not rows:
            path.unlink(missing_ok=True)
            return Part(from_us, to_us, 0, 0)
        return Part(from_us, to_us, rows, path.stat().st_size)


def _final_before(from_us: int, to_us: int, choice: Choice, span: Span) -> int:
    """Return the time before which nothing will change, when a part has been written: that of a beginning."""
    start_us = from_us - from_us % choice.part_us
    complete_us = start_us + choice.part_us
    return min(complete_us if to_us == complete_us else start_us, span.settled_us - span.settled_us % choice.part_us)


def _name(from_us: int, choice: Choice) -> str:
    start = _EPOCH + timedelta(microseconds=from_us - from_us % choice.part_us)
    return f"{PREFIX}{start:{'%Y-%m-%d' if choice.part_us == DAY_US else '%Y-%m-%dT%H'}}{choice.suffix}"
