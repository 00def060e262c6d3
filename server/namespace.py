"""What one tenant has learned, in memory: the state that decisions are made from and feedback is added to.

The event loop owns it. Whatever a thread computes from it, it computes from immutable values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from adapters.ledger import Change, StoredSums
from bandit.priors import FUSED_PREFIX
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
    """A snapshot, the edition that it was computed from, and the distributions that were already computed from it."""

    snapshot: Snapshot
    edition: Edition
    choices: dict[Request, Choices] = field(default_factory=dict)

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
    created by requests and are not in the store yet.
    """

    name: str
    edition: Edition
    sums: Sums
    published: Published
    spend: Spend
    sums_revision: int = 0
    revision: int = 0
    stale: bool = True
    changes: list[Change] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)
    unsaved_categories: set[str] = field(default_factory=set)
    score_names: set[str] = field(default_factory=set)

    def apply(self, change: Change) -> None:
        """Take in what a write changed; the next snapshot shows it."""
        self.revision = change.revision
        self.changes.append(change)

    def learn_names(self, stored: StoredSums) -> None:
        """Remember the categories and score names that the store knows."""
        self.categories.update(stored.categories, (key.category for key in stored.rows))
        self.score_names |= score_names(key.source for key in stored.rows)


def score_names(sources: Iterable[str]) -> set[str]:
    """Return the names of those sources of quality that are scores."""
    plain = (source.removeprefix(FUSED_PREFIX) for source in sources)
    return {source.removeprefix(SCORE_PREFIX) for source in plain if source.startswith(SCORE_PREFIX)}
