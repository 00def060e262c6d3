"""Remembers for a while who answered in a conversation last: that model may still hold its prompt in a cache."""

from collections import OrderedDict
from typing import Final, NamedTuple

MIN_CACHED_TOKENS: Final = 1024
"""Length of a prompt from which providers cache it (OpenAI and Anthropic say 1,024)."""
LIFETIME_US: Final = 300_000_000
"""How long providers keep a prompt at least: five minutes, at OpenAI and at Anthropic."""
MAX_CONVERSATIONS: Final = 10_000


class LastAnswer(NamedTuple):
    """The last answer of a conversation: the decision that gave it, and how many tokens its prompt had."""

    decision_id: str
    input_tokens: int
    answered_us: int


class Conversations:
    """The last turns, by namespace and session; the oldest makes room for a new one. Times are microseconds."""

    def __init__(self, most: int = MAX_CONVERSATIONS) -> None:
        self._turns: OrderedDict[tuple[str, str], LastAnswer] = OrderedDict()
        self._most = most

    def warm(self, namespace: str, session: str, now_us: int) -> LastAnswer | None:
        """Return the last turn where its prompt may still be cached."""
        turn = self._turns.get((namespace, session))
        # A clock that was set back may say anything.
        return turn if turn is not None and 0 <= now_us - turn.answered_us <= LIFETIME_US else None

    def remember(self, namespace: str, session: str, turn: LastAnswer) -> None:
        """Keep who answered; too short a prompt is cached nowhere, and forgets what was."""
        key = namespace, session
        self._turns.pop(key, None)
        if turn.input_tokens < MIN_CACHED_TOKENS:
            return
        self._turns[key] = turn
        if len(self._turns) > self._most:
            self._turns.popitem(last=False)
