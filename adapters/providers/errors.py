"""Everything a call to a provider can fail with.

ProviderError
├── UnreachableError        no connection: name, address, TLS, or cut off before an answer
├── ProviderTimeoutError    too slow to connect, to begin, to go on, or to end
├── RateLimitedError        429
├── ProviderFaultError      5xx, or an error that it reports within a 200
│   └── UnfitAnswerError    its server works, and does not pass on what the model wrote
├── CredentialRefusedError  401, 403: the operator's key is wrong
├── ModelMissingError       404: the operator's name of the model is wrong
├── RequestRefusedError     400, 413, 422 and the like: the caller's request is wrong, for this model at least
│   └── UnsupportedRequestError  the request is right, and this model's API has no words for it
├── MalformedAnswerError    the bytes are no answer: truncated, of another type, a redirect
├── AnswerTooLargeError     more than anyone reads
└── StreamBrokenError       it began, and ended before the answer was complete

They are signals about availability, never about quality. No text holds more than `MAX_EXCERPT` bytes of what a provider
sent, nor anything of a request. MissingExtraError is none of them: it comes before any call.
"""

from typing import ClassVar, Final

from bandit.signals import Status

MAX_EXCERPT: Final = 200
"""Bytes of a foreign body that a text shows at most."""


class MissingExtraError(Exception):
    """Calling providers needs a package that is not installed; the text says how to get it."""


class ProviderError(Exception):
    """A call failed.

    `status` is what the outcome of the attempt says. `is_failure` tells that the model did not serve, which counts
    against it; `elsewhere` that another attempt, or another model, may well succeed. `http_status` is that of the
    response, 200 where the failure is reported within one; a refusal without it was made here, and nothing was sent.
    `retry_after_s` is how long the provider asks to be left alone.
    """

    status: ClassVar[Status] = Status.ERROR
    is_failure: ClassVar[bool] = True
    elsewhere: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class UnreachableError(ProviderError):
    """There is no connection to the provider, or it was cut before an answer began."""


class ProviderTimeoutError(ProviderError):
    """The provider is too slow; `phase` is "connect", "first_token", "idle" or "total"."""

    status = Status.TIMEOUT

    def __init__(self, phase: str, seconds: float) -> None:
        super().__init__(f"the provider took longer than {seconds:g} s ({phase})")
        self.phase = phase


class RateLimitedError(ProviderError):
    """The provider wants fewer calls."""

    status = Status.RATE_LIMITED


class ProviderFaultError(ProviderError):
    """The provider says that it is broken or overloaded."""


class UnfitAnswerError(ProviderFaultError):
    """The model wrote what its provider does not pass on: an invalid call of a tool, or no JSON where JSON was asked.

    Callers can bring that about by what they ask for, so it does not count against the model's availability.
    """

    is_failure = False


class CredentialRefusedError(ProviderError):
    """The provider does not accept the key."""


class ModelMissingError(ProviderError):
    """The provider does not have the model."""


class RequestRefusedError(ProviderError):
    """The provider does not accept the request. `code` and `param` are what it says of it, where it does."""

    status = Status.CANCELLED
    is_failure = False
    elsewhere = False

    def __init__(
        self, message: str, *, code: str = "", param: str = "", http_status: int | None = None, request_id: str = ""
    ) -> None:
        super().__init__(message, http_status=http_status, request_id=request_id)
        self.code = code
        self.param = param


class UnsupportedRequestError(RequestRefusedError):
    """The request asks for something that this model, or the API it speaks, does not have; another one may."""

    elsewhere = True


class MalformedAnswerError(ProviderError):
    """What came is no answer."""


class AnswerTooLargeError(ProviderError):
    """The answer is larger than what is read of one."""


class StreamBrokenError(ProviderError):
    """An answer began and was cut off."""


def excerpt(body: bytes | str) -> str:
    """Return the beginning of what a provider sent, on one line and printable, of at most `MAX_EXCERPT` bytes."""
    if isinstance(body, str) and len(body) <= MAX_EXCERPT and body.isascii() and body.isprintable():
        return body.strip()
    raw = body.encode("utf-8", "replace") if isinstance(body, str) else body
    text = raw[:MAX_EXCERPT].decode("utf-8", "replace")
    shown = "".join(character if character.isprintable() else " " for character in text).strip()
    return shown.encode("utf-8")[:MAX_EXCERPT].decode("utf-8", "ignore")
