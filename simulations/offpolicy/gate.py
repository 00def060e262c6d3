"""The diagnostics gate: what must hold before any number is shown.

Red refuses the headline: nothing that the log knows supports it. Amber shows it with a warning.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import stats

from bandit.request import Objective
from simulations.lights import Check, Status
from simulations.offpolicy.arms import Arms
from simulations.offpolicy.cells import CHOSEN, KNOWN, PLAIN
from simulations.offpolicy.components import COMPONENTS, weights_of
from simulations.offpolicy.sums import PROBABILITY_EDGES, LogSums
from simulations.offpolicy.weights import Weights

MIN_ESS: Final = 100.0
FEW_ESS: Final = 1000.0
MAX_SHARE: Final = 0.05
MEAN_ERRORS: Final = 4.0
MAX_UNIDENTIFIED: Final = 0.01
MAX_ERROR: Final = 0.025
"""Standard error of the quality of answers: two models that differ by less than .1 could not be told apart."""
MAX_UNUSABLE: Final = 0.05
MOST_UNUSABLE: Final = 0.5
CALIBRATION_ERRORS: Final = 4.5
"""Standard errors: of ten bins of eight models, one in 2,000 sound logs has one beyond."""
SELDOM: Final = 10.0
MIN_UNITS: Final = 8.0
FEW_UNITS: Final = 20.0
MISSING_RATIO: Final = 1.1
NAMES: Final = {"answer": "quality", "cost_usd": "cost", "latency_s": "latency", "error": "failure"}
REMEDIES: Final = {"cost_usd": "; give prices with --price MODEL=IN,OUT", "latency_s": "; or value seconds at 0"}
DRIFT_ERRORS: Final = 4.0


def policy_checks(name: str, weights: Weights, quality: float, objective: Objective) -> Iterator[Check]:
    """Yield the checks of a policy; `quality` is that of the log's answers, of 0 to 1.

    The precision that is asked for is one that can be told beforehand: a gate that looks at estimated errors lets pass
    those that are too small by luck.
    """
    ess = weights.ess
    yield Check(
        "effective sample size",
        "red" if ess < MIN_ESS else "amber" if ess < FEW_ESS else "green",
        ess,
        MIN_ESS,
        f"the log is worth {ess:,.0f} judged calls of this policy; {MIN_ESS:,.0f} are needed, {FEW_ESS:,.0f} are good",
        name,
    )
    yield Check(
        "largest weight",
        "red" if weights.largest_share > MAX_SHARE else "green",
        weights.largest_share,
        MAX_SHARE,
        f"one call makes up {weights.largest_share:.1%} of the estimate",
        name,
    )
    off = abs(weights.mean - 1.0)
    limit = MEAN_ERRORS * weights.mean_se
    yield Check(
        "mean weight",
        "red" if off > max(limit, 1e-9) else "green",
        weights.mean,
        limit,
        f"weights average {weights.mean:.3f} +- {weights.mean_se:.3f}; with right propensities it is 1",
        name,
    )
    yield Check(
        "unidentified mass",
        "red" if weights.unidentified > MAX_UNIDENTIFIED else "green",
        weights.unidentified,
        MAX_UNIDENTIFIED,
        f"{weights.unidentified:.1%} of what the policy would do, the log hardly ever did",
        name,
    )
    yield _told(name, weights, objective)
    spread = np.sqrt(np.clip(quality * (1.0 - quality), 0.0025, 0.25))
    error = float(spread / np.sqrt(weights.expected_ess)) if weights.expected_ess > 0.0 else float("inf")
    yield Check(
        "precision",
        "red" if not error <= MAX_ERROR else "green",
        min(error, 1.0),
        MAX_ERROR,
        f"quality can be known to a standard error of {min(error, 1.0):.4f}; more than {MAX_ERROR:g} decides nothing",
        name,
    )


def _told(name: str, weights: Weights, objective: Objective) -> Check:
    """Refuse what nothing tells of: each part of the value must be known of each model that would be chosen."""
    asked = weights_of(objective) != 0.0
    unknown = {part: share for part, share, valued in zip(COMPONENTS, weights.unknown, asked, strict=True) if valued}
    part = max(unknown, key=unknown.__getitem__)
    return Check(
        "known parts",
        "red" if unknown[part] > MAX_UNIDENTIFIED else "green",
        unknown[part],
        MAX_UNIDENTIFIED,
        f"{NAMES[part]} is known of {1.0 - unknown[part]:.1%} of what the policy would choose{REMEDIES.get(part, '')}",
        name,
    )


def log_checks(sums: LogSums, arms: Arms | None, objective: Objective) -> Iterator[Check]:
    """Yield the checks of a log; `arms` is None where no call is usable."""
    yield _propensities(sums)
    if arms is None:
        return
    yield _units(sums, arms)
    yield _calibration(sums)
    yield _eligibility(sums)
    yield from _missing(sums, arms)
    for part, share, valued in zip(COMPONENTS, arms.told.tolist(), weights_of(objective) != 0.0, strict=True):
        if valued and share < 1.0 - MAX_UNIDENTIFIED and part != COMPONENTS[0]:
            says = f"{share:.1%} of the calls are of a model whose {NAMES[part]} is known{REMEDIES.get(part, '')}"
            yield Check("known parts", "red", share, 1.0 - MAX_UNIDENTIFIED, says)


def drift_check(early: float, late: float, error: float) -> Check:
    """Return the check that the log's own value is the same in both halves; `error` is that of the difference."""
    off = abs(late - early) / error if error > 0.0 else 0.0
    return Check(
        "drift",
        "amber" if off > DRIFT_ERRORS else "green",
        off,
        DRIFT_ERRORS,
        f"what calls were worth differs by {off:.1f} standard errors between the two halves of the log",
    )


