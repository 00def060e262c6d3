"""Where to turn when the chosen model fails."""

from collections.abc import Sequence

from bandit.catalogue import Model


def fallbacks(models: Sequence[Model], ranking: Sequence[int], chosen: int, limit: int = 3) -> tuple[int, ...]:
    """Return up to `limit` models to try after `chosen`: those that offer the same LLM, then the others, best first.

    The very first sits at another provider when one is eligible, because providers fail whole.
    """
    family, provider = _family(models[chosen]), models[chosen].provider
    others = sorted((m for m in ranking if m != chosen), key=lambda m: _family(models[m]) != family)
    elsewhere = next((m for m in others if models[m].provider != provider), None)
    if elsewhere is not None:
        others.remove(elsewhere)
        others.insert(0, elsewhere)
    return tuple(others[:limit])


def _family(model: Model) -> str:
    return model.family or model.id
