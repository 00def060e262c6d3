"""What the edge serves beside chats: the contract as JSON, credentials, the description, figures."""

import json
import random
from dataclasses import replace
from typing import Any

import openai
import pytest

from server.credentials import make_key
from server.http import call_headers
from server.http.chat_replies import served_headers
from server.http.messages.fields import CARRIED, HINTS
from server.settings import ApiKey, ServerSettings
from tests.integration.server.gateway.conftest import SETTINGS

HELLO = [{"role": "user", "content": "Hello?"}]
KEYS = {tenant: make_key(tenant, random.Random(tenant).randbytes) for tenant in ("acme", "globex")}  # noqa: S311
TENANTS = replace(SETTINGS, server=ServerSettings(keys=tuple(ApiKey(t, sha, t) for t, (_, sha) in KEYS.items())))


async def request(edge, method: str, path: str, document: Any = None, **headers: str) -> tuple[int, Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode() if document is not None else b""
    given = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in (given | headers).items())
    answer = await edge.send(f"{method} {path} HTTP/1.1\r\nhost: a\r\n{lines}\r\n".encode() + body)
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content) if content else None


async def test_route_and_feedback_speak_the_contract_as_json(edge):
    asked = {"category": "chat", "input_tokens": 700, "constraints": {"models": ["large"]}}
    status, decision = await request(edge, "POST", "/v1/route", asked)
    assert (status, decision["model"], decision["kind"]) == (200, "large", "DECISION_KIND_SAMPLED")
    outcome = {"status": "STATUS_OK", "latency": "1.5s", "output_tokens": 20}
    signals = [{"outcome": outcome}, {"thumb": "THUMB_UP"}]
    told = {"decision_id": decision["decision_id"], "signals": signals}
    status, answer = await request(edge, "POST", "/v1/feedback", told)
    assert status == 200
    assert [(one["signal"], one["status"]) for one in answer["results"]] == [
        ("outcome", "SIGNAL_STATUS_APPLIED"),
        ("thumb", "SIGNAL_STATUS_APPLIED"),
    ]
    _, again = await request(edge, "POST", "/v1/feedback", told)
    assert {one["status"] for one in again["results"]} == {"SIGNAL_STATUS_DUPLICATE"}


async def test_the_decision_of_a_chat_takes_thumbs(edge):
    async with edge.client() as client:
        raw = await client.chat.completions.with_raw_response.create(model="auto/chat", messages=HELLO)
    told = {"decision_id": raw.headers["x-routeward-decision-id"], "signals": [{"thumb": "THUMB_DOWN"}]}
    status, answer = await request(edge, "POST", "/v1/feedback", told)
    assert (status, answer["results"][0]["status"]) == (200, "SIGNAL_STATUS_APPLIED")


@pytest.mark.parametrize(
    ("document", "status", "code", "param"),
    [
        (b"{", 400, "malformed_message", None),
        (b'{"category":"\xff"}', 400, "malformed_message", None),
        (b'{"constraints":' * 200 + b"{}" + b"}" * 200, 400, "malformed_message", "constraints.constraints"),
        ({"kategory": "chat"}, 400, "malformed_message", "kategory"),
        ({"category": 7}, 400, "malformed_message", "category"),
        ({"constraints": {"max_cost": 1}}, 400, "malformed_message", "constraints.max_cost"),
        ({"constraints": {"models": "a secret"}}, 400, "malformed_message", "constraints.models"),
        ({"input_tokens": "a at B.secret"}, 400, "malformed_message", "input_tokens"),
        ({}, 400, "invalid_field", "category"),
        (
            {"category": "chat", "objective": {"answer_value_usd": "NaN"}},
            400,
            "invalid_field",
            "objective.answer_value_usd",
        ),
        ({"category": "chat", "model": "nothing"}, 404, "model_not_found", "model"),
        ({"category": "chat", "profile": "nothing"}, 404, "profile_unknown", "profile"),
        ({"category": "x" * 300_000}, 413, "body_too_large", None),
    ],
)
async def test_what_breaks_the_contract_is_refused_by_its_field(edge, document, status, code, param):
    answered, body = await request(edge, "POST", "/v1/route", document)
    assert (answered, body["error"]["code"], body["error"]["param"]) == (status, code, param)
    assert "secret" not in body["error"]["message"]