def _propensities(sums: LogSums) -> Check:
    unusable = sum(sums.unusable.values())
    share = unusable / max(sums.rows + unusable, 1)
    why = "; ".join(f"{count:,} {reason}" for reason, count in sums.unusable.most_common())
    says = f"{sums.rows:,} calls carry a propensity" + (f", left out: {why}" if why else "")
    if not sums.rows:
        says += ". Without propensities no policy can be evaluated: `routeward replay` may help"
    status: Status = "red" if share > MOST_UNUSABLE or not sums.rows else "amber" if share > MAX_UNUSABLE else "green"
    return Check("propensities", status, share, MAX_UNUSABLE, says)


def _units(sums: LogSums, arms: Arms) -> Check:
    """Ask whether what varies by itself is many: intervals of a log that is one session say nothing."""
    calls = np.bincount(arms.unit, weights=sums.cells.counts[:, CHOSEN].astype(np.float64))
    equal = float(calls.sum() ** 2 / (calls**2).sum())
    what = "sessions, or stretches of time," if sums.in_sessions else "stretches of time"
    says = f"{what} vary as {equal:.1f} equal ones would; {MIN_UNITS:g} are needed, {FEW_UNITS:g} are good"
    status: Status = "red" if equal < MIN_UNITS else "amber" if equal < FEW_UNITS else "green"
    return Check("independent units", status, equal, MIN_UNITS, says)


def _calibration(sums: LogSums) -> Check:
    """Hold how often models were drawn against the probabilities logged for them."""
    times, expected, variance, chosen = np.moveaxis(sums.calibration, 2, 0)
    errors = np.abs(chosen - expected) / np.sqrt(np.maximum(variance, 1e-12))
    # A handful of draws is no normal number: seldom events, and seldom misses, are counted exactly.
    for seen, awaited in ((chosen, expected), (times - chosen, times - expected)):
        tail = stats.poisson.sf(seen - 1, np.maximum(awaited, 1e-12))
        errors = np.where(awaited < SELDOM, stats.norm.isf(np.clip(tail, 1e-300, 0.5)), errors)
    errors = np.where(variance > 0.0, errors, np.where(np.abs(chosen - expected) > 1e-6, np.inf, 0.0))
    m, place = np.unravel_index(int(errors.argmax()), errors.shape)
    largest = float(errors[m, place])
    low, high = PROBABILITY_EDGES[place : place + 2]
    says = (
        f"{sums.models[m]}, given a probability of {low:g} to {high:g}, was drawn {chosen[m, place]:,.0f} times, "
        f"{expected[m, place]:,.0f} expected"
    )
    status: Status = "red" if largest > CALIBRATION_ERRORS else "green"
    if status == "green" and sums.undistributed > MAX_UNUSABLE * sums.rows:
        share = sums.undistributed / sums.rows
        status, says = "amber", f"of {share:.0%} of the calls only the chosen model's probability is logged"
    return Check("propensity calibration", status, min(largest, 1e9), CALIBRATION_ERRORS, says)


def _eligibility(sums: LogSums) -> Check:
    """Tell whether the models that could be chosen changed."""
    categories = [context.category for context in sums.contexts if context.eligible]
    changed = sorted({category for category in categories if categories.count(category) > 1})
    if not changed:
        return Check("eligibility", "green", 1.0, 1.0, "each category had the same models throughout")
    largest = max(categories.count(category) for category in changed)
    says = f"the models that could be chosen differ between calls of {', '.join(changed[:3])}"
    return Check("eligibility", "amber", float(largest), 1.0, says + (" and others" if len(changed) > 3 else ""))


def _missing(sums: LogSums, arms: Arms) -> Iterator[Check]:
    """Hold the shares of judged calls of models against each other, within categories."""
    _, _, context, model = sums.cells.keys.T
    shape = len(arms.categories), len(sums.models)
    chosen, judged = np.zeros(shape), np.zeros(shape)
    # A call that failed needs no judge.
    failed = sums.cells.values[:, PLAIN.stop - 1]
    np.add.at(chosen, (arms.category[context], model), sums.cells.counts[:, CHOSEN] - failed)
    np.add.at(judged, (arms.category[context], model), sums.cells.counts[:, KNOWN.start] - failed)
    if chosen.any() and not judged.any():
        yield Check("feedback", "red", 0.0, None, "no call tells how good its answer was")
        return
    # Each model is held against the others of its categories.
    others, others_judged = (rows.sum(axis=1, keepdims=True) - rows for rows in (chosen, judged))
    rates = (others_judged + 1.0) / (others + 2.0)
    expected = (chosen * rates).sum(axis=0)
    variance = (chosen * rates * (1.0 - rates) * (1.0 + chosen / np.maximum(others, 1.0))).sum(axis=0)
    found = np.where(others > 0.0, judged, 0.0).sum(axis=0)
    off = np.abs(found - expected) / np.sqrt(np.maximum(variance, 1e-9))
    ratio = np.maximum(found, 0.5) / np.maximum(expected, 0.5)
    ratio = np.where((off > MEAN_ERRORS) & (variance > 0.0), np.maximum(ratio, 1.0 / ratio), 1.0)
    m = int(ratio.argmax())
    says = f"{judged.sum() / max(chosen.sum(), 1.0):.1%} of the answers are judged, alike for every model"
    if ratio[m] > MISSING_RATIO:
        says = (
            f"{sums.models[m]} was judged {found[m]:,.0f} times, {expected[m]:,.0f} expected from other models: "
            "if people judge what pleases or annoys them, its value is wrong"
        )
    yield Check(
        "feedback per model", "amber" if ratio[m] > MISSING_RATIO else "green", float(ratio[m]), MISSING_RATIO, says
    )
