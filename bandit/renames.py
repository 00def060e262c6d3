"""What a renamed model was taught under the ids that it had before (DESIGN, "Registry").

Rows stay with the id that they were recorded under, so nothing is written when a model is renamed, and late feedback
for its former id still teaches it.
"""

from collections.abc import Sequence
from dataclasses import replace

from bandit.catalogue import Model
from bandit.sums import Sums


def renamed(sums: Sums, models: Sequence[Model]) -> Sums:
    """Return `sums` in which each model that was renamed has what its former ids were taught, added to its own.

    A former id that is still one of `models` keeps it as well; what nobody is called any more is moved, to the first
    that was. Ids of former ids count too.
    """
    if not any(model.alias_of for model in models):
        return sums
    known = {model.id: model for model in models}
    places = {name: place for place, name in enumerate(sums.models)}
    moments = sums.moments.copy()
    for model in models:
        for former in _former_ids(model, known):
            if former in places and model.id in places:
                taught = sums.moments[:, :, places[former]] if former in known else moments[:, :, places[former]]
                moments[:, :, places[model.id]] += taught
                if former not in known:
                    moments[:, :, places[former]] = 0
    moments.setflags(write=False)
    return replace(sums, moments=moments)


def _former_ids(model: Model, known: dict[str, Model]) -> list[str]:
    """Return the ids that a model had, the latest first; an alias of oneself, or a circle of them, ends there."""
    former: list[str] = []
    while model.alias_of and model.alias_of not in (model.id, *former):
        former.append(model.alias_of)
        if model.alias_of not in known:
            break
        model = known[model.alias_of]
    return former