async def test_only_callers_with_a_key_get_in_and_each_is_its_own_tenant(serve):
    async with serve(TENANTS) as edge:
        async with edge.client(KEYS["acme"][0]) as client:
            raw = await client.chat.completions.with_raw_response.create(model="auto/chat", messages=HELLO)
        told = {"decision_id": raw.headers["x-routeward-decision-id"], "signals": [{"thumb": "THUMB_UP"}]}
        foreign = await request(edge, "POST", "/v1/feedback", told, x_routeward_key=KEYS["globex"][0])
        own = await request(
            edge, "POST", "/v1/feedback", told, x_routeward_key=KEYS["acme"][0], authorization="Basic x"
        )
        assert (foreign[0], foreign[1]["error"]["code"]) == (403, "foreign_decision")
        assert own[0] == 200
        async with edge.client("acme.wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="auto", messages=HELLO)
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
        assert len(edge.chats.chats) == 1


async def test_a_stranger_is_refused_before_his_body_is_read(serve):
    async with serve(TENANTS) as edge:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n"
        assert b" 401 " in (await edge.send(head)).splitlines()[0]


async def test_who_is_well_and_what_is_served_is_told_to_everyone(serve):
    async with serve(TENANTS) as edge:
        for path in ("/livez", "/readyz", "/healthz", "/openapi.json"):
            assert (await request(edge, "GET", path))[0] == 200
            assert await request(edge, "HEAD", path) == (200, None)


async def test_the_description_describes_what_is_served_and_nothing_else(edge):
    _, described = await request(edge, "GET", "/openapi.json")
    served = {(route.path, route.method.lower()) for route in edge.routes.routes}
    assert {(path, method) for path, item in described["paths"].items() for method in item} == served
    chat, messages = (described["paths"][path]["post"] for path in ("/v1/chat/completions", "/v1/messages"))
    assert {one["name"] for one in chat["parameters"]} == set(call_headers._READERS)
    assert messages["parameters"] == chat["parameters"]
    assert messages["responses"]["200"]["headers"] == chat["responses"]["200"]["headers"]
    async with edge.client() as client:
        raw = await client.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
    sent = {name for name in raw.headers if name.startswith("x-")}
    assert sent == set(chat["responses"]["200"]["headers"])
    assert {one["operationId"] for item in described["paths"].values() for one in item.values()}


async def test_the_fields_of_a_message_that_are_described_are_those_that_are_taken(edge):
    _, described = await request(edge, "GET", "/openapi.json")
    assert set(described["components"]["schemas"]["MessagesRequest"]["properties"]) == CARRIED | HINTS


async def test_every_reference_in_the_description_leads_somewhere(edge):
    _, described = await request(edge, "GET", "/openapi.json")
    references = list(references_in(described))
    assert len(references) > 20
    for reference in references:
        place = described
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
        assert isinstance(place, dict)


def references_in(part: Any) -> list[str]:
    if isinstance(part, list):
        return [found for one in part for found in references_in(one)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if "$ref" in part else []
    return own + [found for one in part.values() for found in references_in(one)]


async def test_requests_are_counted_by_route_and_status(edge):
    async with edge.client() as client:
        await client.chat.completions.create(model="auto", messages=HELLO)
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("made-up")
    assert edge.value("http_requests_total", route="/v1/chat/completions", status="200") == 1.0
    assert edge.value("http_requests_total", route="/v1/models/{model}", status="404") == 1.0


async def test_what_a_provider_calls_the_request_is_no_header_where_it_cannot_be(edge):
    async with edge.client() as client:
        await client.chat.completions.create(model="auto", messages=HELLO)
    [chat] = edge.chats.chats
    served = edge.chats._served(chat, edge.chats.callers[0])
    for forged in ("a\r\nset-cookie: b", "é", "x" * 300, ""):
        assert "x-routeward-provider-request-id" not in served_headers(served._replace(request_id=forged))


async def test_a_message_with_a_wrong_field_is_refused_by_its_name(edge):
    status, answer = await request(edge, "POST", "/v1/feedback", {"decision_id": "d", "thumb": "up"})
    assert (status, answer["error"]["code"]) == (400, "malformed_message")
    assert answer["error"]["message"].startswith("thumb: ")
    assert len(answer["error"]["message"]) < 260


async def test_the_id_of_a_request_comes_back_also_where_it_fails(edge):
    body = b'{"model": "gpt-4o", "messages": []}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    given = b"x-routeward-request-id: my-1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    answer = await edge.send(head + given + body)
    assert b"\r\nx-request-id: my-1\r\n" in answer
    assert b"name one of: auto, large, small" in answer
