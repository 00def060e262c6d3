"""LiteLLM's proxy as a provider: an OpenAI-compatible server that others wrote, with answers of its own making."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI, RateLimitError

from benchmarks._gateway.processes import Model, gateway, litellm, write_gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TEXT = "Paris, where two million people live."
TOOL_CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "population", "arguments": '{"city": "Paris"}'},
}
TOOL: Any = {"type": "function", "function": {"name": "population", "parameters": {"type": "object"}}}
QUESTION: Any = [{"role": "user", "content": "What is the capital of France, and how many people live there?"}]
UPSTREAMS: dict[str, dict[str, object]] = {
    "text": {"mock_response": TEXT},
    "tools": {"mock_tool_calls": [TOOL_CALL], "mock_response": ""},
    "limited": {"mock_response": "litellm.RateLimitError"},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """An official client of a gateway whose models are LiteLLM's."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    mocks = {name: {"model": "openai/mock", "api_key": "sk-mock", **mock} for name, mock in UPSTREAMS.items()}
    with ExitStack() as stack:
        proxy = stack.enter_context(litellm(folder, mocks))
        models = tuple(Model(name, "litellm", upstream=name) for name in UPSTREAMS)
        path = write_gateway(folder, {"litellm": f"http://{proxy.address}/v1"}, models)
        target = stack.enter_context(gateway(path))
        yield stack.enter_context(OpenAI(base_url=f"http://{target.address}/v1", api_key="any", max_retries=0))


def test_a_whole_answer_arrives_with_its_usage_and_decision(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="text", messages=QUESTION)
    answer = raw.parse()
    assert answer.choices[0].message.content == TEXT
    assert answer.usage
    assert answer.usage.prompt_tokens > 0
    assert raw.headers["x-routeward-decision-id"]
    assert raw.headers["x-routeward-model"] == "text"


def test_a_stream_arrives_in_order_and_whole(client: OpenAI) -> None:
    with client.chat.completions.create(model="text", messages=QUESTION, stream=True) as stream:
        choices = [chunk.choices[0] for chunk in stream if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == TEXT
    assert len(choices) > 2
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]


def test_calls_of_tools_pass_through_untouched(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="tools", messages=QUESTION, tools=[TOOL])
    calls = [call.model_dump(include={*TOOL_CALL}) for call in answer.choices[0].message.tool_calls or ()]
    assert calls == [TOOL_CALL]


def test_a_refusal_of_the_provider_reaches_who_named_the_model(client: OpenAI) -> None:
    with pytest.raises(RateLimitError):
        client.chat.completions.create(model="limited", messages=QUESTION)


def test_who_leaves_the_choice_to_the_gateway_is_answered_though_a_model_refuses(client: OpenAI) -> None:
    for _ in range(10):
        answer = client.chat.completions.create(
            model="auto/chat", messages=QUESTION, extra_headers={"x-routeward-models": "limited,text"}
        )
        assert answer.choices[0].message.content == TEXT
