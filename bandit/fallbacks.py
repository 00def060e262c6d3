"""Where to turn when the chosen model fails."""

from collections.abc import Sequence

from bandit.catalogue import Model


def fallbacks(models: Sequence[Model], ranking: Sequence[int], chosen: int, limit: int = 3) -> tuple[int, ...]:
    """Return up to `limit` models to try after `chosen`, best first.

    The first sits at another provider when one is eligible, because providers fail whole.
    """
    others = [m for m in ranking if m != chosen]
    provider = models[chosen].provider
    elsewhere = next((m for m in others if models[m].provider != provider), None)
    if elsewhere is not None:
        others.remove(elsewhere)
        others.insert(0, elsewhere)
    return tuple(others[:limit])
