"""The result of a replay as one JSON document (docs/howto/replay.md says what stands in it)."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np

from adapters.traffic.log import LogReport
from bandit.catalogue import Model
from simulations.documents import json_values
from simulations.offpolicy.sums import LATENCY_EDGES_S
from simulations.replay.bands import Floats, PolicyBands
from simulations.replay.checks import overall, status_of
from simulations.replay.command import Replay
from simulations.replay.figures import LEARNER, marks, mean_of_known
from simulations.replay.unlearning import HINDSIGHT

KIND: Final = "replay"
ALL: Final = "all"
"""Stands for all categories together in allocations."""
CATEGORIES: Final = 20
"""Categories of most requests, of which allocations are told."""


def document_of(replay: Replay) -> dict[str, object]:
    """Return the result as JSON values; unknown is null, times are microseconds since 1970-01-01 UTC."""
    ends, counts = marks(replay.stage.stream_us)
    return {
        "kind": KIND,
        "status": overall(replay.checks),
        "checks": [asdict(check) for check in replay.checks],
        "settings": _settings(replay),
        "log": _log(replay),
        "models": {model.id: _model(replay, model) for model in replay.learner.models},
        "categories": [{"name": name, "requests": count} for name, count in _categories(replay)],
        "policies": {name: _policy(replay, name, bands) for name, bands in replay.policies.items()},
        "cells": list(_cells(replay)),
        "latency": {
            "edges_s": LATENCY_EDGES_S.tolist(),
            "policies": {name: bands.latencies.tolist() for name, bands in replay.policies.items()},
        },
        "time": {"ends_us": ends.tolist(), "requests": counts.tolist()},
        "bands": {
            name: {"value_usd": bands.value_usd.as_json(), "spend_usd": bands.spend_usd.as_json()}
            for name, bands in replay.policies.items()
        },
        "allocation": {
            name: dict(_allocation(replay, bands.allocation))
            for name, bands in replay.policies.items()
            if bands.allocation is not None
        },
    }


def _settings(replay: Replay) -> dict[str, object]:
    options, learner = replay.options, replay.learner
    return {
        "dry": options.dry,
        "drift_buckets": options.drift,
        "seeds": options.seeds,
        "first_seed": options.first_seed,
        "refresh_seconds": learner.refresh_s,
        "answer_delay_seconds": options.answer_delay_s,
        "judge_delay_seconds": options.judge_delay_s,
        "answer_value_usd": learner.answer_value_usd,
        "second_value_usd": learner.second_value_usd,
        "default_objective": learner.objective._asdict(),
        "exploration": learner.policy.exploration,
        "floor": learner.policy.floor,
        "prices": {model: asdict(prices) for model, prices in options.what_if.prices.items()},
        "without": list(options.what_if.without),
    }


def _log(replay: Replay) -> dict[str, object]:
    traffic, asked, report = replay.traffic, replay.stage.asked, replay.report
    return {
        "format": report.format,
        "rows": report.used,
        "rejected": _rejected(report),
        "left_out": dict(traffic.left_out),
        "knows": dict(report.knows),
        "notes": list(replay.notes),
        "from_us": int(traffic.time_us[0]),
        "to_us": int(traffic.time_us[-1]),
        "requests": int((~traffic.forced[asked.stream]).sum()),
        "forced": int(traffic.forced[asked.stream].sum()),
        "unserved": int(len(traffic) - len(asked.stream)),
        "unseen": [{"category": category, "model": model} for category, model in asked.unseen],
        "taken_for_means": dict(replay.stage.worth.taken),
        "drift_buckets": replay.cuts.drift,
        "contextual": [one._asdict() for one in replay.cuts.leanings],
    }


def _rejected(report: LogReport) -> dict[str, object]:
    return {reason: {"count": found.count, "lines": found.lines} for reason, found in report.rejected.items()}


def _model(replay: Replay, model: Model) -> dict[str, object]:
    logged = replay.logged.get(model.id)
    return {"prices": asdict(model.prices), "logged_prices": None if logged is None else asdict(logged)}


def _categories(replay: Replay) -> Sequence[tuple[str, int]]:
    stream, traffic = replay.stage.asked.stream, replay.traffic
    counts = np.bincount(traffic.category[stream[~traffic.forced[stream]]], minlength=len(traffic.categories))
    order = np.argsort(-counts, kind="stable")
    return [(traffic.categories[c], int(counts[c])) for c in order.tolist()]


def _policy(replay: Replay, name: str, bands: PolicyBands) -> dict[str, object]:
    shares, resampled = bands.shares.as_json(), bands.resampled.as_json()
    models = replay.traffic.models
    return {
        "status": status_of(name, replay.checks),
        "learns": name == LEARNER,
        "hindsight": name == HINDSIGHT,
        **{figure: band.as_json() for figure, band in bands.figures.items()},
        "shares": _by_model(models, shares),
        "resampled_by_model": _by_model(models, resampled),
    }


def _by_model(models: Sequence[str], columns: dict[str, object]) -> dict[str, dict[str, object]]:
    """Turn lists by statistic into statistics by model."""
    rows = zip(*(np.array(values, object).tolist() for values in columns.values()), strict=True)
    return {model: dict(zip(columns, row, strict=True)) for model, row in zip(models, rows, strict=True)}


def _cells(replay: Replay) -> Iterator[dict[str, object]]:
    """Yield what is on tape of each model in each category, at the prices of this replay."""
    stage, traffic = replay.stage, replay.traffic
    worth, rows = stage.worth, stage.tapes.rows
    cost_usd = worth.cost_usd(rows, rows)
    for c, category in enumerate(traffic.categories):
        for m, model in enumerate(traffic.models):
            here = (traffic.category[rows] == c) & (traffic.model[rows] == m)
            if here.any():
                means = {
                    name: mean_of_known(values[here])
                    for name, values in (
                        ("answer", worth.answer[rows]),
                        ("cost_usd", cost_usd),
                        ("latency_s", worth.latency_s[rows]),
                        ("error", worth.error[rows]),
                    )
                }
                yield {"category": category, "model": model, "rows": int(here.sum()), **json_values(means)}


def _allocation(replay: Replay, shares: Floats) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the shares of models from mark to mark: over all categories, then in each of the largest."""
    traffic = replay.traffic
    largest = [traffic.categories.index(name) for name, _ in _categories(replay)[:CATEGORIES]]
    for place, name in ((-1, ALL), *((c, traffic.categories[c]) for c in largest)):
        yield name, {model: {"mean": json_values(shares[:, place, m])} for m, model in enumerate(traffic.models)}
