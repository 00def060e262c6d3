"""An invented result of a replay: of two models and a single category, a learner that comes to prefer the small one."""

from typing import Any, Final

_START_US: Final = 1_790_000_000_000_000
_HOUR_US: Final = 3_600_000_000
_FIGURES: Final = {
    "value_usd": 0.0372,
    "lift_usd": 0.04,
    "cost_usd": 0.004,
    "quality": 0.9,
    "answer": 0.864,
    "error_rate": 0.04,
    "latency_s": 2.0,
    "latency_p50_s": 1.5,
    "latency_p95_s": 5.0,
}


def example_replay(status: str = "green", moments: int = 2) -> dict[str, Any]:
    """Return a document as `routeward replay --json` writes it, of that many moments."""
    bands = {
        part: {"mean": _course(moments, mean), "low": _course(moments, low), "high": _course(moments, high)}
        for part, mean, low, high in (("value_usd", 1.0, 0.5, 1.5), ("spend_usd", 0.5, 0.4, 0.6))
    }
    return {
        "kind": "replay",
        "status": status,
        "checks": [{"name": "resampled", "status": status, "value": 0.6, "limit": 0.5, "says": "60% again"}],
        "settings": {
            "answer_value_usd": None,
            "default_objective": {"answer_value_usd": 0.05, "second_value_usd": 0.001},
        },
        "log": {
            "rows": 100,
            "from_us": _START_US,
            "to_us": _START_US + moments * _HOUR_US,
            "rejected": {"no model": {"count": 2, "lines": [3]}},
        },
        "models": {
            "small": {"prices": {"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 2.0}},
            "large": {"prices": {"input_usd_per_mtok": 5.0, "output_usd_per_mtok": 20.0}},
        },
        "categories": [{"name": "chat", "requests": 100}],
        "policies": {
            "routeward": _policy(status, 0.75, learns=True),
            "best in hindsight": _policy(status, 0.9, hindsight=True),
            "cheapest": _policy(status, 1.0),
            "fixed:small": _policy(status, 1.0),
            "fixed:large": _policy(status, 0.0),
            "logged": _policy(status, 0.5),
        },
        "time": {
            "ends_us": [_START_US + (place + 1) * _HOUR_US for place in range(moments)],
            "requests": [100 * (place + 1) // moments for place in range(moments)],
        },
        "bands": {"routeward": bands, "logged": bands},
        "allocation": {
            "routeward": {name: _choices(_course(moments, 1.0 / moments)) for name in ("all", "chat")},
            "logged": {name: _choices([0.5] * moments) for name in ("all", "chat")},
        },
    }


def _policy(status: str, small: float, *, learns: bool = False, hindsight: bool = False) -> dict[str, Any]:
    shares = {"small": {"mean": small}, "large": {"mean": 1.0 - small}}
    figures = {
        name: {"mean": mean, "se": mean / 10, "low": 0.75 * mean, "high": 1.25 * mean}
        for name, mean in _FIGURES.items()
    }
    return {**figures, "status": status, "shares": shares, "learns": learns, "hindsight": hindsight}


def _course(moments: int, each: float) -> list[float]:
    return [each * (place + 1) for place in range(moments)]


def _choices(small: list[float]) -> dict[str, dict[str, list[float]]]:
    return {"small": {"mean": small}, "large": {"mean": [1.0 - share for share in small]}}
