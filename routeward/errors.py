"""Everything that a client raises.

RoutewardError
├── InvalidRequestError            the request can never succeed: fix it
│   ├── InvalidFieldError          a field breaks a rule; `violations` lists each
│   ├── MalformedMessageError      client and server speak different versions
│   ├── MessageTooLargeError       send less at once
│   └── DecisionIdInvalidError     not an id that Route gave
├── CredentialError                the API key does not permit this
│   ├── ApiKeyInvalidError         no key, or an unknown one
│   ├── ForeignDecisionError       the decision belongs to another namespace
│   └── AdminRequiredError         the key may not change the registry
├── NotFoundError                  something named in the request is not configured, or not there
│   ├── CategoryUnknownError
│   ├── ModelUnknownError
│   ├── ProfileUnknownError
│   └── DecisionNotLoggedError     the server's log does not hold the decision (any more)
├── RefusedError                   valid, but not possible in the present state
│   ├── DecisionExpiredError       feedback came too late; nothing was recorded
│   ├── DecisionAheadError         clocks of replicas disagree; nothing was recorded
│   ├── NoEligibleModelError       `metadata` names, for each model, what excluded it
│   ├── VersionConflictError       somebody changed it since it was read; `metadata` holds its version now
│   ├── ManagedByFileError         the configuration file names it
│   ├── RegistryInconsistentError  what would be left of the registry does not fit together
│   └── EntryUnreadableError       the server cannot read an entry of the registry; `metadata` names it
├── LimitReachedError              a limit of the server is reached
│   ├── OverloadedError            retry after `retry_after_s`
│   ├── SpoolFullError             its database does not answer; retry after `retry_after_s`
│   ├── ScoreNameLimitError        use one of the score names that exist
│   └── BudgetExhaustedError       the money of the period is spent; `retry_after_s` is its rest
├── UnavailableError               the server cannot be reached, or cannot store anything
│   ├── StoreUnavailableError
│   └── ShuttingDownError
├── DeadlineExceededError          no answer within the timeout
├── ServerError                    a defect of the server, or an answer that is not routeward's
└── ClientClosedError              the client was used after `close`
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that breaks a rule: its path, for example "signals[0].score.value", and the rule."""

    field: str
    description: str


class RoutewardError(Exception):
    """What every error of the client is.

    `reason` is the name of an ErrorReason of the contract, "" when the server gave none; `metadata` holds
    the dynamic parts of the message; `retry_after_s` is how long the server asks to wait, None when it does
    not say.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[Violation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


class InvalidRequestError(RoutewardError):
    """The request can never succeed."""

    advice = "Correct the request; repeating it does not help."


class InvalidFieldError(InvalidRequestError):
    """A field breaks a rule; `violations` lists each."""


class MalformedMessageError(InvalidRequestError):
    """The server could not read the message: client and server speak different versions."""


class MessageTooLargeError(InvalidRequestError):
    """The message is larger than the server reads."""


class DecisionIdInvalidError(InvalidRequestError):
    """The decision_id is not one that Route gave."""


class CredentialError(RoutewardError):
    """The API key does not permit this call."""

    advice = "Check the client's api_key or ROUTEWARD_API_KEY."


class ApiKeyInvalidError(CredentialError):
    """The server wants an API key, or does not know this one."""


class ForeignDecisionError(CredentialError):
    """The decision belongs to another namespace than the API key."""


class AdminRequiredError(CredentialError):
    """The API key may not change the registry, nor see who did."""


class NotFoundError(RoutewardError):
    """Something that the request names is not configured, or not there."""

    advice = "Add it to the server's configuration, or name something that is there."


class CategoryUnknownError(NotFoundError):
    """The category is not configured, and the server takes no other."""


class ModelUnknownError(NotFoundError):
    """A model that the request names is not configured."""


class ProfileUnknownError(NotFoundError):
    """The profile is not configured."""


class DecisionNotLoggedError(NotFoundError):
    """The decision is genuine, but the server's log does not hold it."""


class RefusedError(RoutewardError):
    """The request is valid, but not possible in the present state."""

    advice = "Repeating the request does not help."


class DecisionExpiredError(RefusedError):
    """The decision is too old for feedback; nothing was recorded."""


class DecisionAheadError(RefusedError):
    """By the server's clock the decision lies in the future: clocks of replicas disagree; nothing was recorded."""


class NoEligibleModelError(RefusedError):
    """No model satisfies the constraints; `metadata` names, for each model, what excluded it."""


class VersionConflictError(RefusedError):
    """Somebody changed it since the version that was expected; `metadata` holds its name and its version now."""


class ManagedByFileError(RefusedError):
    """The configuration file of the server names it, so it is changed there."""


class RegistryInconsistentError(RefusedError):
    """What would be left of the registry does not fit together."""


class EntryUnreadableError(RefusedError):
    """The registry has such an entry, but the server cannot read it; `metadata` holds its kind and its name."""


class LimitReachedError(RoutewardError):
    """A limit of the server is reached; nothing was recorded."""

    advice = "Retry later, or send less."


class OverloadedError(LimitReachedError):
    """The server has too much to do; nothing was recorded."""


class SpoolFullError(LimitReachedError):
    """The server's database does not answer, and its spool is full; no OK was given."""


class ScoreNameLimitError(LimitReachedError):
    """The namespace has as many score names as it may have."""


class BudgetExhaustedError(LimitReachedError):
    """The money of a budget's period is spent; the next one begins in `retry_after_s`."""


class UnavailableError(RoutewardError):
    """The server cannot be reached, or cannot store anything."""

    advice = "Check that a server runs at the client's target; `fallback` lets `route` answer without one."


class StoreUnavailableError(UnavailableError):
    """The server's store does not answer; what it stored all the same is not counted twice."""


class ShuttingDownError(UnavailableError):
    """The server is shutting down."""


class DeadlineExceededError(RoutewardError):
    """The server did not answer within the timeout; feedback may have been recorded, and can be repeated."""

    advice = "Give a longer timeout, or check that a server runs at the client's target."


class ServerError(RoutewardError):
    """A defect of the server, or an answer that is not routeward's; quote metadata["incident_id"] if given."""

    advice = "Check that the target is a routeward server of a matching version."


class ClientClosedError(RoutewardError):
    """The client was used after `close`."""
