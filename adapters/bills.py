"""The arithmetic of bills that all stores share. A namespace without budgets has none, and pays nothing for this."""

from collections.abc import Iterable, Mapping

from bandit.records import SignalRecord
from bandit.spend import MINUTE_US, NOTHING, SpendKey, Tally, bucket_of

SpendRows = Mapping[SpendKey, Tally]


def rebilled(before: SignalRecord | None, kept: SignalRecord, spend: dict[SpendKey, Tally]) -> SignalRecord:
    """Add what replacing a record changes to `spend`; return the record to keep.

    A fact that is told again keeps the bill that it was first recorded with: prices may have changed meanwhile.
    """
    if before is not None and before.fact == kept.fact:
        return kept._replace(bill=before.bill)
    for record, sign in ((before, -1), (kept, 1)):
        if record is not None and record.bill is not None:
            profile, priced, nano_usd = record.bill
            key = SpendKey(record.decision.category, profile, priced, record.decision.decided_us // MINUTE_US)
            spend[key] = spend.get(key, NOTHING) + Tally(sign, sign * nano_usd)
    return kept


def fold_bills(records: Iterable[SignalRecord]) -> dict[SpendKey, Tally]:
    """Add up the bills of records of one namespace, holding one at a time."""
    spend: dict[SpendKey, Tally] = {}
    for record in records:
        rebilled(None, record, spend)
    return without_zeros(spend)


def add_spend(left: SpendRows, right: SpendRows) -> dict[SpendKey, Tally]:
    """Return the sum of both, without rows that are zero, in sorted order."""
    total = dict(left)
    for key, tally in right.items():
        total[key] = total.get(key, NOTHING) + tally
    return without_zeros(total)


def without_zeros(spend: SpendRows) -> dict[SpendKey, Tally]:
    """Return the rows that are not zero, in sorted order."""
    return {key: tally for key, tally in sorted(spend.items()) if any(tally)} if spend else {}


def coarsen_spend(rows: SpendRows, now_us: int) -> dict[SpendKey, Tally]:
    """Return `rows` merged into the time buckets of `bandit.spend` as seen from `now_us`, in sorted order."""
    now = now_us // MINUTE_US
    total: dict[SpendKey, Tally] = {}
    for key, tally in rows.items():
        bucket = key._replace(minute=bucket_of(key.minute, now))
        total[bucket] = total.get(bucket, NOTHING) + tally
    return without_zeros(total)


def spend_since(rows: SpendRows, since_us: int) -> dict[SpendKey, Tally]:
    """Return the rows whose time bucket begins at or after `since_us`, without rows that are zero, in sorted order."""
    first = since_us // MINUTE_US
    return without_zeros({key: tally for key, tally in rows.items() if key.minute >= first})
