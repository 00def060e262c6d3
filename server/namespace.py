"""What one tenant has learned, in memory: the state that decisions are made from and feedback is added to.

The event loop owns it. Whatever a thread computes from it, it computes from immutable values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.ledger import Change, StoredSums, Written
from bandit.priors import FUSED_PREFIX
from bandit.records import SignalRecord
from bandit.request import Request
from bandit.signals import SCORE_PREFIX
from bandit.snapshot import Snapshot
from bandit.spend import Spend
from bandit.sums import Sums
from server.choices import Choices
from server.editions import Edition

MAX_CHOICES: Final = 4096
"""Distributions remembered per snapshot; ordinary traffic asks for a few hundred."""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A snapshot, the edition that it was computed from, and the distributions that were already computed from it.

    `sums` are what the snapshot was computed from. `degraded` says that the store has not been read since the start.
    """

    snapshot: Snapshot
    edition: Edition
    sums: Sums
    choices: dict[Request, Choices] = field(default_factory=dict)
    degraded: bool = False

    def remember(self, request: Request, choices: Choices) -> None:
        """Keep a distribution for the next request of its key; a full memory starts anew."""
        if len(self.choices) >= MAX_CHOICES:
            self.choices.clear()
        self.choices[request] = choices


@dataclass(slots=True, eq=False)
class Namespace:
    """State of one tenant.

    `edition` is what the next snapshot is computed from.

    `sums` and `spend` hold everything up to `sums_revision`, and `changes` what was written since. `stale` says that
    a write may have happened whose change is not known, so the store has to be read anew. `unsaved_categories` were
    created by requests and are not in the store yet. `is_followed` says that all of it is read from a store that others
    write to as well. `degraded` says that the store has not been read since the start.
    """

    name: str
    edition: Edition
    sums: Sums
    published: Published
    spend: Spend
    sums_revision: int = 0
    revision: int = 0
    stale: bool = True
    is_followed: bool = False
    degraded: bool = False
    changes: list[Change] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)
    unsaved_categories: set[str] = field(default_factory=set)
    score_names: set[str] = field(default_factory=set)

    def apply(self, change: Change) -> None:
        """Take in what a write changed; the next snapshot shows it, unless what was written is read from the store."""
        self.revision = max(self.revision, change.revision)
        if not self.is_followed:
            self.changes.append(change)

    def follow(self, change: Change) -> None:
        """Take in what the store was found to have more than before; the next snapshot shows it."""
        self.revision = max(self.revision, change.revision)
        self.changes.append(change)

    def learn_names(self, stored: StoredSums) -> None:
        """Remember the categories and score names that the store knows."""
        self.categories.update(stored.categories, (key.category for key in stored.rows))
        self.score_names |= score_names(key.source for key in stored.rows)


def take_in(namespaces: Mapping[str, Namespace], written: Written) -> None:
    """Take in what a write changed, where this server knows the namespace."""
    for name, change in written.changes.items():
        if namespace := namespaces.get(name):
            namespace.apply(change)


def doubt(namespaces: Mapping[str, Namespace], records: Iterable[SignalRecord]) -> None:
    """Have the store read anew: whether records were written is unknown. What is followed will show it."""
    for record in records:
        namespace = namespaces.get(record.namespace)
        if namespace is not None and not namespace.is_followed:
            namespace.stale = True


def score_names(sources: Iterable[str]) -> set[str]:
    """Return the names of those sources of quality that are scores."""
    plain = (source.removeprefix(FUSED_PREFIX) for source in sources)
    return {source.removeprefix(SCORE_PREFIX) for source in plain if source.startswith(SCORE_PREFIX)}
