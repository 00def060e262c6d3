"""What ExplainDecision answers becomes values, and nothing gets lost or made up."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from routeward import Decision, DecisionKind
from routeward.errors import InvalidFieldError, ServerError
from routeward.explanation_messages import explanation_of, question_about
from routeward.v1 import admin_service_pb2 as admin_pb

ALONE = Decision(decision_id="", model="small", kind=DecisionKind.DEGRADED)


@pytest.mark.parametrize("decision", [ALONE, ""])
def test_a_decision_that_the_client_made_alone_is_refused_before_it_is_sent(decision):
    with pytest.raises(InvalidFieldError, match="static fallback") as refused:
        question_about(decision)
    assert [one.field for one in refused.value.violations] == ["decision_id"]


def test_every_field_of_the_terms_is_read():
    kind = admin_pb.ModelTerms.DESCRIPTOR
    terms = admin_pb.ModelTerms()
    for number, field in enumerate(kind.fields, start=1):
        if field.name == "latency":
            terms.latency.FromSeconds(number)
        else:
            setattr(terms, field.name, float(number))
    (model,) = explanation_of(
        admin_pb.ExplainDecisionResponse(models=[admin_pb.ModelExplanation(model="a", terms=terms)])
    ).models
    assert model.terms is not None
    read = [getattr(model.terms, name) for name in type(model.terms).__dataclass_fields__]
    assert sorted(read) == [float(number) for number in range(1, len(kind.fields) + 1)]


def test_what_is_not_set_is_none():
    answer = explanation_of(admin_pb.ExplainDecisionResponse(models=[admin_pb.ModelExplanation(model="a")]))
    (model,) = answer.models
    assert (answer.decision, answer.input_tokens, answer.limits.max_latency_s) == (None, None, None)
    assert (model.terms, model.best_probability, model.intended_probability, model.excluded) == (None, None, None, "")


def test_an_impossible_answer_is_a_server_error():
    never = Timestamp(seconds=2**60)
    with pytest.raises(ServerError, match="impossible"):
        explanation_of(admin_pb.ExplainDecisionResponse(computed_time=never))
