"""From messages to what the use cases take: every field is read, every rule of the contract checked."""

import re
from collections.abc import Iterator
from typing import Final

from bandit.signals import OUTCOME, SCORE_PREFIX, THUMB, Fact, Outcome, Score, Status, Thumb, to_fixed_point
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb
from server.errors import InvalidFieldError, ServiceError, Violation
from server.fields import Fields
from server.requests import UNCONSTRAINED, Call, Constraints, Observation, Report
from server.tokens import MAX_CHARACTERS

MAX_MODELS: Final = 64
MAX_CAPABILITIES: Final = 16
MAX_LABEL_CHARACTERS: Final = 128
MAX_RATER_CHARACTERS: Final = 64
MAX_SIGNALS: Final = 16
MAX_ITEMS: Final = 1000
ENOUGH_VIOLATIONS: Final = 8
"""A report that breaks so many rules is not read on: a batch of such would hold other calls up."""

_SCORE_NAME: Final = re.compile(r"[A-Za-z0-9._:/-]{1,57}")
_STATUSES: Final = {int(status): status for status in Status}
_ON_INFEASIBLE: Final = frozenset(pb.OnInfeasible.values())
_THUMBS: Final = {pb.THUMB_UP: Thumb(up=True), pb.THUMB_DOWN: Thumb(up=False)}


def call_of(message: pb.RouteRequest, path: str = "") -> Call:
    """Return the call that a model is wanted for. Raises InvalidFieldError."""
    fields = Fields(message, path)
    answer_value_usd, second_value_usd = None, None
    if message.HasField("objective"):
        objective = fields.nested("objective")
        answer_value_usd, second_value_usd = objective.number("answer_value_usd"), objective.number("second_value_usd")
    call = Call(
        category=fields.name("category", required=True),
        request_id=fields.label("request_id", MAX_LABEL_CHARACTERS),
        input_tokens=fields.integer("input_tokens"),
        max_output_tokens=fields.integer("max_output_tokens", low=1),
        profile=fields.name("profile"),
        answer_value_usd=answer_value_usd,
        second_value_usd=second_value_usd,
        constraints=_constraints(fields, message.constraints) if message.HasField("constraints") else UNCONSTRAINED,
        model=fields.name("model"),
        previous_decision_id=fields.label("previous_decision_id", MAX_CHARACTERS),
        cached_input_tokens=fields.integer("cached_input_tokens"),
        session_id=fields.label("session_id", MAX_LABEL_CHARACTERS),
    )
    if call.cached_input_tokens is not None:
        _check_cached_tokens(fields, call, call.cached_input_tokens)
    fields.check()
    return call


def decision_id_of(message: pb.FeedbackRequest, path: str = "") -> str:
    """Return which decision a message is about. Raises InvalidFieldError where it does not say."""
    if not message.decision_id:
        raise InvalidFieldError([Violation(f"{path}decision_id", "is required")])
    return message.decision_id


def report_of(message: pb.FeedbackRequest, now_us: int, path: str = "") -> Report:
    """Return what a message tells of one decision. Raises InvalidFieldError, which names the first rules broken."""
    decision_id, fields = decision_id_of(message, path), Fields(message, path)
    if not 1 <= len(message.signals) <= MAX_SIGNALS:
        fields.reject("signals", f"has 1 to {MAX_SIGNALS} entries")
        fields.check()
    observations = []
    for index, signal in enumerate(message.signals):
        place = Fields(signal, f"{path}signals[{index}].", fields.violations)
        observations.append(_observation(signal, place, now_us))
        if len(fields.violations) >= ENOUGH_VIOLATIONS:
            break
    if len({one.signal for one in observations}) < len(observations):
        fields.reject("signals", "has each signal name at most once")
    rater = fields.label("rater", MAX_RATER_CHARACTERS)
    fields.check()
    return Report(decision_id, tuple(observations), rater)


def reports_of(message: pb.FeedbackBatchRequest, now_us: int) -> Iterator[Report | ServiceError]:
    """Return each item as it is asked for, or why it is refused. Raises InvalidFieldError for too few or too many."""
    if not 1 <= len(message.items) <= MAX_ITEMS:
        raise InvalidFieldError([Violation("items", f"has 1 to {MAX_ITEMS} entries")])
    return (_report_or_error(item, now_us, f"items[{index}].") for index, item in enumerate(message.items))


