"""What to do about a call to a provider that failed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.providers.errors import ProviderError


def advice_of(error: "ProviderError", key_place: str) -> str:
    """Return advice for an error; `key_place` says where the key of the provider comes from, empty for none."""
    from adapters.providers import errors

    key = f"check the key in {key_place}" if key_place else "name the variable with its key by key_env, in [providers]"
    path = "base_url, which ends before /chat/completions, often with /v1"
    if isinstance(error, errors.UnreachableError) and "does not speak TLS" in error.message:
        return "if a plain http server is there, write  http://  in base_url, and its host in gateway.private_hosts"
    advice = {
        errors.CredentialRefusedError: f"{key}{', and what it may do' if key_place else ''}",
        errors.ModelMissingError: f"check upstream in [[models]], the name of the model at the provider, and {path}",
        errors.RateLimitedError: "wait, and check the limits and the balance of your account",
        errors.RequestRefusedError: "check upstream in [[models]], and whether the model is one for chat",
        errors.ProviderTimeoutError: "try again, with a longer --timeout; check base_url",
        errors.UnreachableError: "check base_url, and whether this machine may reach it",
        errors.MalformedAnswerError: "check base_url and format: what answers there does not speak it",
        errors.AnswerTooLargeError: "check base_url and format: what answers there does not speak it",
    }
    return advice.get(type(error), "try again; look at the provider's page of incidents")
