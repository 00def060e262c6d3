"""An invented result, to see what a report looks like before there is a log."""

import json
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NAMES: Final = ("north-large", "north-medium", "north-small", "south-pro", "south-flash", "open-70b")
_TASKS: Final = ("summarization", "code-review", "extraction", "translation", "chat")
_START_US: Final = 1_790_000_000_000_000
_DAY_US: Final = 86_400_000_000
_DAYS: Final = 28
_VALUE, _SECOND = 0.05, 0.001
_ESTIMATORS: Final = (
    ("ips", 0.6, 4.0),
    ("snips", 0.3, 2.4),
    ("dm", -0.8, 1.5),
    ("dr", 0.1, 2.2),
    ("awdr", 0.0, 1.96),
    ("cressie_read", 0.2, 2.3),
)
"""How far each is off, and how wide its interval is to one side, in standard errors."""


def example(models: int = 4, rows: int = 120_000, seed: int = 7) -> dict[str, Any]:
    """Return a document as `routeward evaluate --json` writes it. Equal seeds give equal documents."""
    rng = np.random.default_rng(seed)
    names = [_NAMES[place % 6] + ("" if place < 6 else f"-v{place // 6 + 1}") for place in range(models)]
    weight = np.linspace(1.0, 0.1, models) ** 1.5
    quality = 0.55 + 0.35 * weight + rng.normal(0, 0.06, (len(_TASKS), models))
    quality = np.clip(quality, 0.05, 0.98)
    cost, latency = 0.00025 + 0.012 * weight**2, 0.5 + 3.0 * weight
    worth = _VALUE * quality.mean(0) - cost - _SECOND * latency
    learned = np.exp(400 * (worth - worth.max()))
    learned /= learned.sum()
    shares = {
        "logged": np.full(models, 1 / models),
        "routeward": learned,
        **{f"fixed:{n}": np.eye(models)[m] for m, n in enumerate(names)},
    }
    means = {name: (quality.mean(0) @ p, cost @ p, latency @ p) for name, p in shares.items()}
    policies = {name: _policy(name, names, p, means, rows / models) for name, p in shares.items()}
    logged = policies.pop("logged")
    checks = [check for name, policy in policies.items() for check in _checks(name, policy)]
    return {
        "kind": "evaluate",
        "log": _log(rows),
        "objective": {"answer_value_usd": _VALUE, "second_value_usd": _SECOND},
        "verdict": "amber" if any(check["status"] != "green" for check in checks) else "green",
        "checks": checks,
        "logged": {**logged["headline"], "components": logged["components"]},
        "policies": policies,
        "front": [_point(name, policy) for name, policy in {"logged": logged, **policies}.items()],
        "cells": _cells(names, quality, cost, latency, rows),
        "models": [{"id": name} for name in names],
        "categories": [{"name": task, "rows": rows // len(_TASKS)} for task in _TASKS],
        "time": _time(names, shares, means, rows),
        "change_points": [
            {"time_us": _START_US + 12 * _DAY_US, "category": "", "model": names[0], "what": "dearer"},
            {"time_us": _START_US + 20 * _DAY_US, "category": "chat", "model": names[-1], "what": "an outage"},
        ],
        "latency": _latency(names, latency, shares),
        "calibration": _calibration(rows),
        "missingness": {name: {"answer": 0.05 - 0.004 * m / models, "cost_usd": 0.998} for m, name in enumerate(names)},
    }


def _log(rows: int) -> dict[str, Any]:
    times = {"from": _START_US, "to": _START_US + _DAYS * _DAY_US}
    return {"name": "decisions.parquet", "rows": rows, **times, "format": "routeward", "rejected": {"no model": 3}}


def _policy(
    name: str, names: Sequence[str], p: Floats, means: dict[str, tuple[Any, ...]], effective: float
) -> dict[str, Any]:
    (answer, cost, latency), (base_answer, base_cost, base_latency) = (map(float, means[n]) for n in (name, "logged"))
    value = _VALUE * answer - cost - _SECOND * latency
    lift = value - (_VALUE * base_answer - base_cost - _SECOND * base_latency)
    se = 0.0 if name == "logged" else 0.02 / math.sqrt(effective)
    wide = 2.8 * se
    between = {"value": lift, "low": lift - 1.96 * se, "high": lift + 1.96 * se}
    return {
        "status": "green",
        "reasons": [],
        "headline": {"estimator": "adaptively weighted DR", **_interval(value, 1.96 * (se or 1e-4))},
        "lift": {**between, "low_simultaneous": lift - wide, "high_simultaneous": lift + wide} if se else None,
        "estimates": {
            estimator: _interval(value + shift * (se or 1e-4), width * (se or 1e-4))
            for estimator, shift, width in _ESTIMATORS
        },
        "components": {"answer": answer, "cost_usd": cost, "latency_s": latency, "error": 0.004},
        "components_se": {
            "answer": 0.3 / math.sqrt(effective),
            "cost_usd": cost / math.sqrt(effective),
            "latency_s": 0.01,
        },
        "weights": {
            "ess": effective,
            "largest_share": 3 / effective,
            "mean": 1.001,
            "mean_se": 0.002,
            "unidentified": 0.0,
        },
        "shares": {model: float(share) for model, share in zip(names, p, strict=True)},
        "toml": _toml(name),
    }


def _interval(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def _toml(name: str) -> str:
    model = json.dumps(name.removeprefix("fixed:") if name.startswith("fixed:") else "*")
    return f"[policies.{json.dumps(name)}]\ndefault = {model}\n"


def _checks(name: str, policy: dict[str, Any]) -> list[dict[str, Any]]:
    ess = policy["weights"]["ess"]
    status = "green" if ess >= 1000 else "amber"
    says = f"{ess:,.0f} effective calls"
    return [
        {"name": "effective sample size", "policy": name, "status": status, "value": ess, "limit": 1000, "says": says}
    ]


def _point(name: str, policy: dict[str, Any]) -> dict[str, Any]:
    part, error = policy["components"], policy["components_se"]
    known = {key: part[key] for key in ("answer", "cost_usd", "latency_s")}
    return {
        "name": name,
        **known,
        "answer_se": error["answer"],
        "cost_usd_se": error["cost_usd"],
        "toml": policy["toml"],
    }


def _cells(names: Sequence[str], quality: Floats, cost: Floats, latency: Floats, rows: int) -> list[dict[str, Any]]:
    each = rows // (len(_TASKS) * len(names))
    best = np.exp(60 * (quality - quality.max(1, keepdims=True)))
    best /= best.sum(1, keepdims=True)
    return [
        {
            "category": task,
            "model": name,
            "rows": each,
            "share_of_traffic": 1 / (len(_TASKS) * len(names)),
            "answer": float(quality[c, m]),
            "answer_se": float(0.4 / math.sqrt(each * 0.05) * (1 + 2 * m / len(names))),
            "cost_usd": float(cost[m]),
            "latency_s": float(latency[m]),
            "error": 0.004,
            "p_best": float(best[c, m]),
        }
        for c, task in enumerate(_TASKS)
        for m, name in enumerate(names)
    ]


def _time(
    names: Sequence[str], shares: dict[str, Floats], means: dict[str, tuple[Any, ...]], rows: int
) -> dict[str, Any]:
    done = np.arange(1, _DAYS + 1) * rows / _DAYS
    drawn = ("routeward", f"fixed:{names[0]}", f"fixed:{names[-1]}")
    worth = {name: float(_VALUE * means[name][0] - means[name][1] - _SECOND * means[name][2]) for name in shares}
    towards = (1 - np.exp(-np.arange(_DAYS) / 5))[:, None]
    course = (1 - towards) * shares["logged"] + towards * shares["routeward"]
    return {
        "starts_us": [_START_US + day * _DAY_US for day in range(_DAYS)],
        "rows": [rows // _DAYS] * _DAYS,
        "logged_value": [rows / _DAYS * worth["logged"]] * _DAYS,
        "logged_spend": [rows / _DAYS * float(means["logged"][1])] * _DAYS,
        "shares": {task: {name: course[:, m].tolist() for m, name in enumerate(names)} for task in _TASKS},
        "policies": {
            name: {
                "value": (done * worth[name]).tolist(),
                "low": (done * worth[name] - 0.4 * np.sqrt(done)).tolist(),
                "high": (done * worth[name] + 0.4 * np.sqrt(done)).tolist(),
                "spend": (done * float(means[name][1])).tolist(),
            }
            for name in drawn
        },
    }


def _latency(names: Sequence[str], latency: Floats, shares: dict[str, Floats]) -> dict[str, Any]:
    edges = np.geomspace(0.05, 60, 61)
    middle = np.log(np.sqrt(edges[1:] * edges[:-1]))
    bells = np.exp(-((middle - np.log(latency)[:, None]) ** 2) / (2 * 0.5**2))
    bells /= bells.sum(1, keepdims=True)
    models = {name: np.round(10_000 * bells[m]).tolist() for m, name in enumerate(names)}
    return {
        "edges_s": edges.tolist(),
        "models": models,
        "policies": {"routeward": (shares["routeward"] @ bells).tolist()},
    }


def _calibration(rows: int) -> list[dict[str, Any]]:
    bins = [(low / 10, (low + 1) / 10) for low in range(10)]
    return [
        {
            "low": low,
            "high": high,
            "expected": (low + high) / 2 * (rows // 10),
            "chosen": ((low + high) / 2 + 0.004 * (-1) ** n) * (rows // 10),
            "n": rows // 10,
        }
        for n, (low, high) in enumerate(bins)
    ]
