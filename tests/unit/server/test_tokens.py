"""Decision ids."""

import base64
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.signals import Kind
from server.settings import TokenKey
from server.tokens import (
    DecisionToken,
    TokenAheadError,
    TokenError,
    TokenExpiredError,
    TokenInvalidError,
    TokenKeys,
    fallback_tokens,
    profile_tag,
)

NOW_US = 1_800_000_000_000_000
WEEK_S = 7 * 86400.0
KEY = TokenKey("k1", bytes(range(32)))
TOKEN = DecisionToken(
    namespace="shop",
    category="code-review",
    model="openai/gpt-4o",
    kind=Kind.SAMPLED,
    propensity=0.123456789,
    decided_us=NOW_US - 1_000_000,
    nonce=b"twelve bytes",
    input_tokens=1000,
    parent=b"other twelve",
    profile=profile_tag("thrifty"),
    priced=True,
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", fullmatch=True)
nonces = st.binary(min_size=12, max_size=12)
tokens = st.builds(
    DecisionToken,
    namespace=names,
    category=names,
    model=names,
    kind=st.sampled_from(Kind),
    propensity=st.floats(0.0, 1.0, exclude_min=True),
    decided_us=st.integers(NOW_US - 10**12, NOW_US + 60_000_000),
    nonce=nonces,
    input_tokens=st.none() | st.integers(0, 100_000_000),
    parent=st.just(b"") | nonces,
    profile=st.just(b"") | st.binary(min_size=6, max_size=6),
    priced=st.booleans(),
)


@pytest.fixture(scope="module")
def keys() -> TokenKeys:
    return TokenKeys([KEY])


@settings(deadline=None, derandomize=True)
@given(tokens, st.binary(min_size=32, max_size=64), st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True))
def test_a_decision_comes_back_exactly_as_it_was_signed(token: DecisionToken, secret: bytes, key_id: str) -> None:
    keys = TokenKeys([TokenKey(key_id, secret)])
    text = keys.sign(token)
    assert keys.verify(text, NOW_US, 10**9) == token
    assert set(text) <= set(ALPHABET)
    assert len(text) <= 400


def test_a_decision_id_is_at_most_400_characters_with_the_longest_names() -> None:
    keys = TokenKeys([TokenKey("k" * 16, bytes(32))])
    longest = TOKEN._replace(namespace="n" * 64, category="c" * 64, model="m" * 64)
    text = keys.sign(longest)
    assert len(text) <= 400
    assert keys.verify(text, NOW_US, WEEK_S) == longest


def mac(secret: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=secret, digest_size=16).digest()


def test_the_signature_is_keyed_blake2b_of_the_rest(keys: TokenKeys) -> None:
    raw = base64.urlsafe_b64decode(keys.sign(TOKEN) + "==")
    assert raw[-16:] == mac(KEY.secret, raw[:-16])


@given(tokens, st.lists(names, max_size=8))
def test_ids_of_fallbacks_are_those_that_signing_each_of_their_tokens_gives(
    token: DecisionToken, models: list[str]
) -> None:
    keys, first = TokenKeys([KEY]), token._replace(parent=b"")
    each = fallback_tokens(first, models)
    assert keys.sign_fallbacks(first, tuple(models)) == [keys.sign(one) for one in each]
    same = first._replace(kind=Kind.FALLBACK, propensity=1.0, parent=first.nonce)
    assert [one._replace(model="", nonce=b"") for one in each] == [same._replace(model="", nonce=b"")] * len(models)
    assert [one.model for one in each] == models
    assert len({first.nonce, *(one.nonce for one in each)}) == 1 + len(models)


def test_the_nonce_of_a_fallback_stays_what_it_was_in_every_version() -> None:
    first = TOKEN._replace(nonce=bytes(range(12)), parent=b"")
    nonces = [one.nonce.hex() for one in fallback_tokens(first, ("other", "third"))]
    assert nonces == ["000102030404060708090a0b", "000102030407060708090a0b"]


@pytest.mark.parametrize("wrong", [{"nonce": b"short"}, {"parent": b"another  one"}])
@pytest.mark.parametrize("way", [fallback_tokens, TokenKeys([KEY]).sign_fallbacks])
def test_a_decision_that_cannot_have_fallbacks_is_given_none(wrong, way) -> None:
    with pytest.raises(ValueError, match="nonce"):
        way(TOKEN._replace(parent=b"")._replace(**wrong), ("other",))


def test_no_single_flipped_bit_is_accepted(keys: TokenKeys) -> None:
    raw = bytearray(base64.urlsafe_b64decode(_padded(keys.sign(TOKEN))))
    for bit in range(8 * len(raw)):
        raw[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TokenInvalidError):
            keys.verify(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), NOW_US, WEEK_S)
        raw[bit // 8] ^= 1 << bit % 8


def test_none_of_ten_thousand_mutated_ids_is_accepted(keys: TokenKeys) -> None:
    rng = np.random.default_rng(1)
    text = keys.sign(TOKEN)
    mutated = {_mutated(text, rng) for _ in range(12_000)} - {text}
    assert len(mutated) >= 10_000
    for forged in mutated:
        with pytest.raises(TokenInvalidError):
            keys.verify(forged, NOW_US, WEEK_S)


def test_a_decision_has_one_text_and_every_other_spelling_of_it_is_refused(keys: TokenKeys) -> None:
    token = TOKEN._replace(category="xy", nonce=b"\xff" * 12)
    texts = [keys.sign(token._replace(model="m" * length)) for length in (1, 2, 3)]
    for text in texts:
        spellings = {
            _padded(text) + "=" * (not len(text) % 4),
            text + "\n",
            " " + text,
            text + "A",
            text[:-1],
            text + "=",
        }
        spellings |= {text.replace("_", "/"), text.replace("-", "+"), text[:4] + "\n" + text[4:]} - {text}
        spellings |= {text[:-1] + last for last in ALPHABET} - {text}
        for spelling in spellings:
            with pytest.raises(TokenInvalidError):
                keys.verify(spelling, NOW_US, WEEK_S)
    assert {len(text) % 4 for text in texts} == {0, 2, 3}


@pytest.mark.parametrize(
    "text", ["", "A", "AQ", "AQhhYmNk", "=" * 400, "A" * 401, "é" * 60, "\ud800", "\x00" * 60, "AQ==" * 30]
)
def test_what_is_no_decision_id_is_refused(text: str, keys: TokenKeys) -> None:
    with pytest.raises(TokenInvalidError):
        keys.verify(text, NOW_US, WEEK_S)


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=450) | st.text(ALPHABET, max_size=400))
def test_whatever_text_arrives_is_refused_with_a_typed_error(text: str) -> None:
    with pytest.raises(TokenInvalidError):
        TokenKeys([KEY]).verify(text, NOW_US, WEEK_S)


