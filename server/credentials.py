"""API keys: who calls, and for which tenant.

A key is `ID.SECRET`; the configuration knows only the SHA-256 of the secret, which is as good as the secret's
256 random bits and fast. Clients send it as `authorization: Bearer ID.SECRET`.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from server.settings import DEFAULT_NAMESPACE, ApiKey

SECRET_BYTES: Final = 32
CACHED_CREDENTIALS: Final = 1024
"""How many accepted credentials are remembered; refused ones are not, so strangers cannot fill it."""

_SCHEME: Final = "bearer "
_NOBODY: Final = ApiKey(id="", sha256="0" * 64)


class CredentialError(Exception):
    """The credential is missing or unknown; one text for every cause, so that it tells nothing."""

    def __init__(self) -> None:
        super().__init__("send `authorization: Bearer <key>` with a key that the server knows")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the tenant, and the id of the API key (empty: the server asks for none).

    `is_admin` says that he may change the registry.
    """

    namespace: str = DEFAULT_NAMESPACE
    client: str = ""
    is_admin: bool = False


class Credentials:
    """Tells callers by their API keys. Without keys everyone is the same, which only loopback may be."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = {key.id: key for key in keys}
        self._known = lru_cache(maxsize=CACHED_CREDENTIALS)(self._identify)

    def authenticate(self, authorization: str | None) -> Principal:
        """Return who sent this value of the metadata key `authorization`; None is a missing one.

        Raises CredentialError, after the same work for an unknown id as for a wrong secret.
        """
        return self._known(authorization or "") if self._keys else Principal()

    def _identify(self, value: str) -> Principal:
        id_, _, secret = value[len(_SCHEME) :].strip().rpartition(".")
        key = self._keys.get(id_, _NOBODY)
        known = hmac.compare_digest(sha256_of(secret), key.sha256)
        if not known or key is _NOBODY or value[: len(_SCHEME)].lower() != _SCHEME:
            raise CredentialError
        return Principal(key.namespace, key.id, key.is_admin)


def make_key(id_: str, entropy: Callable[[int], bytes]) -> tuple[str, str]:
    """Make an API key; return its text, which is shown once, and the SHA-256 that the configuration keeps."""
    secret = base64.urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode("ascii")
    return f"{id_}.{secret}", sha256_of(secret)


def sha256_of(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
