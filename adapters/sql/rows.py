"""Signals as rows and back, exactly."""

from typing import Any, Final

from sqlalchemy import Row

from bandit.records import SignalRecord
from bandit.signals import OUTCOME, SCORE_PREFIX, THUMB, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb
from bandit.spend import Bill

_NO_OUTCOME: Final = (None,) * len(Outcome._fields)

FactColumns = tuple[int | None, ...]


def signal_row(record: SignalRecord, truth: type[int] = int) -> tuple[object, ...]:
    """Return the row of `signals` that keeps `record`, in the order of its columns; truth values as int or bool."""
    namespace, nonce, signal, fact, observed_us, received_us, decision, propensity, parent, client, rater, bill = record
    category, model, kind, decided_us, input_tokens = decision
    return (
        namespace,
        bytearray(nonce),
        signal,
        observed_us,
        received_us,
        category,
        model,
        int(kind),
        decided_us,
        input_tokens,
        propensity,
        bytearray(parent),
        client,
        rater,
        truth(fact is None),
        *_fact_columns(fact, truth),
        *_bill_columns(bill, truth),
    )


def signal_record(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> SignalRecord:
    """Return the record that a row of `signals` keeps."""
    namespace, nonce, signal, observed_us, received_us = row[:5]
    category, model, kind, decided_us, input_tokens = row[5:10]
    propensity, parent, client, rater, retracted = row[10:15]
    fact, (profile, priced, nano_usd) = None if retracted else _fact(signal, row[15:-3]), row[-3:]
    bill = None if profile is None else Bill(profile, bool(priced), nano_usd)
    decision = DecisionFacts(category, model, Kind(kind), decided_us, input_tokens)
    return SignalRecord(
        namespace, nonce, signal, fact, observed_us, received_us, decision, propensity, parent, client, rater, bill
    )


def _bill_columns(bill: Bill | None, truth: type[int]) -> tuple[str | int | None, ...]:
    if bill is None:
        return None, None, None
    profile, priced, nano_usd = bill
    return profile, truth(priced), nano_usd


def _fact_columns(fact: Fact | None, truth: type[int]) -> FactColumns:
    if fact is None:
        return *_NO_OUTCOME, None, None
    if isinstance(fact, Outcome):
        return int(fact.status), *fact[1:], None, None
    if isinstance(fact, Thumb):
        return *_NO_OUTCOME, truth(fact.up), None
    return *_NO_OUTCOME, None, fact.value


def _fact(signal: str, columns: tuple[Any, ...]) -> Fact:
    *outcome, up, value = columns
    if signal == OUTCOME:
        return Outcome(Status(outcome[0]), *outcome[1:])
    if signal == THUMB:
        return Thumb(bool(up))
    return Score(signal.removeprefix(SCORE_PREFIX), value)
