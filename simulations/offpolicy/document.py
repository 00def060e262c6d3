"""An evaluation as JSON values: every number that the table, the report page and a pipeline need. Unknown is null."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.traffic.log import LogReport
from bandit.request import Objective
from simulations.documents import json_values
from simulations.offpolicy.components import COMPONENTS, worth_of
from simulations.offpolicy.estimators import Evaluator
from simulations.offpolicy.evaluation import Evaluation, Valued
from simulations.offpolicy.front import front
from simulations.offpolicy.intervals import Interval, standard_error
from simulations.offpolicy.policies import matrices
from simulations.offpolicy.sums import LATENCY_EDGES_S, PROBABILITY_EDGES
from simulations.offpolicy.timeline import changes, played, timeline_of

Floats = NDArray[np.float64]
Json = dict[str, Any]

ESTIMATOR_NAMES: Final = {"awdr": "adaptively weighted DR", "dr": "DR with predictable q", "": ""}


def document_of(
    evaluation: Evaluation, evaluator: Evaluator | None, name: str, report: LogReport | None = None
) -> Json:
    """Return the document of an evaluation; `report` is what reading the log told, where it was read just now."""
    document: Json = {
        "kind": "evaluate",
        "log": {"name": name} | _log(evaluator, report),
        "objective": evaluation.objective._asdict(),
        "confidence": evaluation.confidence,
        "headline": ESTIMATOR_NAMES[evaluation.headline],
        "verdict": evaluation.verdict,
        "checks": [asdict(check) for check in evaluation.checks],
        "logged": _interval(evaluation.logged)
        | {"components": _components(evaluation.logged_components) if evaluation.logged_components else {}},
        "policies": {valued.policy.name: _valued(valued, evaluation, evaluator) for valued in evaluation.policies},
    }
    if evaluator is not None:
        document |= _pictures(evaluation, evaluator)
    cleaned: Json = json_values(document)
    return cleaned


def _pictures(evaluation: Evaluation, evaluator: Evaluator) -> Json:
    timeline, objective = timeline_of(evaluator), evaluation.objective
    starts = timeline.starts.tolist()
    logged = timeline.logged(evaluator)
    matrix = matrices([valued.policy for valued in evaluation.policies], evaluator.sums)
    return {
        "front": list(_front(evaluation, evaluator)),
        "cells": list(_cells(evaluator, objective)),
        "models": [{"id": model} for model in evaluator.sums.models],
        "categories": [
            {"name": category, "rows": int(count)}
            for category, count in zip(evaluator.arms.categories, _category_calls(evaluator), strict=True)
        ],
        "time": {
            "starts_us": starts if evaluator.sums.timed else None,
            "first_rows": None if evaluator.sums.timed else starts,
            "rows": timeline.rows.tolist(),
            "logged_value": worth_of(logged, objective).tolist(),
            "logged_spend": logged[:, COMPONENTS.index("cost_usd")].tolist(),
            "shares_all": {
                model: _ratios(timeline.calls[:, :, m].sum(axis=1), timeline.rows)
                for m, model in enumerate(evaluator.sums.models)
            },
            "shares": {
                category: {
                    model: _ratios(timeline.calls[:, c, m], timeline.calls[:, c].sum(axis=1))
                    for m, model in enumerate(evaluator.sums.models)
                }
                for c, category in enumerate(evaluator.arms.categories)
            },
            "policies": {
                valued.policy.name: _over_time(valued, played(evaluator, probabilities), timeline.rows, objective)
                for valued, probabilities in zip(evaluation.policies, matrix, strict=True)
                if valued.status != "red"
            },
        },
        "change_points": [
            {
                "time_us": starts[change.at] if evaluator.sums.timed else None,
                "first_row": None if evaluator.sums.timed else starts[change.at],
                "category": change.category,
                "model": change.model,
                "what": change.what,
            }
            for change in changes(evaluator, timeline)
        ],
        "latency": _latency(evaluation, evaluator, matrix),
        "calibration": [
            {"low": low, "high": high, "n": n, "expected": expected, "chosen": chosen}
            for low, high, (n, expected, _, chosen) in zip(
                PROBABILITY_EDGES, PROBABILITY_EDGES[1:], evaluator.sums.calibration.sum(axis=0).tolist(), strict=False
            )
        ],
        "missingness": _missingness(evaluator),
    }


def _log(evaluator: Evaluator | None, report: LogReport | None) -> Json:
    facts: Json = {"rows": 0, "from": None, "to": None}
    if evaluator is not None:
        sums, slices = evaluator.sums, evaluator.sums.cells.slices
        facts["rows"] = sums.rows
        facts["unusable"] = dict(sums.unusable)
        if sums.timed:
            facts["from"], facts["to"] = (_iso(int(one) * sums.width) for one in (slices[0], slices[-1] + 1))
    if report is not None:
        facts["format"] = report.format
        facts["rejected"] = {reason: one.document() for reason, one in report.rejected.items()}
        facts["knows"] = {name: count / max(report.used, 1) for name, count in report.knows.items()}
        facts["sources"], facts["notes"] = dict(report.sources), list(report.notes)
    return facts


def _valued(valued: Valued, evaluation: Evaluation, evaluator: Evaluator | None) -> Json:
    return {
        "status": valued.status,
        "reasons": list(valued.reasons),
        "headline": None
        if valued.headline is None
        else {"estimator": ESTIMATOR_NAMES[evaluation.headline]} | _interval(valued.headline),
        "lift": None if valued.lift is None else asdict(valued.lift),
        "estimates": {name: _interval(interval) for name, interval in valued.estimates.items()},
        "components": _components(valued.components),
        "components_se": _components(valued.component_errors),
        "weights": {name: number for name, number in asdict(valued.weights).items() if name != "unknown"},
        "unknown": _components(valued.weights.unknown),
        "shares": {} if evaluator is None else _shares(valued, evaluator),
        "toml": valued.policy.toml(),
    }


def _shares(valued: Valued, evaluator: Evaluator) -> dict[str, float]:
    [matrix] = matrices([valued.policy], evaluator.sums)
    return dict(zip(evaluator.sums.models, (evaluator.arms.shares @ matrix).tolist(), strict=True))


def _front(evaluation: Evaluation, evaluator: Evaluator) -> Iterator[Json]:
    def point(name: str, values: tuple[float, ...], errors: tuple[float, ...], toml: str) -> Json:
        pairs = zip(COMPONENTS, values, errors, strict=True)
        numbers = {
            key: number for part, value, error in pairs for key, number in ((part, value), (f"{part}_se", error))
        }
        return {"name": name, **numbers, "toml": toml}

    logged = evaluator.logged
    errors = tuple(standard_error(column) for column in logged.influence.T)
    yield point("logged", evaluation.logged_components, errors, "")
    for valued in evaluation.policies:
        if valued.status != "red":
            yield point(valued.policy.name, valued.components, valued.component_errors, valued.policy.toml())
    if evaluation.verdict == "red":
        return
    for one in front(evaluator, evaluation.objective, evaluation.headline):
        yield point(one.policy.name, one.components, one.errors, one.policy.toml()) | {
            "answer_value_usd": one.answer_value_usd
        }


def _cells(evaluator: Evaluator, objective: Objective) -> Iterator[Json]:
    """Yield what is known of each model in each category, by the plain means of its calls, drawn to the model's own."""
    timeline = timeline_of(evaluator)
    chosen, known = timeline.calls.sum(axis=0), timeline.known.sum(axis=0)
    arms, q = evaluator.arms, evaluator.arms.direct
    spread = np.sqrt(np.clip(q[..., 0] * (1.0 - q[..., 0]), 1e-4, None) / (known[..., 0] + 5.0))
    best = _best_probabilities(worth_of(q, objective), spread * objective.answer_value_usd, chosen > 0)
    for c, category in enumerate(arms.categories):
        for m, model in enumerate(evaluator.sums.models):
            if chosen[c, m]:
                means = {part: float(q[c, m, k]) if known[c, m, k] else None for k, part in enumerate(COMPONENTS)}
                yield {
                    "category": category,
                    "model": model,
                    "rows": int(chosen[c, m]),
                    "share_of_traffic": float(chosen[c, m] / chosen.sum()),
                    **means,
                    "answer_se": float(spread[c, m]) if known[c, m, 0] else None,
                    "p_best": float(best[c, m]),
                }


