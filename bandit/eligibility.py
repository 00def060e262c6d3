"""Which models may be chosen at all, whatever is believed about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bandit.catalogue import Model

EJECTED: Final = "breaker"
"""What excludes a model that fails: the circuit breaker."""


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
    exclusions: Mapping[str, str] = field(default_factory=dict)


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
    if model.max_output_tokens is not None and needs.max_output_tokens > model.max_output_tokens:
        return "max_output_tokens"
    tokens = needs.input_tokens + needs.max_output_tokens
    if model.context_tokens is not None and tokens > model.context_tokens:
        return "context_length"
    return ""


def barred(models: Sequence[Model], eligibility: Eligibility, reasons: Mapping[str, str]) -> Eligibility:
    """Take from what is eligible the models that `reasons` names by id."""
    names = [model.id for index, model in enumerate(models) if eligibility.mask >> index & 1 and model.id in reasons]
    mask = sum(1 << index for index, model in enumerate(models) if model.id not in reasons)
    return Eligibility(eligibility.mask & mask, {**eligibility.exclusions, **{name: reasons[name] for name in names}})


def ejected(models: Sequence[Model], eligibility: Eligibility, failing: Sequence[int]) -> Eligibility:
    """Take from what is eligible the models that fail, the first of `failing` first, and never more than half of it.

    Where most of them fail, the cause is more likely here than there, and something has to be tried.
    """
    most = eligibility.mask.bit_count() // 2
    out = [m for m in failing if eligibility.mask >> m & 1][:most]
    if not out:
        return eligibility
    mask = eligibility.mask & ~sum(1 << m for m in out)
    return Eligibility(mask, {**eligibility.exclusions, **{models[m].id: EJECTED for m in out}})
