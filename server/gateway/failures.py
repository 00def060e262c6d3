"""How failures of calls are named in figures and told in the log."""

from collections.abc import Mapping
from typing import Any

from adapters.providers.errors import ProviderError, ProviderTimeoutError, UnreachableError


def cause(error: ProviderError) -> str:
    """Return the name of an error as figures have it: `provider_fault` of ProviderFaultError."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


def logged(error: ProviderError) -> Mapping[str, Any]:
    """Return what the log says of a failure: of what a provider answered the status alone, as it may hold a prompt."""
    told = {"error": cause(error), "http_status": error.http_status}
    if isinstance(error, ProviderTimeoutError | UnreachableError):
        told["detail"] = error.message
    return told
