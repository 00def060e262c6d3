"""Decision ids: self-contained, signed, and short enough for a header or a URL.

A decision id is base64url without padding of

    version(1) key-id-length(1) key-id  flags(1) kind(1) propensity(8) decided(8) [input-tokens(4)]
    nonce(12) [parent(12)] [profile(6)]  three lengths(3) namespace category model  keyed BLAKE2b of all that(16)

with big-endian numbers. Every value has one encoding and every encoding one text, so a decision has one id.
"""

import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from bandit.signals import Kind
from server.settings import TokenKey

MAX_CHARACTERS: Final = 400
MAX_NAME_BYTES: Final = 64
NONCE_BYTES: Final = 12
TIME_BYTES: Final = 5
"""A nonce begins with the time in milliseconds, which comes around every 34 years: that only costs order."""
FUTURE_LEEWAY_US: Final = 60_000_000
"""How far ahead of this machine's clock the clock of another replica may be."""

_VERSION: Final = 1
_MAC_BYTES: Final = 16
_HAS_INPUT_TOKENS: Final = 1
_HAS_PARENT: Final = 2
_HAS_PROFILE: Final = 4
_PRICED: Final = 8
_ALL_FLAGS: Final = 15
_PROFILE_BYTES: Final = 6
_HEAD: Final = struct.Struct(">BBdq")
_COUNT: Final = struct.Struct(">I")
_HEAD_WITH_COUNT: Final = struct.Struct(">BBdqI")
_SHORTEST: Final = 2 + _HEAD.size + NONCE_BYTES + 3 + _MAC_BYTES
_KINDS: Final = {int(kind): kind for kind in Kind}
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE: Final = bytes.maketrans(b"-_+/", b"+/!!")
_BYTES: Final = [bytes((byte,)) for byte in range(256)]


class TokenError(Exception):
    """A decision id cannot be accepted."""


class TokenInvalidError(TokenError):
    """Not a decision id that a holder of our keys made: garbled, forged, or of an unknown key or version."""


class TokenExpiredError(TokenError):
    """A genuine decision id that is too old; `age_s` is its age."""

    def __init__(self, age_s: float) -> None:
        super().__init__(f"the decision is {age_s:.0f} s old")
        self.age_s = age_s


