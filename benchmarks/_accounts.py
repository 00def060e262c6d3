"""Whether a store kept what clients were told that it keeps, and counted it once."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from adapters.sql.store import SqlStore
from bandit.sums import RowKey
from server.tokens import TokenKeys

SIGNALS = ("outcome", "thumb")
"""What clients report about every decision: a thumb is up or down, an outcome is OK."""

YEAR_S = 365 * 86_400.0


class Account(NamedTuple):
    """Signals that were acknowledged; those of them that are missing, and those counted too often; rows that differ."""

    acknowledged: int
    lost: int
    counted_twice: int
    sums_differing: int


async def account(store: SqlStore, keys: TokenKeys, acknowledged: Sequence[str]) -> Account:
    """Compare the decisions whose feedback was acknowledged with what a store holds, which held nothing before."""
    now_us = time.time_ns() // 1000
    told = {(keys.verify(one, now_us, YEAR_S).nonce, signal) for one in acknowledged for signal in SIGNALS}
    kept = [(record.nonce, record.signal) async for record in store.signals()]
    state = await store.load("default")
    differing = await store.verify()
    judgements = sum(moments.n for key, moments in state.rows.items() if is_judgement(key))
    return Account(
        acknowledged=len(told),
        lost=len(told - set(kept)),
        counted_twice=abs(state.revision - len(kept)) + abs(judgements - len(kept)),
        sums_differing=sum(map(len, differing.values())),
    )


def is_judgement(key: RowKey) -> bool:
    """Whether a row counts outcomes or thumbs: of each signal sent here, one is counted there."""
    return key.signal in ("error", "quality")
