"""Everything a call can fail with, and what the caller is told.

ServiceError
├── InvalidFieldError           ├── CategoryUnknownError     ├── OverloadedError
├── MalformedMessageError       ├── ModelUnknownError        ├── ScoreNameLimitError
├── MessageTooLargeError        ├── ProfileUnknownError      ├── FeedbackUnavailableError
├── ApiKeyInvalidError          ├── NoEligibleModelError     ├── ShuttingDownError
├── ForeignDecisionError        ├── DecisionExpiredError     ├── LogUnavailableError
├── DecisionIdInvalidError      ├── BudgetExhaustedError     ├── DefectError
├── DecisionNotLoggedError      ├── AdminRequiredError       ├── VersionConflictError
├── SpoolExhaustedError         ├── ManagedByFileError       ├── RegistryInconsistentError
└── RegistryUnavailableError    └── EntryUnreadableError     └── DecisionAheadError

Each class fixes its canonical status code and the name of its ErrorReason; its message tells people what to
do, its metadata holds the dynamic parts for programs.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import ClassVar, Final, NamedTuple

SHOWN_NAMES: Final = 12
"""How many names a message lists at most."""


class Code(IntEnum):
    """The canonical status codes (google.rpc.Code) that a call can end with."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Violation(NamedTuple):
    """A field that breaks a rule: its path in the message, and the rule."""

    field: str
    description: str


class ServiceError(Exception):
    """A call failed in a way the contract names."""

    code: ClassVar[Code]
    reason: ClassVar[str]

    field: str = ""
    """What of the request it is about, where that is one field."""

    def __init__(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        violations: Sequence[Violation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


class InvalidFieldError(ServiceError):
    """Fields break their rules."""

    code, reason = Code.INVALID_ARGUMENT, "INVALID_FIELD"

    def __init__(self, violations: Sequence[Violation]) -> None:
        rules = "; ".join(f"{field}: {description}" for field, description in violations)
        super().__init__(rules, {"field": violations[0].field}, violations=violations)
        self.field = violations[0].field


class MalformedMessageError(ServiceError):
    """The bytes are no message of this method; `field` is the path of what is wrong, where that is known."""

    code, reason = Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE"

    def __init__(self, method: str, field: str = "") -> None:
        unread = f"the bytes are no {method} request; check that client and server speak the same version"
        wrong = f"{field}: a {method} request has no such field, or not with a value of this kind"
        super().__init__(wrong if field else unread, {"method": method})
        self.field = field


class MessageTooLargeError(ServiceError):
    """The message is larger than the server reads."""

    code, reason = Code.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"a message has at most {max_bytes} bytes; send less at once", {"max_bytes": str(max_bytes)})


class ApiKeyInvalidError(ServiceError):
    """The credential is missing or unknown."""

    code, reason = Code.UNAUTHENTICATED, "API_KEY_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "the server wants an API key that it knows: send `authorization: Bearer <key>`; the client and the command "
            "line take it from ROUTEWARD_API_KEY"
        )


class ForeignDecisionError(ServiceError):
    """The decision belongs to another namespace."""

    code, reason = Code.PERMISSION_DENIED, "FOREIGN_DECISION"

    def __init__(self) -> None:
        super().__init__("the decision belongs to another namespace than the API key")


class DecisionIdInvalidError(ServiceError):
    """The decision id is garbled or forged."""

    code, reason = Code.INVALID_ARGUMENT, "DECISION_ID_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "decision_id is none that this server gave; send the id from Route unchanged. Another replica may have "
            "given it, with other keys: all need the same (ROUTEWARD_TOKEN_KEYS)"
        )


class DecisionExpiredError(ServiceError):
    """The decision is too old for feedback."""

    code, reason = Code.FAILED_PRECONDITION, "DECISION_EXPIRED"

    def __init__(self, max_age_s: float) -> None:
        super().__init__(
            f"the decision is older than {max_age_s:.0f} s; nothing was recorded, do not retry",
            {"max_age_seconds": f"{max_age_s:.0f}"},
        )


class DecisionAheadError(ServiceError):
    """The decision is genuine, but lies too far in the future by this server's clock."""

    code, reason = Code.FAILED_PRECONDITION, "DECISION_AHEAD"

    def __init__(self, ahead_s: float) -> None:
        super().__init__(
            f"the decision lies {ahead_s:.0f} s in the future by this server's clock; nothing was recorded. The clocks "
            "of the replicas must agree to within a minute: synchronise them (NTP)",
            {"ahead_seconds": f"{ahead_s:.0f}"},
        )


class CategoryUnknownError(ServiceError):
    """The category is not configured, and new ones are not welcome."""

    code, reason = Code.NOT_FOUND, "CATEGORY_UNKNOWN"

    def __init__(self, category: str, field: str = "category") -> None:
        super().__init__(
            f"category {category!r} is neither configured nor used so far; check the name, or configure it",
            {"category": category},
        )
        self.field = field


class ModelUnknownError(ServiceError):
    """A model that the request names, in `field`, is not configured."""

    code, reason = Code.NOT_FOUND, "MODEL_UNKNOWN"

    def __init__(self, model: str, known: Iterable[str] = (), field: str = "model") -> None:
        names = ", ".join(sorted(known)[:SHOWN_NAMES])
        advice = f"name one of: {names}" if names else "name one that is"
        super().__init__(f"model {model!r} is not configured; {advice}", {"model": model})
        self.field = field


class ProfileUnknownError(ServiceError):
    """The profile is not configured."""

    code, reason = Code.NOT_FOUND, "PROFILE_UNKNOWN"

    def __init__(self, profile: str, known: Iterable[str] = ()) -> None:
        names = ", ".join(sorted(known)[:SHOWN_NAMES])
        advice = f"name one of: {names}" if names else "name one that is"
        super().__init__(f"profile {profile!r} is not configured; {advice}", {"profile": profile})
        self.field = "profile"