class TokenAheadError(TokenError):
    """A genuine decision id of a clock too far ahead of this one; `ahead_s` says how far."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__(f"the decision lies {ahead_s:.0f} s in the future by this clock")
        self.ahead_s = ahead_s


class DecisionToken(NamedTuple):
    """What a decision id says. Names are ASCII, at most 64 characters.

    `propensity` is kept exactly. `input_tokens` is None where the request said nothing, else below 2^32.
    `nonce` has 12 bytes; `parent` 12 bytes of the decision this is a fallback of, else none. `profile` is the
    `profile_tag` of the profile that pays, none where no budget asks for it; `priced` says that a budget had a price.
    """

    namespace: str
    category: str
    model: str
    kind: Kind
    propensity: float
    decided_us: int
    nonce: bytes
    input_tokens: int | None = None
    parent: bytes = b""
    profile: bytes = b""
    priced: bool = False


@lru_cache(maxsize=1024)
def profile_tag(name: str) -> bytes:
    """Return what stands for a profile in a token, which has no room for its name: six bytes of its BLAKE2b.

    Of a thousand profiles two share a tag with a chance of 2 in a billion.
    """
    return hashlib.blake2b(name.encode("ascii"), digest_size=_PROFILE_BYTES).digest()


def fallback_tokens(first: DecisionToken, models: Sequence[str]) -> list[DecisionToken]:
    """Return what the ids of a decision's fallbacks say, in the order of these models: `first` has no parent.

    Each fallback has a nonce of its own, made of that of `first` and its place. Raises ValueError for a nonce that is
    none, and where `first` is a fallback itself.
    """
    _check_first(first)
    nonce = first.nonce
    start, mixed, end = nonce[:TIME_BYTES], nonce[TIME_BYTES], nonce[TIME_BYTES + 1 :]
    same = first._replace(kind=Kind.FALLBACK, propensity=1.0, parent=nonce)
    return [
        same._replace(model=model, nonce=start + _BYTES[mixed ^ place] + end)
        for place, model in enumerate(models, start=1)
    ]


def check_age(token: DecisionToken, now_us: int, max_age_s: float) -> None:
    """Raise TokenAheadError for a decision more than a minute ahead, TokenExpiredError for one that is too old."""
    age_us = now_us - token.decided_us
    if age_us < -FUTURE_LEEWAY_US:
        raise TokenAheadError(-age_us * 1e-6)
    if age_us > max_age_s * 1e6:
        raise TokenExpiredError(age_us * 1e-6)


class TokenKeys:
    """Signs decision ids with the first of its keys and accepts those of all of them.

    To rotate: put a new key first on every replica, and drop the old one after the largest feedback age.
    """

    def __init__(self, keys: Sequence[TokenKey]) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        self._macs = {key.id.encode("ascii"): _mac(key.secret) for key in keys}
        first = keys[0].id.encode("ascii")
        self._signing = self._macs[first]
        self._prefix = bytes((_VERSION, len(first))) + first

    def sign(self, token: DecisionToken) -> str:
        """Return the decision id. Raises ValueError where a field is out of its range."""
        return self._signed(self._prefix + _encoded(token))

    def sign_fallbacks(self, first: DecisionToken, models: tuple[str, ...]) -> list[str]:
        """Return the decision ids of `fallback_tokens`, as `sign` would, in half the time. Raises as both do."""
        namespace, category, _, _, _, decided_us, nonce, input_tokens, _, profile, priced = first
        _check_first(first)
        numbers = _numbers(Kind.FALLBACK, 1.0, decided_us, input_tokens, _flags(profile, priced) | _HAS_PARENT)
        start, mixed, end = nonce[:TIME_BYTES], nonce[TIME_BYTES], nonce[TIME_BYTES + 1 :] + nonce + profile
        return [
            self._signed(b"".join((self._prefix, numbers, start, _BYTES[mixed ^ place], end, names)))
            for place, names in enumerate(_names_of_each(namespace, category, models), start=1)
        ]

    def _signed(self, body: bytes) -> str:
        text = binascii.b2a_base64(body + self._signing(body), newline=False)
        return text.translate(_TO_URL_SAFE).rstrip(b"=").decode("ascii")

    def verify(self, text: str, now_us: int, max_age_s: float) -> DecisionToken:
        """Return what a decision id says.

        Raises TokenInvalidError unless one of our keys signed exactly this text; TokenAheadError where the decision is
        more than a minute ahead of `now_us`, TokenExpiredError where it is older than `max_age_s`.
        """
        raw = _decoded(text)
        fields_start = 2 + raw[1]
        body = raw[:-_MAC_BYTES]
        mac = self._macs.get(raw[2:fields_start])
        if raw[0] != _VERSION or mac is None:
            raise TokenInvalidError("the decision id is of another version, or signed by an unknown key")
        if not hmac.compare_digest(mac(body), raw[-_MAC_BYTES:]):
            raise TokenInvalidError("the signature of the decision id is wrong")
        token = _parsed(body, fields_start)
        check_age(token, now_us, max_age_s)
        return token


def _mac(secret: bytes) -> Callable[[bytes], bytes]:
    """Return BLAKE2b keyed with `secret`, of 16 bytes (RFC 7693, section 2.9): one pass where HMAC takes two."""
    keyed = hashlib.blake2b(key=secret, digest_size=_MAC_BYTES)

    def mac(body: bytes) -> bytes:
        hashed = keyed.copy()
        hashed.update(body)
        return hashed.digest()

    return mac


def _check_first(token: DecisionToken) -> None:
    if len(token.nonce) != NONCE_BYTES or token.parent:
        raise ValueError("the nonce of a decision is not 12 bytes, or it is a fallback itself")


def _encoded(token: DecisionToken) -> bytes:
    namespace, category, model, kind, propensity, decided_us, nonce, input_tokens, parent, profile, priced = token
    if len(nonce) != NONCE_BYTES or len(parent) not in (0, NONCE_BYTES):
        raise ValueError("the nonce or the parent of a decision is not 12 bytes")
    flags = _flags(profile, priced) | (_HAS_PARENT if parent else 0)
    numbers = _numbers(kind, propensity, decided_us, input_tokens, flags)
    return b"".join((numbers, nonce, parent, profile, _encoded_names(namespace, category, model)))


def _flags(profile: bytes, priced: bool) -> int:
    if len(profile) not in (0, _PROFILE_BYTES):
        raise ValueError(f"the tag of a profile is not {_PROFILE_BYTES} bytes")
    return (_HAS_PROFILE if profile else 0) | (_PRICED if priced else 0)


def _numbers(kind: Kind, propensity: float, decided_us: int, input_tokens: int | None, flags: int = 0) -> bytes:
    try:
        if input_tokens is None:
            return _HEAD.pack(flags, kind, propensity, decided_us)
        return _HEAD_WITH_COUNT.pack(flags | _HAS_INPUT_TOKENS, kind, propensity, decided_us, input_tokens)
    except struct.error as error:
        raise ValueError("a number of a decision is out of its range") from error


@lru_cache(maxsize=1024)
def _names_of_each(namespace: str, category: str, models: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(_encoded_names(namespace, category, model) for model in models)


@lru_cache(maxsize=1024)
def _encoded_names(*names: str) -> bytes:
    lengths = [len(name) for name in names]
    if max(lengths) > MAX_NAME_BYTES:
        raise ValueError(f"a name of a decision is longer than {MAX_NAME_BYTES} characters")
    return bytes(lengths) + "".join(names).encode("ascii")


def _decoded(text: str) -> bytes:
    """Decode base64url strictly; only the canonical text of the bytes is accepted."""
    if len(text) > MAX_CHARACTERS or not text.isascii():
        raise TokenInvalidError("the decision id is too long, or not ASCII")
    standard = text.encode("ascii").translate(_FROM_URL_SAFE)
    try:
        raw = binascii.a2b_base64(standard + b"=" * (-len(standard) % 4), strict_mode=True)
    except binascii.Error as error:
        raise TokenInvalidError("the decision id is not base64url") from error
    if len(raw) < _SHORTEST or binascii.b2a_base64(raw, newline=False).rstrip(b"=") != standard:
        raise TokenInvalidError("the decision id is cut off, or not in its canonical form")
    return raw


def _parsed(body: bytes, start: int) -> DecisionToken:
    """Read the fields of a body whose signature is right, so that its form is what `_encoded` made."""
    flags, kind, propensity, decided_us = _HEAD.unpack_from(body, start)
    if kind not in _KINDS or flags > _ALL_FLAGS:
        raise TokenInvalidError("the decision id was made by a newer version")
    at = start + _HEAD.size
    input_tokens = None
    if flags & _HAS_INPUT_TOKENS:
        (input_tokens,) = _COUNT.unpack_from(body, at)
        at += _COUNT.size
    nonce = body[at : at + NONCE_BYTES]
    at += NONCE_BYTES
    parent_end = at + (NONCE_BYTES if flags & _HAS_PARENT else 0)
    profile_end = parent_end + (_PROFILE_BYTES if flags & _HAS_PROFILE else 0)
    first, second = body[profile_end], body[profile_end + 1]
    names = body[profile_end + 3 :].decode("ascii")
    return DecisionToken(
        namespace=names[:first],
        category=names[first : first + second],
        model=names[first + second :],
        kind=_KINDS[kind],
        propensity=propensity,
        decided_us=decided_us,
        nonce=nonce,
        input_tokens=input_tokens,
        parent=body[at:parent_end],
        profile=body[parent_end:profile_end],
        priced=bool(flags & _PRICED),
    )
