"""An export that dies without a word, and the next one."""

from pathlib import Path

import numpy as np
import pytest

from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.traffic import decisions_of
from adapters.traffic.formats import open_log
from adapters.traffic.own.folder import HOUR_US
from bandit.records import DecisionRecord, DistributionRecord, ModelForecast, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status
from tests import forked
from tests.integration.exporter import export

START_US = 490_000 * HOUR_US
DECISIONS, HOURS = 400, 5


async def filled(file: Path) -> None:
    """A store of decisions over some hours, each with its outcome."""
    rng, store = np.random.default_rng(1), await SqliteStore.open(file, bucket_us=HOUR_US)
    drawn_from = DistributionRecord(1, 1, "", 0.05, 0.001, {"large": ModelForecast(1.0, 0.9, 0.01, 1.0, 0.0)}, {})
    decided, said = [], []
    for time_us in sorted((START_US + rng.integers(0, HOURS * HOUR_US, DECISIONS)).tolist()):
        nonce = rng.bytes(12)
        decided.append(
            DecisionRecord("acme", nonce, time_us, "chat", "large", Kind.SAMPLED, 1.0, 0.5, "", "balanced", drawn_from)
        )
        facts, outcome = DecisionFacts("chat", "large", Kind.SAMPLED, time_us), Outcome(Status.OK, time_us % 1000)
        said.append(SignalRecord("acme", nonce, "outcome", outcome, time_us, time_us, facts, 1.0))
    await store.log_decisions(decided)
    await store.write(said)
    await store.close()


def killed(file: Path, folder: Path, suffix: str, lines: int) -> None:
    """Export, and end it as a crash would once it has said so many lines."""
    with forked.printing("tests.integration.exporter", str(file), str(folder), suffix) as (process, told):
        heard = [told.readline() for _ in range(lines)]
        process.kill()
    assert heard == [".\n"] * lines


@pytest.mark.parametrize(("suffix", "moments"), [(".jsonl", (1, 20)), (".parquet", (9, 15))])
async def test_after_kill_9_at_any_time_the_next_export_completes_it_and_nothing_is_there_twice(
    tmp_path, suffix, moments
):
    file, folder = tmp_path / "store.db", tmp_path / "out"
    await filled(file)
    expected = [one.call for one in decisions_of(file, 0, START_US + HOURS * HOUR_US)]
    for lines in moments:
        killed(file, folder, suffix, lines)
        if list(folder.glob(f"*{suffix}")):
            log = open_log(folder)
            found = list(log.calls())
            assert log.report.rejected == {}
            assert set(map(str, found)) <= set(map(str, expected))
    export(file, folder, suffix)
    assert list(open_log(folder).calls()) == expected
