"""What an operator knows: rules between its keys, and what the service is told of it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from adapters.traffic.errors import WarmStartError
from adapters.traffic.warm_start import read_warm_start
from bandit.errors import PriorError
from bandit.knowledge import MAX_GENERATIONS, depths
from bandit.priors import KNOWLEDGE_CAP, ModelPrior, PastCell
from server.config.explain import did_you_mean
from server.config.problems import Finding
from server.config.schema import Document, ModelTable


def check_knowledge(document: Mapping[str, Any], folder: FilePath) -> Iterator[Finding]:
    """Find what is wrong between the parts of a document; values of the wrong type are reported elsewhere."""
    yield from _weights(document)
    yield from _sources(document)
    yield from _warm_start(document, folder)


def priors_of(document: Document) -> dict[str, ModelPrior]:
    """Return what is known of models, by their ids."""
    known = {table.id: _prior(table) for table in document.models}
    return {id_: prior for id_, prior in known.items() if prior != ModelPrior(quality_weight=prior.quality_weight)}


def sources_of(document: Document) -> dict[str, str]:
    """Return the categories that start from another one."""
    return {name: table.prior_from for name, table in document.categories.items() if table.prior_from}


def past_of(document: Document, folder: FilePath) -> tuple[PastCell, ...]:
    """Return what earlier logs say. Raises WarmStartError."""
    file = document.learning.warm_start
    return read_warm_start(folder / file) if file else ()


def _prior(table: ModelTable) -> ModelPrior:
    return ModelPrior(
        quality=table.prior_quality,
        quality_weight=table.prior_weight,
        latency_s=table.list_latency_seconds,
        output_tokens=table.list_output_tokens,
        error_rate=table.prior_error_rate,
    )


def _weights(document: Mapping[str, Any]) -> Iterator[Finding]:
    cap = _learning(document).get("knowledge_cap", KNOWLEDGE_CAP)
    for index, model in enumerate(_models(document)):
        place = ("models", index, "prior_weight")
        weight = model.get("prior_weight")
        if weight is not None and "prior_quality" not in model:
            message = "prior_weight is given without prior_quality"
            yield Finding(place, message, "give the quality that it is the weight of")
        if isinstance(weight, int | float) and isinstance(cap, int | float) and cap < weight <= KNOWLEDGE_CAP:
            message = f"prior_weight is {weight:g}, but no prior is worth more than knowledge_cap, which is {cap:g}"
            yield Finding(place, message, "lower it, or raise knowledge_cap in [learning]")


def _models(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    models = document.get("models")
    return [one if isinstance(one, Mapping) else {} for one in models] if isinstance(models, list) else []


def _learning(document: Mapping[str, Any]) -> Mapping[str, Any]:
    learning = document.get("learning")
    return learning if isinstance(learning, Mapping) else {}


def _sources(document: Mapping[str, Any]) -> Iterator[Finding]:
    categories = document.get("categories")
    tables = categories if isinstance(categories, Mapping) else {}
    named = {name: table.get("prior_from") for name, table in tables.items() if isinstance(table, Mapping)}
    sources = {name: source for name, source in named.items() if isinstance(source, str) and source}
    for name, source in sources.items():
        place = ("categories", name, "prior_from")
        if source not in tables:
            hint = f"{did_you_mean(source, tables)}; or add the table of that category"
            yield Finding(place, f'there is no category "{source}" in this file', hint)
    yield from _chains(sources)


def _chains(sources: Mapping[str, str]) -> Iterator[Finding]:
    try:
        handed_on = depths(sources)
    except PriorError as error:
        first = next(name for name in sorted(sources) if str(error).startswith(f"the prior of {name} comes round"))
        yield Finding(("categories", first, "prior_from"), str(error), "let one of them start from nothing")
        return
    for name, depth in handed_on.items():
        if depth == MAX_GENERATIONS + 1:  # those that start from it are mended with it
            message = f"the prior of {name} is handed on {depth} times; at most {MAX_GENERATIONS} are allowed"
            hint = f'let it start from what "{sources[name]}" starts from, or from nothing'
            yield Finding(("categories", name, "prior_from"), message, hint)


def _warm_start(document: Mapping[str, Any], folder: FilePath) -> Iterator[Finding]:
    file = _learning(document).get("warm_start")
    if not isinstance(file, str) or not file:
        return
    place = ("learning", "warm_start")
    try:
        past = read_warm_start(folder / file)
    except WarmStartError as error:
        hint = "make it anew with  routeward warm-start LOG;  relative paths start at this file"
        yield Finding(place, str(error), hint)
        return
    told, ids = sorted({cell.model for cell in past}), [str(model.get("id")) for model in _models(document)]
    if told and not set(told) & set(ids):
        message = f"it tells of {len(told)} models, and none of them has an id of this file"
        yield Finding(place, message, f'"{told[0]}": {did_you_mean(told[0], ids)}')
