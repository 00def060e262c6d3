"""What pydantic cannot see: rules between the tables of a document, and files that must exist.

The document may be wrong in other ways, which are reported elsewhere: a value of the wrong type counts as absent.
"""

import math
import os.path
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

from adapters.toml.explain import did_you_mean
from adapters.toml.lines import Path
from adapters.toml.problems import Finding
from bandit.priors import FUSED_PREFIX
from server.config.budgets import check_budgets
from server.config.kinds import parse_address
from server.config.knowledge import check_knowledge
from server.config.tables import Tables, entries_of, number_of, table_of, tables_of, text_of

MAX_SCORE_NAMES: Final = 7
_MAXIMIZE: Final = "maximize"
_CHEAPEST_OPTIONS: Final = ("within", "within_probability", "within_exploration")


def check(document: Tables, folder: FilePath, *, has_token_keys: bool) -> Iterator[Finding]:
    """Find what is wrong between the parts of a document; relative paths start in `folder`."""
    yield from twice_the_same(document, "models")
    yield from twice_the_same(table_of(document, "server"), "keys", above=("server",))
    yield from _listening(document, folder, has_token_keys=has_token_keys)
    yield from _files(document, folder)
    yield from check_choices(document)
    yield from check_knowledge(document, folder)
    yield from _ages(document)
    yield from check_budgets(document)


def check_choices(document: Tables) -> Iterator[Finding]:
    """Find what is wrong between models, categories and the settings of the policy."""
    yield from _models(document)
    yield from _renames(document)
    yield from _shares(document)
    yield from _categories(document)
    yield from _modes(document)


