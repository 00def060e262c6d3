"""How far a replay can be trusted: each check is green, amber or red, and says why.

Some are of the log, the others of each policy. What is asked is what the learner would have brought, and how much more
than what was logged: so the whole is as good as the checks of the log and of these two.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from adapters.traffic.failures import answers
from simulations.lights import Check, Status, worst
from simulations.replay.bands import PolicyBands
from simulations.replay.course import Stage
from simulations.replay.figures import LEARNER
from simulations.replay.stage import Cuts
from simulations.replay.tapes import LEAST
from simulations.replay.unlearning import LOGGED

RESAMPLED: Final = (0.5, 0.9)
THIN: Final = (0.01, 0.05)
BORROWED: Final = (0.1, 0.5)
UNVALUED: Final = (0.01, 0.1)
UNJUDGED: Final = (0.5, 0.99)
UNSEEN: Final = (0.0, 0.05)
"""Above which share a check is amber, and red."""
LEANING: Final = 0.05


def checks_of(stage: Stage, cuts: Cuts, policies: Mapping[str, PolicyBands]) -> tuple[Check, ...]:
    """Return what may spoil figures: of the log first, then of every policy."""
    of_policies = (check for name, bands in policies.items() for check in _of_policy(stage, name, bands))
    return (*_of_log(stage, cuts), *of_policies)


def overall(checks: Sequence[Check]) -> Status:
    """Return how far what was asked can be trusted."""
    return worst([check.status for check in checks if check.policy in ("", LEARNER, LOGGED)])


def status_of(name: str, checks: Sequence[Check]) -> Status:
    """Return how far the figures of a policy can be trusted."""
    return worst([check.status for check in checks if check.policy in ("", name)])


def _of_policy(stage: Stage, name: str, bands: PolicyBands) -> Iterator[Check]:
    figures = {figure: float(band.mean) for figure, band in bands.figures.items()}
    unvalued = f"of the outcomes have no known value{_wanting(stage)}"
    yield _share("unvalued", 1.0 - figures["valued"], UNVALUED, unvalued, name)
    if name == LOGGED:
        return  # its outcomes are its own, from no tape
    for check, value, limits, says in (
        ("resampled", figures["resampled"], RESAMPLED, "of the outcomes were played before: their tape was dry"),
        ("thin tapes", _thin(stage, bands), THIN, f"of the requests went to models with under {LEAST} outcomes"),
        ("borrowed", figures["borrowed"], BORROWED, "of the outcomes are of another time or prompt size"),
    ):
        yield _share(check, value, limits, says, name)


def _of_log(stage: Stage, cuts: Cuts) -> Iterator[Check]:
    traffic, asked = stage.traffic, stage.asked
    unjudged = float(np.isnan(answers(traffic.status, traffic.quality)).mean())
    unseen = len(asked.unseen) / (len(asked.models) * len(traffic.categories))
    yield _share("unjudged", unjudged, UNJUDGED, "of the calls were not judged; the mean of their tape stands in")
    yield _share("unseen", unseen, UNSEEN, "of models times categories have no outcome: not offered")
    if cuts.leanings:
        strongest = cuts.leanings[0]
        text = (
            f"is how much more often {strongest.model} served large prompts of {strongest.category} than small ones: "
            "tapes are cut by prompt size there"
        )
        yield Check("contextual logger", "amber", abs(strongest.share), LEANING, f"{strongest.share:.1%} {text}")


def _wanting(stage: Stage) -> str:
    """Return which parts of a value some outcomes lack."""
    worth = stage.worth
    parts = {"quality": worth.answer, "cost": worth.fixed_usd}
    if (stage.asked.second_value_usd > 0).any():
        parts["latency (--second-value-usd 0 leaves it out)"] = worth.latency_s
    wanting = [name for name, values in parts.items() if np.isnan(values).any()]
    return f", for want of {' and '.join(wanting)}" if wanting else ""


def _thin(stage: Stage, bands: PolicyBands) -> float:
    """Return the share of requests that went to models with too few outcomes in the category, all times together."""
    traffic = stage.traffic
    outcomes = np.zeros((len(traffic.categories), len(traffic.models)))
    np.add.at(outcomes, (traffic.category[~traffic.forced], traffic.model[~traffic.forced]), 1)
    counts = bands.counts
    return float(counts[outcomes < LEAST].sum() / counts.sum()) if counts.sum() else 0.0


def _share(name: str, value: float, limits: tuple[float, float], says: str, policy: str = "") -> Check:
    amber, red = limits
    value = 1.0 if np.isnan(value) else value
    status: Status = "red" if value > red else "amber" if value > amber else "green"
    return Check(name, status, value, red if value > red else amber, f"{value:.1%} {says}", policy)
