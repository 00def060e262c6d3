"""API keys."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.credentials import CACHED_CREDENTIALS, CredentialError, Credentials, Principal, make_key
from server.settings import ApiKey

TEXT, SHA256 = make_key("checkout.v2", np.random.default_rng(1).bytes)
OTHER, OTHER_SHA256 = make_key("other", np.random.default_rng(2).bytes)
SECRET = TEXT.rpartition(".")[2]


@pytest.fixture
def credentials() -> Credentials:
    return Credentials([ApiKey("checkout.v2", SHA256, "shop"), ApiKey("other", OTHER_SHA256)])


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_known_key_tells_the_tenant_and_the_client(scheme: str, credentials: Credentials) -> None:
    assert credentials.authenticate(scheme + TEXT) == Principal("shop", "checkout.v2")
    assert credentials.authenticate(f"Bearer {OTHER}") == Principal("default", "other")


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            "",
            "Bearer",
            "Bearer ",
            TEXT,
            f"Basic {TEXT}",
            f"Bearer{TEXT}",
            f"Token: {TEXT}",
            "Bearer .",
            "Bearer checkout.v2.",
        ),
        *(f"Bearer {TEXT}x", f"Bearer {TEXT[:-1]}", f"Bearer {TEXT.upper()}", f"Bearer unknown.{SECRET}"),
        *(
            f"Bearer other.{SECRET}",
            f"Bearer {SECRET}",
            f"Bearer .{SECRET}",
            f"Bearer checkout.v2.{SHA256}",
            "Bearer a.é\ud800",
        ),
    ],
)
def test_everything_else_is_refused_with_one_text(value: str | None, credentials: Credentials) -> None:
    with pytest.raises(CredentialError) as raised:
        credentials.authenticate(value)
    assert str(raised.value) == str(CredentialError())


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_whatever_is_sent_is_refused_with_a_typed_error(value: str) -> None:
    with pytest.raises(CredentialError):
        Credentials([ApiKey("checkout.v2", SHA256)]).authenticate(value)


def test_nobody_is_known_by_the_hash_of_nothing() -> None:
    credentials = Credentials([ApiKey("a", hashlib.sha256(b"x").hexdigest())])
    with pytest.raises(CredentialError):
        credentials.authenticate("Bearer .")


@pytest.mark.parametrize("value", [None, "Bearer anything"])
def test_without_keys_everyone_is_the_default_tenant(value: str | None) -> None:
    assert Credentials([]).authenticate(value) == Principal("default", "")


def test_more_refused_credentials_than_are_remembered_do_not_shut_out_a_known_one(credentials: Credentials) -> None:
    for number in range(CACHED_CREDENTIALS + 10):
        with pytest.raises(CredentialError):
            credentials.authenticate(f"Bearer other.{number}")
    assert credentials.authenticate(f"Bearer {TEXT}").client == "checkout.v2"


def test_a_key_is_its_id_and_256_random_bits_of_which_only_the_hash_is_kept() -> None:
    text, sha256 = make_key("app", lambda count: bytes(range(count)))
    assert text == "app.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert sha256 == hashlib.sha256(text.partition(".")[2].encode()).hexdigest()
