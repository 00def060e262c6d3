"""What a folder with an export says of itself, in `_manifest.json`."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.traffic.cells import LATEST_US
from adapters.traffic.errors import ExportError
from adapters.traffic.own.rows import FORMAT

NAME: Final = "_manifest.json"
DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What is exported, and how: what a resumed export cannot change.

    `part_us` is the time that one part covers, `suffix` that of its file, `since_us` None from the oldest on.
    """

    namespace: str = ""
    since_us: int | None = None
    suffix: str = ".parquet"
    part_us: int = DAY_US


class Part(NamedTuple):
    """A file, and the decisions in it: those from a time up to before another."""

    from_us: int
    to_us: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Parts by the name of their file, in the order of time; all before `final_before_us` will never change."""

    choice: Choice
    final_before_us: int = 0
    parts: Mapping[str, Part] = field(default_factory=dict)

    def having(self, name: str, part: Part, final_before_us: int) -> "Manifest":
        """Return what is true when a part has been written; of a part without rows there is no file."""
        parts = {**self.parts, name: part}
        if not part.rows:
            del parts[name]
        return replace(self, parts=dict(sorted(parts.items())), final_before_us=final_before_us)


def read_manifest(folder: Path) -> Manifest | None:
    """Return what a folder says; None where nothing was exported to it. Raises ExportError."""
    path = folder / NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ExportError(f"{path} is of format '{document['format']}', this version knows '{FORMAT}'")
        parts = {name: Part(**part) for name, part in document["parts"].items()}
        return _checked(Manifest(Choice(**document["choice"]), document["final_before_us"], parts))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ExportError(f"{path} is no manifest of an export; export to another folder") from error


def _checked(manifest: Manifest) -> Manifest:
    """Return a manifest as an export writes it. Raises ValueError for another."""
    parts = manifest.parts.values()
    times = [manifest.final_before_us, manifest.choice.part_us, *(time for part in parts for time in part[:2])]
    if not all(_is_count(time) and time <= LATEST_US + DAY_US for time in times) or not manifest.choice.part_us:
        raise ValueError("a time that there cannot be")
    if not all(part.from_us < part.to_us and _is_count(part.rows) and _is_count(part.bytes) for part in parts):
        raise ValueError("a part that there cannot be")
    return manifest


def _is_count(number: object) -> bool:
    return type(number) is int and number >= 0


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Replace the manifest, which is at every moment the old one or the new one. Raises OSError."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "choice": asdict(manifest.choice),
        "final_before_us": manifest.final_before_us,
        "parts": {name: part._asdict() for name, part in manifest.parts.items()},
    }
    new = folder / f".{NAME}.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / NAME)
