"""What a replay found, as a table for people."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulations.counting import counted
from simulations.replay.bands import Band, Floats
from simulations.replay.checks import overall, status_of
from simulations.replay.command import Replay
from simulations.replay.figures import LEARNER
from simulations.replay.unlearning import HINDSIGHT, LOGGED

_THOUSAND: Final = 1000.0
_NAME: Final = 28
_NARROW: Final[Mapping[str, Any]] = {"box": SIMPLE_HEAD, "collapse_padding": True, "pad_edge": False}
"""With names of this width, a table has 100 columns."""
_LEGEND: Final = (
    "Per 1,000 requests, at the prices of this replay. ±: one standard error of the lift.",
    "answer: quality times answered, so 0 for a call that failed.",
    "lift: over what the log's own choices were worth. again: outcomes that were played before.",
    f"{HINDSIGHT}: nobody could have known it.",
)


def summary_table(replay: Replay) -> Table:
    """Return the policies as a table, best first; 100 columns hold it."""
    requests = int((~replay.traffic.forced[replay.stage.asked.stream]).sum())
    seeds = counted(replay.options.seeds, "seed")
    title = f"replay of {counted(requests, 'request')}, {seeds}: {overall(replay.checks)}"
    table = Table(title=title, caption="\n".join(_caption(replay)), caption_justify="left", **_NARROW)
    table.add_column("policy", no_wrap=True, overflow="ellipsis", max_width=_NAME)
    for heading in ("value $", "lift $", "±", "cost $", "answer", "errors", "p50 s", "p95 s", "again"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    table.add_column("check", no_wrap=True, min_width=5)
    for name in sorted(replay.policies, key=lambda name: -_known(replay.policies[name].figures["value_usd"])):
        figures = replay.policies[name].figures
        lift = figures["lift_usd"]
        table.add_row(
            name,
            _usd(figures["value_usd"].mean),
            "" if name == LOGGED else _usd(lift.mean),
            "" if name == LOGGED else _usd(lift.se),
            _usd(figures["cost_usd"].mean),
            *(_shown(figures[one].mean, ".1%") for one in ("answer", "error_rate")),
            *(_shown(figures[one].mean, ".2f") for one in ("latency_p50_s", "latency_p95_s")),
            _shown(figures["resampled"].mean, ".0%"),
            status_of(name, replay.checks),
        )
    return table


def _caption(replay: Replay) -> Iterator[str]:
    for check in replay.checks:
        if check.status != "green" and check.policy in ("", LEARNER, LOGGED):
            yield f"{check.status}: {check.says}" + (f" ({check.policy})" if check.policy else "")
    for reason, count in replay.traffic.left_out.items():
        yield f"{counted(count, 'row')} left out: {reason}"
    yield from replay.notes
    played, log = replay.policies[LEARNER].figures["played"], replay.policies[LOGGED].figures["played"]
    if float(played.mean) < float(log.mean):
        yield f"stopped after {float(played.mean):,.0f} of {float(log.mean):,.0f} requests: a tape was dry"
    yield from _LEGEND


def _known(band: Band) -> float:
    return float(band.mean) if math.isfinite(float(band.mean)) else -math.inf


def _usd(value: Floats) -> str:
    return _shown(value * _THOUSAND, ".2f")


def _shown(value: Floats, spec: str) -> str:
    number = float(value)
    return format(number, spec) if math.isfinite(number) else "-"
