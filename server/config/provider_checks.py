"""What is wrong with the providers of a document. No text shows a value that might be secret."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from adapters.providers.addresses import check_base_url
from adapters.providers.endpoint import Format
from adapters.providers.presets import PRESETS
from adapters.toml.lines import Path
from adapters.toml.problems import Finding
from server.config.providers import Plan, is_listening, private_hosts_of, served_models
from server.config.tables import Tables, entries_of, table_of, text_in

TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""What RFC 9110 allows for a name of a header."""
CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-goog-api-key", "x-routeward-key"}
)
_OURS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "accept-encoding"}
)
_SECRETS: Final = frozenset({"key", "api_key", "apikey", "api-key", "token", "secret", "password", "authorization"})
_CALLS: Final = ("/chat/completions", "/completions", "/messages", "/responses", "/embeddings")
"""Names of calls, which people copy with the address."""
_PLACEHOLDER: Final = "YOUR-"
_VALUE: Final = re.compile(r"[\x20-\x7e]{0,1000}")


def check_providers(document: Tables, plans: Mapping[str, Plan]) -> Iterator[Finding]:
    """Find providers that cannot be called as they are written, and secrets that stand in the file."""
    hosts = private_hosts_of(document)
    for index, model in entries_of(document, "models"):
        yield from _pasted(("models", index), model, text_in(model, "provider"))
    for plan in plans.values():
        if plan.table is not None:
            yield from _of_table(("providers", plan.name), plan, plan.table, hosts)
        elif is_listening(document) and plan.base_url:
            yield from _of_preset(document, plan, hosts)


def _of_table(place: Path, plan: Plan, table: Tables, hosts: frozenset[str]) -> Iterator[Finding]:
    yield from _pasted(place, table, plan.name)
    yield from _placed(place, plan, table, hosts)
    yield from _keys(place, plan, table)
    yield from _headers((*place, "headers"), table_of(table, "headers"))
    yield from _query((*place, "query"), table_of(table, "query"))
    if text_in(table, "api_version") and plan.format != Format.AZURE:
        message = "api_version is given, but the format is not azure"
        yield Finding((*place, "api_version"), message, 'remove it, or write  format = "azure"')


def _of_preset(document: Tables, plan: Plan, hosts: frozenset[str]) -> Iterator[Finding]:
    """Find that a provider without a table is on this machine, which nobody allowed: at the first of its models."""
    wrong = check_base_url(plan.base_url, hosts)
    if wrong:
        index = next(index for index, _, provider in served_models(document) if provider == plan.name)
        host = urlsplit(plan.base_url).hostname
        message = f"the provider {plan.name} is at {plan.base_url}, which is not allowed yet"
        hint = f'write  private_hosts = ["{host}"]  in [gateway], or another base_url in [providers.{plan.name}]'
        yield Finding(("models", index, "provider"), message, hint)


def _placed(place: Path, plan: Plan, table: Tables, hosts: frozenset[str]) -> Iterator[Finding]:
    header = f"[providers.{plan.name}]"
    if not plan.format and "format" not in table:
        formats = ", ".join(f'"{one}"' for one in Format)
        yield Finding(place, f"format is missing in {header}", f'add  format = "openai",  or another of {formats}')
    if not plan.base_url and isinstance(table.get("base_url", ""), str):
        hint = 'add  base_url = "https://HOST/v1",  from the documentation of the provider'
        yield Finding(place, f"base_url is missing in {header}", hint)
    wrong, _, advice = check_base_url(plan.base_url, hosts).partition(": ") if plan.base_url else ("", "", "")
    if wrong:
        where = (*place, "base_url") if text_in(table, "base_url") else place
        yield Finding(where, f"base_url {wrong}", advice or 'write  base_url = "https://HOST/v1"')
    elif _PLACEHOLDER in plan.base_url.upper():
        message = "base_url still holds the name of an example"
        yield Finding((*place, "base_url"), message, f"put in your own for {_PLACEHOLDER}...")
    elif ending := next((one for one in _CALLS if plan.base_url.lower().endswith(one)), ""):
        message = f"base_url ends with {ending}, which every call adds itself"
        yield Finding((*place, "base_url"), message, f"leave out what ends it from {ending} on")


def _keys(place: Path, plan: Plan, table: Tables) -> Iterator[Finding]:
    if text_in(table, "key_env") and text_in(table, "key_file"):
        yield Finding((*place, "key_file"), "key_env and key_file are both given", "keep one of them")
    elif "key_env" not in table and _leads_elsewhere(plan):
        message = f"base_url leads to another host than that of {plan.name}, whose key is not for it"
        hint = f'say which key is:  key_env = "{plan.key_env}",  or  key_env = ""  for none'
        yield Finding((*place, "base_url"), message, hint)


def _leads_elsewhere(plan: Plan) -> bool:
    """Tell whether the key of a preset would be sent to another host than the preset's."""
    preset = PRESETS.get(plan.name)
    return bool(plan.key_env and preset and preset.base_url and _host(plan.base_url) != _host(preset.base_url))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _headers(place: Path, headers: Tables) -> Iterator[Finding]:
    for name, value in headers.items():
        where = (*place, name)
        if not TOKEN.fullmatch(name):
            hint = "a name of a header has letters, digits and - in it"
            yield Finding(where, "headers hold a name that no header can have", hint)
        elif name.lower() in CREDENTIALS:
            hint = "keys stand in the environment or a file: name it by key_env or key_file"
            yield Finding(where, f"{name} would carry a credential", hint)
        elif name.lower() in _OURS:
            yield Finding(where, f"{name} is set by every call itself", "remove it")
        elif isinstance(value, str) and not _VALUE.fullmatch(value):
            hint = "write at most 1,000 printable ASCII characters"
            yield Finding(where, f"the value of {name} cannot be sent", hint)


def _query(place: Path, query: Tables) -> Iterator[Finding]:
    for name, value in query.items():
        if name.lower() in _SECRETS:
            hint = "keys stand in the environment or a file: name it by key_env or key_file"
            yield Finding((*place, name), f"{name} would carry a credential", hint)
        elif not _VALUE.fullmatch(name) or (isinstance(value, str) and not _VALUE.fullmatch(value)):
            hint = "write at most 1,000 printable ASCII characters"
            yield Finding((*place, name), "a parameter of query cannot be sent", hint)


def _pasted(place: Path, table: Tables, provider: str) -> Iterator[Finding]:
    """Find keys that stand where only the names of their places should."""
    preset = PRESETS.get(provider)
    variable = (preset and preset.key_variable) or f"{re.sub('[^A-Z0-9]', '_', provider.upper()) or 'PROVIDER'}_API_KEY"
    for name in table:
        if name.lower() in _SECRETS:
            header = f"[providers.{provider or 'NAME'}]"
            hint = f'put it into the environment, and name it:  key_env = "{variable}"  in {header}'
            yield Finding((*place, name), f"{name}: the keys of providers do not stand in this file", hint)
