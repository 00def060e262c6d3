"""Feedback as a careless world delivers it: changed, taken back, repeated, in any order, to any replica.

Everything is drawn from one generator, so equal seeds have equal deliveries.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from bandit.records import SignalRecord
from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb
from bandit.votes import SignalStatus
from routeward.v1 import routing_service_pb2 as pb
from server.settings import DEFAULT_NAMESPACE
from server.tokens import DecisionToken, TokenKeys

AMENDED: Final = 0.10
RETRACTED: Final = 0.05
COPIES: Final = 5
"""How often something is sent at most."""

CATEGORIES: Final = ("chat", "code", "summary")
HOUR_US: Final = 3_600_000_000
PROPENSITY: Final = 0.25
INPUT_TOKENS: Final = 900


class Said(NamedTuple):
    """Something that is said of a decision, and how it is sent."""

    record: SignalRecord
    item: pb.FeedbackRequest


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What is `said`, each once; and for each delivery, in order, the place of what is sent and the replica it goes to.

    `sent` and `replicas` have equal lengths.
    """

    said: Sequence[Said]
    sent: Sequence[int]
    replicas: Sequence[int]


def deliveries(
    events: int, replicas: int, models: Sequence[str], keys: TokenKeys, now_us: int, rng: np.random.Generator
) -> Deliveries:
    """Draw so many signals about decisions of the last hour, what was said of them later, and how all that arrives."""
    said = [one for number in range(events) for one in _about(number, models, keys, now_us, rng)]
    copies = rng.integers(1, COPIES + 1, len(said))
    sent = rng.permutation(np.repeat(np.arange(len(said)), copies))
    return Deliveries(said, sent.tolist(), rng.integers(replicas, size=len(sent)).tolist())


def _about(
    number: int, models: Sequence[str], keys: TokenKeys, now_us: int, rng: np.random.Generator
) -> Iterator[Said]:
    """Yield a signal about a decision of its own, and the change of mind that may follow it."""
    decided_us = now_us - int(rng.integers(HOUR_US))
    model = models[int(rng.integers(len(models)))]
    decision = DecisionFacts(CATEGORIES[number % len(CATEGORIES)], model, Kind.SAMPLED, decided_us, INPUT_TOKENS)
    nonce = number.to_bytes(12, "big")
    token = DecisionToken(
        *(DEFAULT_NAMESPACE, decision.category, model, decision.kind, PROPENSITY, decided_us, nonce, INPUT_TOKENS)
    )
    decision_id = keys.sign(token)
    facts: list[Fact | None] = [_fact(number, rng)]
    chance = rng.random()
    if chance < AMENDED:
        facts.append(_fact(number, rng))
    elif chance < AMENDED + RETRACTED:
        facts.append(None)
    times = np.sort(rng.integers(decided_us, now_us + 1, len(facts)))
    name = _name(facts[0])
    for fact, observed_us in zip(facts, times.tolist(), strict=True):
        record = SignalRecord(*(DEFAULT_NAMESPACE, nonce, name, fact, observed_us, observed_us, decision, PROPENSITY))
        yield Said(record, pb.FeedbackRequest(decision_id=decision_id, signals=[_signal(record)]))


def _fact(number: int, rng: np.random.Generator) -> Fact:
    match number % 3:
        case 0:
            latency_us, tokens = int(rng.lognormal(14, 1)), int(rng.integers(10, 2000))
            return Outcome(Status(int(rng.integers(1, 5))), latency_us, None, INPUT_TOKENS, None, tokens)
        case 1:
            return Thumb(bool(rng.random() < 0.7))
        case _:
            return Score("judge", int(rng.integers(SCALE + 1)))


def _name(fact: Fact | None) -> str:
    return fact.signal if fact else ""


def _signal(record: SignalRecord) -> pb.Signal:
    signal = pb.Signal()
    signal.observed_time.FromMicroseconds(record.observed_us)
    match record.fact:
        case Outcome(status, latency_us, _, input_tokens, _, output_tokens, _):
            outcome = pb.Outcome(
                status=pb.Status.ValueType(status), input_tokens=input_tokens, output_tokens=output_tokens
            )
            outcome.latency.FromMicroseconds(latency_us or 0)
            signal.outcome.CopyFrom(outcome)
        case Thumb(up):
            signal.thumb = pb.THUMB_UP if up else pb.THUMB_DOWN
        case Score(name, value):
            signal.score.CopyFrom(pb.Score(name=name, value=value / SCALE))
        case None:
            signal.retract.signal = record.signal
    return signal


def misjudged(said: Sequence[Said], answers: Iterable[tuple[int, int]]) -> int:
    """Count what was answered wrongly, from the place of what was sent and the status that it got.

    What is said last of a signal is counted once, whatever else came; so is what is said before, or it is superseded.
    A copy is a duplicate, or superseded where there is a later word.
    """
    found: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for place, status in answers:
        found[place][status] += 1
    wrong = 0
    for place, one in enumerate(said):
        statuses, is_last = found[place], _is_last(said, place)
        counted = sum(statuses[status] for status in SignalStatus if status.counted)
        superseded = statuses[SignalStatus.SUPERSEDED]
        known = counted + superseded + statuses[SignalStatus.DUPLICATE]
        # Where both say the same, the later word only moves the time.
        same = is_last and place > 0 and said[place - 1].record[:4] == one.record[:4]
        right = (counted == 1 or (same and not counted)) if is_last else (counted == 1 or superseded > 0)
        wrong += not (right and counted <= 1 and known == statuses.total() and not (is_last and superseded))
    return wrong


def _is_last(said: Sequence[Said], place: int) -> bool:
    return place + 1 == len(said) or said[place + 1].record.nonce != said[place].record.nonce
