"""From a file and the environment to settings, or to everything that is wrong with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.toml.explain import findings_of
from adapters.toml.problems import ConfigError
from adapters.toml.reading import located, parsed, read_text
from server.config.build import settings_of
from server.config.checks import check
from server.config.environment import TOKEN_KEYS_VARIABLE, secrets_of
from server.config.gateway import check_callable, check_gateway
from server.config.gateway_build import gateway_of
from server.config.provider_keys import read_keys
from server.config.providers import is_listening, plans_of
from server.config.reference import REFERENCE
from server.config.schema import Document
from server.config.store import check_store
from server.config.workers import check_workers
from server.settings import Settings


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    listen: str = "",
    metrics: str = "",
    workers: int = 0,
    serving: bool = False,
) -> Settings:
    """Read the configuration file at `path`; `listen`, `metrics` and `workers` replace what it says of them.

    Where keys of providers are missing, that is only wrong for `serving`, and if the gateway could then call nothing;
    so is what several workers lack: the environment of who looks at the file is not that of the server.
    Raises ConfigError with everything that is wrong with the file and the environment.
    """
    text = read_text(path, absent=f"make it with  routeward init {path}")
    typed_in = (("listen", listen), ("metrics", metrics), ("workers", workers))
    options = {name: value for name, value in typed_in if value}
    document = _with(options, parsed(path, text, example="what  routeward init  writes"))
    secrets, plans = secrets_of(environ), plans_of(document)
    keys = read_keys(plans, path.parent, environ, listening=is_listening(document))
    problems = [*secrets.problems, *keys.problems]
    has_token_keys = bool(environ.get(TOKEN_KEYS_VARIABLE))
    findings = list(check(document, path.parent, has_token_keys=has_token_keys))
    findings += check_store(document, path.parent)
    findings += check_gateway(document, plans, keys, has_token_keys=has_token_keys, folder=path.parent)
    try:
        valid = Document.model_validate(document)
    except ValidationError as error:
        told = {finding.path for finding in findings}
        findings += [finding for finding in findings_of(error, REFERENCE) if finding.path not in told]
    if serving:
        findings += check_callable(document, plans, keys, findings)
        findings += check_workers(document, environ, path.parent)
    if findings or problems:
        typed = {f"server.{name}": f"--{name}" for name in options}
        raise ConfigError(path, [*located(path, text, findings, typed), *problems])
    gateway = gateway_of(valid, document, path.parent, plans, keys, secrets.fingerprint_key)
    return settings_of(valid, document, path.parent, secrets.token_keys, gateway, secrets.postgres_url)


def _with(options: Mapping[str, str | int], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with what stands in options of the command instead."""
    server = document.get("server", {})
    if not options or not isinstance(server, Mapping):
        return dict(document)
    return {**document, "server": {**server, **options}}
