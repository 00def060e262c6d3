"""What commands say of providers without calling them: who has a key, and why models cannot be called."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from routeward.cli.checks import Check, Verdict, ok

if TYPE_CHECKING:
    from server.settings import Remedy, Settings


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
    missing = {remedy.provider: remedy for remedy in gateway.remedies.values()}
    for name in sorted(gateway.key_variables.keys() & missing.keys()):
        yield Check(f"provider {name}", Verdict.WARNING, missing[name].why, missing[name].advice)
    yield _models(settings)


def missing_models(settings: "Settings") -> "dict[str, Remedy]":
    """Return what keeps enabled models from being called, by id."""
    enabled = (model.id for model in settings.catalogue.models if model.enabled)
    return {id_: settings.gateway.remedies[id_] for id_ in enabled if id_ in settings.gateway.remedies}


def _models(settings: "Settings") -> Check:
    missing = missing_models(settings)
    enabled = sum(model.enabled for model in settings.catalogue.models)
    detail = f"{enabled - len(missing)} of {enabled} can be called"
    if not missing:
        return ok("models", detail)
    verdict = Verdict.FAILED if len(missing) == enabled else Verdict.WARNING
    reasons = "; ".join(f"{id_}: {remedy.why}" for id_, remedy in missing.items())
    advice = "; ".join(dict.fromkeys(remedy.advice for remedy in missing.values()))
    return Check("models", verdict, f"{detail}; {reasons}", advice)