def twice_the_same(table: Tables, name: str, above: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Find entries of a list of tables that have one id."""
    seen: dict[str, int] = {}
    for index, entry in entries_of(table, name):
        id_ = entry.get("id")
        if isinstance(id_, str) and seen.setdefault(id_, index) != index:
            place: Path = (*above, name, index, "id")
            yield Finding(
                place, f'"{id_}" is the id of two {name}', "give each an id of its own, or remove one of them"
            )


def _listening(document: Tables, folder: FilePath, *, has_token_keys: bool) -> Iterator[Finding]:
    place = ("server", "listen")
    server = table_of(document, "server")
    address = text_of(document, *place)
    if address == text_of(document, "server", "metrics") and not address.endswith(":0"):
        yield Finding(("server", "metrics"), "metrics and listen are the same address", "give metrics another port")
    if not _is_loopback(text_of(document, "server", "metrics")) and not server.get("keys"):
        yield Finding(
            ("server", "metrics"),
            "the figures, which anyone may read, would be served to other machines of a service without API keys",
            "keep metrics on 127.0.0.1, or make a key with  routeward keys create ID",
        )
    yield from check_exposed(document, place, folder, has_token_keys=has_token_keys)


def check_exposed(document: Tables, place: Path, folder: FilePath, *, has_token_keys: bool) -> Iterator[Finding]:
    """Find what an address to listen on, at `place`, lacks if other machines can reach it."""
    address = text_of(document, str(place[0]), str(place[1]))
    if _is_loopback(address):
        return
    message = f"{address} can be reached from other machines"
    if not table_of(document, "server").get("keys"):
        yield Finding(place, f"{message}, but no API key is configured", "make one with  routeward keys create ID")
    file = key_file_of(document, folder)
    if not has_token_keys and not (file and os.path.isfile(file)):
        advice = f"set ROUTEWARD_TOKEN_KEYS, or run  routeward keys rotate {file or 'FILE'}"
        yield Finding(place, f"{message}, but no key signs decision ids that replicas could share", advice)


def key_file_of(document: Tables, folder: FilePath) -> FilePath | None:
    """Return the file for the keys that sign decision ids: the one that is named, else one beside the database."""
    return file_beside_database(document, folder, text_of(document, "server", "token_key_file"), ".keys")


def file_beside_database(document: Tables, folder: FilePath, named: str, ending: str) -> FilePath | None:
    """Return a file: the one that is named, else the database's with another ending, None where it is in memory."""
    database = text_of(document, "store", "path")
    if named:
        return folder / named
    path = folder / database
    return path.with_name(f"{path.stem}{ending}") if path.name and database else None


def _files(document: Tables, folder: FilePath) -> Iterator[Finding]:
    names = {name: text_of(document, "server", name) for name in ("tls_certificate", "tls_key")}
    for name, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if names[name] and not names[other]:
            yield Finding(("server", name), f"{name} is given without {other}", "give both, or neither for no TLS")
        if names[name] and not os.path.isfile(folder / names[name]):
            message = f"there is no file {folder / names[name]}"
            yield Finding(("server", name), message, "make it, or name another; relative paths start at this file")


def _models(document: Tables) -> Iterator[Finding]:
    models = list(entries_of(document, "models"))
    if models and all(model.get("enabled") is False for _, model in models):
        yield Finding(("models",), "no model is enabled", "remove  enabled = false  from at least one")
    for index, model in models:
        context, answer = model.get("context_tokens"), model.get("max_output_tokens")
        if isinstance(context, int) and isinstance(answer, int) and answer > context:
            place = ("models", index, "max_output_tokens")
            message = "max_output_tokens is more than context_tokens"
            yield Finding(place, message, "an answer is part of the context: lower it")
        typical = model.get("list_output_tokens")
        if isinstance(typical, int | float) and isinstance(answer, int) and typical > answer:
            place = ("models", index, "list_output_tokens")
            yield Finding(place, "list_output_tokens is more than max_output_tokens", "a typical answer is no longer")


def _renames(document: Tables) -> Iterator[Finding]:
    heirs: dict[str, object] = {}
    for index, model in entries_of(document, "models"):
        former, name = model.get("alias_of"), model.get("id")
        if not isinstance(former, str) or not former:
            continue
        place: Path = ("models", index, "alias_of")
        if former == name:
            yield Finding(place, f'"{former}" would be its own former id', "remove it, or name the id before this one")
        elif heirs.setdefault(former, name) != name:
            hint = f'what was learned under it would count twice: leave it to "{heirs[former]}", or remove it there'
            yield Finding(place, f'"{former}" is the former id of two models', hint)


def _shares(document: Tables) -> Iterator[Finding]:
    ids = [model["id"] for _, model in entries_of(document, "models") if isinstance(model.get("id"), str)]
    caps = table_of(table_of(document, "learning"), "caps")
    for name in caps:
        if name not in ids:
            yield Finding(("learning", "caps", name), f'there is no model "{name}"', did_you_mean(name, ids))
    yield from _caps_below_one(document, caps)
    floor = number_of(document, "learning", "floor")
    if len(ids) * floor > 1:
        message = f"floor is {floor:g} for each of {len(ids)} models, which is more than 1 together"
        yield Finding(("learning", "floor"), message, f"lower it to {math.floor(1000 / len(ids)) / 1000:g} or less")
    else:
        yield from _below_floor(document, floor)
    yield from _canaries(table_of(document, "learning"))


def _caps_below_one(document: Tables, caps: Tables) -> Iterator[Finding]:
    enabled = [model.get("id") for _, model in entries_of(document, "models") if model.get("enabled") is not False]
    most = [caps.get(name, 1.0) for name in enabled if isinstance(name, str)]
    if len(most) > 1 and all(isinstance(cap, int | float) for cap in most) and 0 < sum(most) < 1:
        message = f"the caps of all models that are enabled add up to {sum(most):g}, so not all of them can hold"
        yield Finding(("learning", "caps"), message, "raise them to 1 or more together, or leave a model without one")


def _below_floor(document: Tables, floor: float) -> Iterator[Finding]:
    learning = table_of(document, "learning")
    most: dict[Path, object] = {("learning", "caps", name): cap for name, cap in table_of(learning, "caps").items()}
    most["learning", "canary_share"] = learning.get("canary_share")
    for place, share in most.items():
        if isinstance(share, int | float) and 0 < share < floor:
            message = f"{place[-1]} may have {share:g} at most, but the floor gives every model {floor:g} at least"
            yield Finding(place, message, "raise it, or lower floor")


def _canaries(learning: Tables) -> Iterator[Finding]:
    observations = learning.get("canary_observations", 0)
    if isinstance(observations, int | float) and observations >= 1 and not learning.get("canary_share"):
        message = "canary_observations is given without a canary_share, so there are no canaries"
        yield Finding(("learning", "canary_observations"), message, "give  canary_share = 0.01,  or remove it")


def _categories(document: Tables) -> Iterator[Finding]:
    categories = table_of(document, "categories")
    limit = number_of(document, "routing", "max_categories")
    if len(categories) > limit:
        message = f"{len(categories)} categories are configured, but max_categories is {limit:g}"
        yield Finding(("categories",), message, "raise max_categories in [routing]")
    sources = [table.get("quality_source") for table in tables_of(document, "categories").values()]
    plain = {source.removeprefix(FUSED_PREFIX) for source in sources if isinstance(source, str)}
    names = {source for source in plain if source.startswith("score:")}
    if len(names) > MAX_SCORE_NAMES:
        message = f"{len(names)} names of scores are used, but there may be {MAX_SCORE_NAMES}"
        yield Finding(("categories",), message, "let categories share names of scores")


def _modes(document: Tables) -> Iterator[Finding]:
    models = {model["id"]: model for _, model in entries_of(document, "models") if isinstance(model.get("id"), str)}
    caps = table_of(table_of(document, "learning"), "caps")
    for name, table in tables_of(document, "categories").items():
        yield from _cheapest(("categories", name), table)
        yield from _baseline(("categories", name), table, models, caps)


def _cheapest(place: Path, table: Tables) -> Iterator[Finding]:
    if table.get("mode", _MAXIMIZE) == _MAXIMIZE:
        for option in _CHEAPEST_OPTIONS:
            if option in table:
                message = f"{option} is given, but the mode is not cheapest_within"
                yield Finding((*place, option), message, 'write  mode = "cheapest_within",  or remove it')


def _baseline(place: Path, table: Tables, models: Tables, caps: Tables) -> Iterator[Finding]:
    baseline = table.get("baseline", "")
    for option, off in (("observe_share", 1), ("guard", 0)):
        if not baseline and table.get(option, off) != off:
            message = f"{option} is given without a baseline"
            yield Finding((*place, option), message, 'name the model used so far:  baseline = "MODEL ID"')
    place = (*place, "baseline")
    if not isinstance(baseline, str) or not baseline:
        return
    if table.get("observe_share", 1) == 1 and table.get("guard", 0) == 0:
        message = "a baseline is given, but neither observe_share nor guard, so it would do nothing"
        yield Finding(place, message, "give observe_share = 0.1  to watch, or  guard = 0.1  to explore carefully")
    if table.get("observe_share") == 0 and table.get("guard", 0) != 0:
        message = "guard is given, but observe_share = 0 leaves every request to the baseline"
        yield Finding((*place[:-1], "guard"), message, "remove it, or raise observe_share")
    if baseline not in models:
        yield Finding(place, f'there is no model "{baseline}"', did_you_mean(baseline, models))
    elif models[baseline].get("enabled") is False:
        yield Finding(place, f'the model "{baseline}" is not enabled', "enable it, or name another baseline")
    elif baseline in caps and caps[baseline] != 1:
        message = f'the baseline "{baseline}" has a cap in [learning.caps]'
        yield Finding(place, message, "remove the cap: the baseline gets whatever the others do not")


def _ages(document: Tables) -> Iterator[Finding]:
    kept = number_of(document, "store", "retention_days")
    accepted = number_of(document, "learning", "max_feedback_age_days")
    if kept < accepted:
        named = "retention_days" in table_of(document, "store")
        place = ("store", "retention_days") if named else ("learning", "max_feedback_age_days")
        message = f"retention_days ({kept:g}) is less than max_feedback_age_days ({accepted:g})"
        yield Finding(place, message, "keep signals as long as they may be repeated, or some would count twice")


def _is_loopback(address: str) -> bool:
    try:
        return parse_address(address).is_loopback
    except ValueError:
        return True