def _best_probabilities(means: Floats, deviations: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return the probability that each model is the best of its category, of independent normal beliefs."""
    from bandit.best import best_probabilities

    probabilities = np.zeros(means.shape)
    for c, here in enumerate(present):
        if here.any():
            probabilities[c, here] = best_probabilities(means[c, here].tolist(), deviations[c, here].tolist())
    return probabilities


def _over_time(valued: Valued, brought: Floats, rows: Floats, objective: Objective) -> Json:
    """Return sums up to the end of each slice; their band is that of the whole log, by the square root of the calls."""
    total, calls = worth_of(brought, objective).cumsum(), rows.cumsum()
    interval = valued.estimates["dr"]
    half = (interval.high - interval.low) / 2.0 * np.sqrt(calls * calls[-1])
    return {
        "value": total.tolist(),
        "low": (total - half).tolist(),
        "high": (total + half).tolist(),
        "spend": brought[:, COMPONENTS.index("cost_usd")].cumsum().tolist(),
    }


def _latency(evaluation: Evaluation, evaluator: Evaluator, matrix: Floats) -> Json:
    """Return calls by latency: of each model, of the log, and weighted as each policy would have made them."""
    histograms, models = evaluator.sums.latencies, evaluator.sums.models
    weighted = {
        valued.policy.name: np.einsum("xm,xmb->b", probabilities, histograms[:, :, 1]).tolist()
        for valued, probabilities in zip(evaluation.policies, matrix, strict=True)
        if valued.status != "red"
    }
    return {
        "edges_s": LATENCY_EDGES_S.tolist(),
        "models": dict(zip(models, histograms[:, :, 0].sum(axis=0).tolist(), strict=True)),
        "policies": {"logged": histograms[:, :, 0].sum(axis=(0, 1)).tolist()} | weighted,
    }


def _missingness(evaluator: Evaluator) -> Json:
    models, timeline = evaluator.sums.models, timeline_of(evaluator)
    chosen, known = timeline.calls.sum(axis=(0, 1)), timeline.known.sum(axis=(0, 1))
    return {
        model: {part: float(known[m, k] / chosen[m]) for k, part in enumerate(COMPONENTS)}
        for m, model in enumerate(models)
        if chosen[m]
    }


def _category_calls(evaluator: Evaluator) -> list[float]:
    counts: list[float] = np.bincount(evaluator.arms.category, weights=evaluator.arms.traffic.sum(axis=0)).tolist()
    return counts


def _components(values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(COMPONENTS, values, strict=True))


def _ratios(part: Floats, whole: Floats) -> list[float]:
    return [float(a / b) if b else math.nan for a, b in zip(part, whole, strict=True)]


def _interval(interval: Interval) -> dict[str, float]:
    return interval._asdict()


def _iso(time_us: int) -> str:
    latest = datetime.max.replace(tzinfo=UTC).timestamp() * 1e6 - 1e6
    return datetime.fromtimestamp(min(time_us, latest) / 1e6, UTC).isoformat()
