"""What an operator knows: rules between its keys, and what the service is told of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from adapters.toml.explain import did_you_mean
from adapters.toml.lines import Path
from adapters.toml.problems import Finding
from adapters.traffic.errors import WarmStartError
from adapters.traffic.warm_start import read_warm_start
from bandit.errors import PriorError
from bandit.knowledge import MAX_GENERATIONS, depths
from bandit.priors import KNOWLEDGE_CAP, ModelPrior, PastCell
from server.config.schema import Document, ModelTable
from server.config.tables import Tables, entries_of, number_of, table_of, tables_of, text_of


def check_knowledge(document: Tables, folder: FilePath) -> Iterator[Finding]:
    """Find what is wrong between the parts of a document; values of the wrong type are reported elsewhere."""
    yield from check_weights(document)
    yield from check_sources(document)
    yield from _warm_start(document, folder)


def priors_of(document: Document) -> dict[str, ModelPrior]:
    """Return what is known of models, by their ids."""
    known = {table.id: prior_of(table) for table in document.models}
    return {id_: prior for id_, prior in known.items() if prior != ModelPrior(quality_weight=prior.quality_weight)}


def sources_of(document: Document) -> dict[str, str]:
    """Return the categories that start from another one."""
    return {name: table.prior_from for name, table in document.categories.items() if table.prior_from}


def past_of(document: Document, folder: FilePath) -> tuple[PastCell, ...]:
    """Return what earlier logs say. Raises WarmStartError."""
    file = document.learning.warm_start
    return read_warm_start(folder / file) if file else ()


def prior_of(table: ModelTable) -> ModelPrior:
    """Return what is known of a model."""
    return ModelPrior(
        quality=table.prior_quality,
        quality_weight=table.prior_weight,
        latency_s=table.list_latency_seconds,
        output_tokens=table.list_output_tokens,
        error_rate=table.prior_error_rate,
    )


def check_weights(document: Tables) -> Iterator[Finding]:
    """Find priors that are worth more than knowledge may be, or of nothing."""
    cap = number_of(document, "learning", "knowledge_cap")
    for index, model in entries_of(document, "models"):
        place: Path = ("models", index, "prior_weight")
        if "prior_weight" in model and "prior_quality" not in model:
            message = "prior_weight is given without prior_quality"
            yield Finding(place, message, "give the quality that it is the weight of")
        yield from _above_cap(place, model.get("prior_weight"), cap)
    place = ("learning", "prior_from_weight")
    yield from _above_cap(place, table_of(document, "learning").get("prior_from_weight"), cap)


def _above_cap(place: Path, weight: object, cap: float) -> Iterator[Finding]:
    if isinstance(weight, int | float) and 1 <= cap < weight <= KNOWLEDGE_CAP:
        message = f"{place[-1]} is {weight:g}, but no prior is worth more than knowledge_cap, which is {cap:g}"
        yield Finding(place, message, "lower it, or raise knowledge_cap in [learning]")


def check_sources(document: Tables) -> Iterator[Finding]:
    """Find categories that start from what is not there, or from themselves."""
    tables = table_of(document, "categories")
    named = {name: table.get("prior_from") for name, table in tables_of(document, "categories").items()}
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


def _warm_start(document: Tables, folder: FilePath) -> Iterator[Finding]:
    file, place = text_of(document, "learning", "warm_start"), ("learning", "warm_start")
    if not file:
        return
    try:
        past = read_warm_start(folder / file)
    except WarmStartError as error:
        hint = "make it anew with  routeward warm-start LOG;  relative paths start at this file"
        yield Finding(place, str(error), hint)
        return
    told, ids = (
        sorted({cell.model for cell in past}),
        [str(model.get("id")) for _, model in entries_of(document, "models")],
    )
    if told and not set(told) & set(ids):
        message = f"it tells of {len(told)} models, and none of them has an id of this file"
        yield Finding(place, message, f'"{told[0]}": {did_you_mean(told[0], ids)}')
