"""Which models may be chosen at all, whatever is believed about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bandit.catalogue import Model


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call needs of its model. Empty fields need nothing; token counts are exact."""

    allowed: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    region: str = ""
    input_tokens: int = 0
    max_output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Bit m of `mask` says that model m may be chosen; `exclusions` names what excluded each other one."""

    mask: int
    exclusions: dict[str, str] = field(default_factory=dict)


def eligible(models: Sequence[Model], needs: Needs) -> Eligibility:
    """Return which of `models` can serve a call with these needs."""
    mask = 0
    exclusions: dict[str, str] = {}
    for index, model in enumerate(models):
        reason = exclusion(model, needs)
        if reason:
            exclusions[model.id] = reason
        else:
            mask |= 1 << index
    return Eligibility(mask, exclusions)


def exclusion(model: Model, needs: Needs) -> str:
    """Return what keeps `model` from serving a call with these needs; empty for nothing."""
    if not model.enabled:
        return "disabled"
    if needs.allowed and model.id not in needs.allowed:
        return "models"
    if not needs.capabilities <= model.capabilities:
        return "capabilities"
    if needs.region and model.region != needs.region:
        return "region"
    tokens = needs.input_tokens + needs.max_output_tokens
    if model.context_tokens is not None and tokens > model.context_tokens:
        return "context_length"
    return ""
