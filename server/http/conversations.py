"""Remembers for a while who answered in a conversation last: that model may still hold its prompt in a cache."""

from collections import OrderedDict
from typing import Final, NamedTuple

MIN_CACHED_TOKENS: Final = 1024
"""Length of a prompt from which providers cache it (OpenAI and Anthropic say 1,024)."""
LIFETIME_US: Final = 300_000_000
"""How long providers keep a prompt at least: five minutes, at OpenAI and at Anthropic."""
MAX_CONVERSATIONS: Final = 10_000


class LastAnswer(NamedTuple):
    """The last answer of a conversation: the decision and the model that gave it, and how long its prompt was.

    `cached_tokens` is how much of it a next prompt may find in the model's cache.
    """

    decision_id: str
    model: str
    input_tokens: int
    cached_tokens: int
    answered_us: int


class Conversations:
    """The last answers, by namespace and session; the oldest makes room for a new one. Times are microseconds."""

    def __init__(self, most: int = MAX_CONVERSATIONS) -> None:
        self._answers: OrderedDict[tuple[str, str], LastAnswer] = OrderedDict()
        self._most = most

    def last(self, namespace: str, session: str, now_us: int) -> LastAnswer | None:
        """Return the last answer where its prompt may still be cached."""
        answer = self._answers.get((namespace, session))
        # A clock that was set back may say anything.
        return answer if answer is not None and 0 <= now_us - answer.answered_us <= LIFETIME_US else None

    def remember(self, namespace: str, session: str, answer: LastAnswer) -> None:
        """Keep who answered; too short a prompt is cached nowhere, and forgets what was."""
        key = namespace, session
        self._answers.pop(key, None)
        if answer.input_tokens < MIN_CACHED_TOKENS:
            return
        self._answers[key] = answer
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)


def cached_next(last: LastAnswer | None, model: str, input_tokens: int, counted: int | None) -> int:
    """Return how much of a prompt its model may have in a cache when the next one comes.

    All of it, unless the model also gave the `last` answer: then it could have found that prompt, and what the provider
    counted as cached says whether, and how much, it keeps.
    """
    if last is not None and last.model == model and counted is not None:
        return min(counted, input_tokens)
    return input_tokens