def test_the_id_of_another_key_is_refused_whatever_its_name(keys: TokenKeys) -> None:
    for stranger in (TokenKey("k2", KEY.secret), TokenKey("k1", bytes(32))):
        with pytest.raises(TokenInvalidError):
            keys.verify(TokenKeys([stranger]).sign(TOKEN), NOW_US, WEEK_S)


def test_the_id_of_another_version_is_refused_even_if_it_is_signed() -> None:
    body = b"\x02" + base64.urlsafe_b64decode(_padded(TokenKeys([KEY]).sign(TOKEN)))[1:-16]
    raw = body + mac(KEY.secret, bytes(body))
    with pytest.raises(TokenInvalidError, match="version"):
        TokenKeys([KEY]).verify(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), NOW_US, WEEK_S)


@pytest.mark.parametrize(("place", "value"), [(4, 16), (4, 255), (5, 0), (5, 6)])
def test_flags_and_kinds_of_a_newer_version_are_refused_even_if_signed(place: int, value: int, keys: TokenKeys) -> None:
    body = bytearray(base64.urlsafe_b64decode(_padded(keys.sign(TOKEN)))[:-16])
    assert bytes(body[2:4]) == b"k1"
    body[place] = value
    raw = bytes(body) + mac(KEY.secret, bytes(body))
    with pytest.raises(TokenInvalidError, match="newer version"):
        keys.verify(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), NOW_US, WEEK_S)


def test_after_a_rotation_the_new_key_signs_and_both_are_accepted() -> None:
    old, new = TokenKey("old", b"o" * 32), TokenKey("new", b"n" * 32)
    before, after = TokenKeys([old]), TokenKeys([new, old])
    assert after.verify(before.sign(TOKEN), NOW_US, WEEK_S) == TOKEN
    assert TokenKeys([new]).verify(after.sign(TOKEN), NOW_US, WEEK_S) == TOKEN


def test_a_decision_expires_after_the_largest_age_and_not_before(keys: TokenKeys) -> None:
    text = keys.sign(TOKEN)
    last_us = TOKEN.decided_us + round(WEEK_S * 1e6)
    assert keys.verify(text, last_us, WEEK_S) == TOKEN
    with pytest.raises(TokenExpiredError) as raised:
        keys.verify(text, last_us + 1, WEEK_S)
    assert raised.value.age_s == pytest.approx(WEEK_S)


def test_a_forged_id_is_invalid_rather_than_expired(keys: TokenKeys) -> None:
    text = TokenKeys([TokenKey("k1", bytes(32))]).sign(TOKEN)
    with pytest.raises(TokenInvalidError):
        keys.verify(text, NOW_US * 2, WEEK_S)


def test_clocks_of_replicas_may_differ_by_a_minute_and_no_more(keys: TokenKeys) -> None:
    text = keys.sign(TOKEN)
    assert keys.verify(text, TOKEN.decided_us - 60_000_000, WEEK_S) == TOKEN
    with pytest.raises(TokenAheadError, match="60 s in the future") as raised:
        keys.verify(text, TOKEN.decided_us - 60_000_001, WEEK_S)
    assert raised.value.ahead_s == pytest.approx(60.000001)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "m" * 65},
        {"namespace": "é"},
        {"category": "c" * 300},
        {"nonce": b"short"},
        {"parent": b"short"},
        {"input_tokens": -1},
        {"input_tokens": 2**32},
        {"decided_us": 2**63},
    ],
)
def test_a_decision_that_does_not_fit_is_not_signed(change: dict[str, object], keys: TokenKeys) -> None:
    with pytest.raises(ValueError, match=r".+"):
        keys.sign(TOKEN._replace(**change))  # type: ignore[arg-type]


def test_keys_are_needed() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        TokenKeys([])


def test_all_errors_are_token_errors() -> None:
    for kind in (TokenInvalidError, TokenExpiredError, TokenAheadError):
        assert issubclass(kind, TokenError)


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def _mutated(text: str, rng: np.random.Generator) -> str:
    """The text with a few characters replaced, inserted, removed or moved."""
    characters = list(text)
    for change, place, letter in rng.integers(2**20, size=(rng.integers(1, 5), 3)):
        at = place % len(characters)
        match change % 4:
            case 0:
                characters[at] = ALPHABET[letter % 64]
            case 1:
                characters.insert(at, ALPHABET[letter % 64])
            case 2:
                del characters[at]
            case 3:
                characters.append(characters.pop(at))
    return "".join(characters)