def posterior_question_of(message: admin_pb.GetPosteriorRequest) -> tuple[str, str]:
    """Return the category and the profile asked for, each empty where any will do. Raises InvalidFieldError."""
    fields = Fields(message)
    asked = fields.name("category"), fields.name("profile")
    fields.check()
    return asked


def subject_of(message: admin_pb.ExplainDecisionRequest) -> str | Call:
    """Return what is to be explained: a decision, by its id, or a call. Raises InvalidFieldError."""
    subject = message.WhichOneof("subject")
    if subject == "call":
        return call_of(message.call, "call.")
    if subject is None or not message.decision_id:
        raise InvalidFieldError([Violation("decision_id", "is required, unless a call is given")])
    return message.decision_id


def _constraints(call_fields: Fields, message: pb.Constraints) -> Constraints:
    fields = call_fields.nested("constraints")
    if message.on_infeasible not in _ON_INFEASIBLE:
        fields.reject("on_infeasible", "is REFUSE or LEAST_VIOLATION")
    max_latency_us = fields.duration_us("max_latency")
    if max_latency_us == 0:
        fields.reject("max_latency", "is more than 0; leave it out for no limit")
    return Constraints(
        models=fields.names("models", MAX_MODELS),
        capabilities=fields.names("capabilities", MAX_CAPABILITIES),
        region=fields.name("region"),
        max_cost_usd=fields.number("max_cost_usd"),
        max_latency_s=None if max_latency_us is None else max_latency_us * 1e-6,
        min_quality=fields.number("min_quality", high=1.0),
        least_violation=message.on_infeasible == pb.ON_INFEASIBLE_LEAST_VIOLATION,
    )


def _check_cached_tokens(fields: Fields, call: Call, cached: int) -> None:
    if not call.previous_decision_id:
        fields.reject("cached_input_tokens", "needs previous_decision_id, whose model holds the cache")
    if call.input_tokens is not None and cached > call.input_tokens:
        fields.reject("cached_input_tokens", "is at most input_tokens")


def _report_or_error(message: pb.FeedbackRequest, now_us: int, path: str) -> Report | ServiceError:
    try:
        return report_of(message, now_us, path)
    except InvalidFieldError as error:
        return error


def _observation(signal: pb.Signal, fields: Fields, now_us: int) -> Observation:
    observed_us = fields.time_us("observed_time", now_us)
    kind = signal.WhichOneof("fact")
    if kind == "retract":
        name = signal.retract.signal
        score = name.removeprefix(SCORE_PREFIX)
        if name not in (OUTCOME, THUMB) and (score == name or _SCORE_NAME.fullmatch(score) is None):
            fields.reject("retract.signal", 'is "outcome", "thumb" or "score:<name>"')
        return Observation(name, None, observed_us)
    fact = _fact(kind, signal, fields)
    return Observation(fact.signal, fact, observed_us)


def _fact(kind: str | None, signal: pb.Signal, fields: Fields) -> Fact:
    if kind == "outcome":
        return _outcome(fields.nested("outcome"), signal.outcome.status)
    if kind == "score":
        return _score(signal.score, fields.nested("score"))
    if kind != "thumb":
        fields.reject("fact", "is required: outcome, thumb, score or retract")
    elif signal.thumb not in _THUMBS:
        fields.reject("thumb", "is THUMB_UP or THUMB_DOWN")
    return _THUMBS.get(signal.thumb, _THUMBS[pb.THUMB_UP])


def _outcome(fields: Fields, status: int) -> Outcome:
    if status not in _STATUSES:
        fields.reject("status", "is required")
    cost_usd = fields.number("cost_usd")
    return Outcome(
        status=_STATUSES.get(status, Status.OK),
        latency_us=fields.duration_us("latency"),
        time_to_first_token_us=fields.duration_us("time_to_first_token"),
        input_tokens=fields.integer("input_tokens"),
        cached_input_tokens=fields.integer("cached_input_tokens"),
        output_tokens=fields.integer("output_tokens"),
        cost_nano_usd=None if cost_usd is None else round(cost_usd * 1e9),
    )


def _score(score: pb.Score, fields: Fields) -> Score:
    if _SCORE_NAME.fullmatch(score.name) is None:
        fields.reject("name", f"must match {_SCORE_NAME.pattern}")
    fits = fields.in_range("value", score.value, 1.0)
    return Score(score.name, to_fixed_point(score.value) if fits else 0)
