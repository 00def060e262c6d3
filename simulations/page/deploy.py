"""The keys of routeward.toml that make a server do what a policy of an evaluation did."""

import json
import tomllib
from typing import Final

PROFILE: Final = "balanced"
"""The profile of requests that name none."""
DEFAULT: Final = "default"
"""In a file of policies, what is chosen in categories that are not named."""


def valued(answer_value_usd: float, second_value_usd: float | None) -> str:
    """Return the profile that weighs quality against cost as a point of the front does."""
    lines = [
        "# routeward finds the best model of each category for this value of an answer.",
        f"[profiles.{PROFILE}]",
        f"answer_value_usd = {answer_value_usd:.6g}",
    ]
    if second_value_usd is not None:
        lines.append(f"second_value_usd = {second_value_usd:.6g}")
    return "\n".join(lines) + "\n"


def fixed(policy: str) -> str:
    """Return categories that always take their policy's model, of a policy as a file of policies has it.

    Empty where the policy draws among models: a configuration cannot say that.
    """
    return "\n".join(
        f"[categories.{json.dumps(category)}]\nbaseline = {json.dumps(model)}\nobserve_share = 0.0\n"
        for category, model in chosen_models(policy).items()
    )


def chosen_models(policy: str) -> dict[str, str]:
    """Return the model of each category, of a policy as a file of policies has it; {} where it draws among models."""
    try:
        [choices] = tomllib.loads(policy).get("policies", {}).values()
    except (tomllib.TOMLDecodeError, ValueError, AttributeError):
        return {}
    if not isinstance(choices, dict) or not all(isinstance(m, str) and m != "*" for m in choices.values()):
        return {}
    return choices