class DecisionNotLoggedError(ServiceError):
    """The decision is genuine, but the decision log does not hold it."""

    code, reason = Code.NOT_FOUND, "DECISION_NOT_LOGGED"

    def __init__(self) -> None:
        super().__init__(
            "the decision log does not hold this decision: it is older than store.retention_days, found no room when "
            "it was made (counted in routeward_decision_log_dropped), was lost with a store in memory, or another "
            "server is about to write it; explain the call itself, by what is believed now"
        )


class AdminRequiredError(ServiceError):
    """The key may not change the registry, nor see who did."""

    code, reason = Code.PERMISSION_DENIED, "ADMIN_REQUIRED"

    def __init__(self, client: str) -> None:
        super().__init__(
            f"the API key {client!r} may not do this; use one that the configuration marks with admin = true",
            {"client": client},
        )


class VersionConflictError(ServiceError):
    """Somebody changed it since the version that was expected; 0 is the version of what does not exist."""

    code, reason = Code.FAILED_PRECONDITION, "VERSION_CONFLICT"

    def __init__(self, name: str, expected: int, present: int) -> None:
        now = f"is at version {present}" if present else "does not exist"
        wanted = f"at version {expected}" if expected else "not to exist"
        super().__init__(
            f"{name!r} {now}, but was expected {wanted}; read it again, and decide anew",
            {"name": name, "version": str(present)},
        )


class ManagedByFileError(ServiceError):
    """The configuration file names it."""

    code, reason = Code.FAILED_PRECONDITION, "MANAGED_BY_FILE"

    def __init__(self, name: str) -> None:
        super().__init__(f"the configuration file names {name!r}; change it there, and restart", {"name": name})


class RegistryInconsistentError(ServiceError):
    """What would be left of the registry does not fit together."""

    code, reason = Code.FAILED_PRECONDITION, "REGISTRY_INCONSISTENT"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}", {"field": field})
        self.field = field


class EntryUnreadableError(ServiceError):
    """The registry has such an entry, but this version cannot read it."""

    code, reason = Code.FAILED_PRECONDITION, "REGISTRY_ENTRY_UNREADABLE"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"this server cannot read the {kind} {name!r}, and decides without it: a newer version wrote it, or it is "
            "damaged; upgrade the server, or replace or remove the entry",
            {"kind": kind, "name": name},
        )


class NoEligibleModelError(ServiceError):
    """No model is left; the metadata names, for each, what excluded it."""

    code, reason = Code.FAILED_PRECONDITION, "NO_ELIGIBLE_MODEL"

    def __init__(self, exclusions: Mapping[str, str]) -> None:
        each = ", ".join(f"{model}: {what}" for model, what in sorted(exclusions.items()))
        super().__init__(
            f"no model is left; loosen the constraints or ask for the least violation ({each or 'none is configured'})",
            exclusions,
        )


class OverloadedError(ServiceError):
    """The queue of feedback is full."""

    code, reason = Code.RESOURCE_EXHAUSTED, "OVERLOADED"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "the queue of feedback is full; nothing was recorded, retry later",
            {"queue": "feedback"},
            retry_after_s=retry_after_s,
        )


class BudgetExhaustedError(ServiceError):
    """The money of a period is spent, and the budget refuses until the next one."""

    code, reason = Code.RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED"

    def __init__(self, budget: str, rest_s: float) -> None:
        super().__init__(
            f"budget {budget!r} is spent; the next period begins in {rest_s:.0f} s, or raise it",
            {"budget": budget},
            retry_after_s=rest_s,
        )


class ScoreNameLimitError(ServiceError):
    """The namespace has as many score names as it may have."""

    code, reason = Code.RESOURCE_EXHAUSTED, "SCORE_NAME_LIMIT"

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(
            f"score {name!r} would be one more than the {limit} names a namespace may have; use one it has",
            {"name": name},
        )


class FeedbackUnavailableError(ServiceError):
    """The store does not answer."""

    code, reason = Code.UNAVAILABLE, "STORE_UNAVAILABLE"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "the store does not answer; no OK was given, so retry: what was stored is not counted twice",
            retry_after_s=retry_after_s,
        )


class SpoolExhaustedError(ServiceError):
    """The store does not answer, and the spool is full."""

    code, reason = Code.RESOURCE_EXHAUSTED, "SPOOL_FULL"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "the store does not answer, and the spool that stands in for it is full; no OK was given, so retry later",
            retry_after_s=retry_after_s,
        )


class LogUnavailableError(ServiceError):
    """The store does not answer a question about its log."""

    code, reason = Code.UNAVAILABLE, "STORE_UNAVAILABLE"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("the store does not answer, so its log cannot be read; retry", retry_after_s=retry_after_s)


class RegistryUnavailableError(ServiceError):
    """The store does not answer, and so the registry cannot be read or changed."""

    code, reason = Code.UNAVAILABLE, "STORE_UNAVAILABLE"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "the store does not answer, so the registry cannot be read or changed; retry, with the expected_version",
            retry_after_s=retry_after_s,
        )


class ShuttingDownError(ServiceError):
    """The server is shutting down."""

    code, reason = Code.UNAVAILABLE, "SHUTTING_DOWN"

    def __init__(self) -> None:
        super().__init__("the server is shutting down; nothing was recorded, retry on another replica")


class DefectError(ServiceError):
    """A defect of the server; the log holds what happened under the incident id."""

    code, reason = Code.INTERNAL, "INTERNAL"

    def __init__(self, incident_id: str) -> None:
        super().__init__(
            f"a defect of the server; quote incident {incident_id} when reporting it", {"incident_id": incident_id}
        )
