"""What `routeward doctor` and `routeward probe` say of providers: who has a key, and why models cannot be called."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from routeward.cli.checks import Check, Verdict, ok

if TYPE_CHECKING:
    from server.settings import GatewaySettings, Settings


def providers(settings: "Settings") -> Iterator[Check]:
    """Look at the providers of a configuration that has a gateway, and at the models that cannot be called."""
    gateway = settings.gateway
    if not gateway.listen:
        return
    for name, endpoint in sorted(gateway.endpoints.items()):
        where = gateway.key_variables.get(name)
        key = f"key from {where}" if where else "no key"
        private = ", a private host" if urlsplit(endpoint.base_url).hostname in gateway.private_hosts else ""
        yield ok(f"provider {name}", f"{endpoint.base_url}{private}, {endpoint.format}, {key}")
    for name in sorted(gateway.key_variables.keys() - gateway.endpoints.keys()):
        detail = "its key is not there"
        yield Check(f"provider {name}", Verdict.WARNING, detail, f"set {gateway.key_variables[name]}")
    yield _models(settings)


def why_uncallable(settings: "Settings", model: str) -> tuple[str, str]:
    """Return why a model cannot be called, and what to do."""
    provider = next((one.provider for one in settings.catalogue.models if one.id == model), "")
    if settings.gateway.uncallable.get(model) == "provider_key":
        variable = settings.gateway.key_variables.get(provider, "")
        return f"{provider} needs a key", f"set {variable}"
    if not provider:
        return "it has no provider", f'add  provider = "NAME"  to the table of {model}'
    return f"nobody says where {provider} is", f"add  [providers.{provider}]  with format and base_url"


def _models(settings: "Settings") -> Check:
    gateway: GatewaySettings = settings.gateway
    enabled = [model.id for model in settings.catalogue.models if model.enabled]
    callable_ = [id_ for id_ in enabled if id_ in gateway.upstreams]
    detail = f"{len(callable_)} of {len(enabled)} can be called"
    missing = [id_ for id_ in enabled if id_ not in gateway.upstreams]
    if not missing:
        return ok("models", detail)
    reasons = "; ".join(f"{id_}: {why_uncallable(settings, id_)[0]}" for id_ in missing)
    advice = "; ".join(dict.fromkeys(why_uncallable(settings, id_)[1] for id_ in missing))
    return Check("models", Verdict.WARNING, f"{detail}; {reasons}", advice)
