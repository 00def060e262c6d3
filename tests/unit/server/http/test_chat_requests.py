"""What a request means: model, category, limits, conversation."""

import re
from dataclasses import replace

import pytest

from adapters.providers.chat import Timeouts, Usage
from bandit.catalogue import Model, Prices
from server.credentials import Principal
from server.errors import InvalidFieldError, ModelUnknownError
from server.http.chat_requests import ChatRequests
from server.http.conversations import LIFETIME_US, Conversations, LastAnswer
from server.settings import Catalogue, GatewaySettings, HeaderRule, Settings

KEY = b"a key for fingerprints, 32 bytes"
ACME, GLOBEX = Principal("acme"), Principal("globex")
SETTINGS = Settings(
    catalogue=Catalogue(models=(Model("small", Prices(1, 1), capabilities=frozenset({"tools"})),)),
    gateway=GatewaySettings(
        timeouts=Timeouts(total_s=100.0),
        rules=(HeaderRule("user-agent", "*checkout*", "checkout"), HeaderRule("x-routeward-team", "seo", "marketing")),
    ),
)
BRIEF = {"role": "system", "content": "Be brief."}
HELLO = {"role": "user", "content": "Hello?"}
LONG = {"role": "user", "content": "x" * 8000}


def read(headers=(), *, caller=ACME, settings=SETTINGS, requests=None, now_us=0, messages=(BRIEF, HELLO), **fields):
    body = {"model": "auto", "messages": list(messages), **fields}
    return (requests or ChatRequests(settings, KEY)).read(body, dict(headers), caller, now_us)


def call(*args, **fields):
    return read(*args, **fields).chat.call


@pytest.mark.parametrize(
    ("model", "headers", "category"),
    [
        ("auto/poetry", {"x-routeward-category": "prose", "user-agent": "checkout/1"}, "prose"),
        ("auto/poetry", {"user-agent": "checkout/1"}, "poetry"),
        ("auto", {"user-agent": "the-checkout/1", "x-routeward-team": "seo"}, "checkout"),
        ("small", {"x-routeward-team": "seo"}, "marketing"),
    ],
)
def test_the_category_is_what_the_caller_says_then_what_a_rule_says(model, headers, category):
    assert call(headers, model=model).category == category


def test_without_either_it_is_a_fingerprint_of_system_prompt_and_tools_alone():
    fingerprint = call().category
    assert re.fullmatch("auto-[0-9a-f]{12}", fingerprint)
    assert call(messages=[BRIEF, LONG]).category == fingerprint
    assert call(temperature=0.5).category == fingerprint
    tools = [{"type": "function", "function": {"name": "weather"}}]
    others = [
        call(messages=[{**BRIEF, "content": "Be brief"}, HELLO]).category,
        call(tools=tools).category,
        call(messages=[HELLO], tools=tools).category,
        call(caller=GLOBEX).category,
        ChatRequests(SETTINGS, KEY[::-1]).read({"model": "auto", "messages": [BRIEF]}, {}, ACME, 0).chat.call.category,
    ]
    assert len({fingerprint, *others}) == 6


def test_a_request_with_nothing_to_tell_it_by_is_of_the_default_category():
    assert call(messages=[HELLO]).category == "default"


def test_fingerprints_get_the_names_that_the_operator_gives_them():
    named = replace(SETTINGS, gateway=replace(SETTINGS.gateway, categories={call().category: "greetings"}))
    assert call(settings=named).category == "greetings"


def test_a_nameless_fingerprint_makes_no_category_where_new_ones_are_not_welcome():
    strict = replace(SETTINGS, catalogue=replace(SETTINGS.catalogue, strict_categories=True))
    assert call(settings=strict).category == "default"


def test_everything_that_headers_say_reaches_the_call():
    headers = {
        "x-routeward-profile": "frugal",
        "x-routeward-answer-value-usd": "0.5",
        "x-routeward-second-value-usd": "0",
        "x-routeward-session": "s-1",
        "x-routeward-previous-decision-id": "d-1",
        "x-routeward-cached-input-tokens": "5",
        "x-routeward-request-id": "r-1",
        "x-routeward-models": "small, large",
        "x-routeward-region": "eu",
        "x-routeward-max-cost-usd": "0.25",
        "x-routeward-key": "somebody.secret",
    }
    made = call(headers, messages=[LONG], max_tokens=9, tools=[{"type": "function"}])
    assert made[1:6] == ("r-1", 2010, 9, "frugal", 0.5)
    assert (made.second_value_usd, made.previous_decision_id, made.cached_input_tokens) == (0.0, "d-1", 5)
    assert (made.session_id, made.model) == ("s-1", "")
    assert made.constraints[:4] == ({"small", "large"}, {"tools"}, "eu", 0.25)


@pytest.mark.parametrize(("header", "deadline_s"), [("", 100.0), ("7.5", 7.5), ("1000", 100.0)])
def test_a_caller_may_hurry_and_may_not_stay_longer_than_the_operator_allows(header, deadline_s):
    headers = {"x-routeward-timeout-seconds": header} if header else {}
    assert read(headers).chat.deadline_s == deadline_s


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("category", "no spaces"),
        ("category", ""),
        ("profile", "-"),
        ("answer-value-usd", "nan"),
        ("answer-value-usd", "inf"),
        ("second-value-usd", "-1"),
        ("max-cost-usd", "cheap"),
        ("session", "x" * 129),
        ("session", "a\tb"),
        ("previous-decision-id", "x" * 401),
        ("cached-input-tokens", "1.5"),
        ("cached-input-tokens", "²"),
        ("cached-input-tokens", "5"),
        ("timeout-seconds", "0"),
        ("timeout-seconds", "0.049"),
        ("timeout-seconds", "1e-9"),
        ("max-cost-usd", "1_0"),
        ("max-cost-usd", "-0"),
        ("max-cost-usd", "٣"),
        ("max-cost-usd", "1e999"),
        ("models", "small,,large"),
        ("models", ",".join(["small"] * 65)),
        ("max-cost", "1"),
    ],
)
def test_a_header_that_breaks_its_rule_or_means_nothing_is_named(name, value):
    with pytest.raises(InvalidFieldError) as raised:
        read({f"x-routeward-{name}": value})
    assert raised.value.violations[0].field == f"x-routeward-{name}"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"model": "auto/"}, "model"),
        ({"model": "auto/no spaces"}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"n": 129}, "n"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(fields, field):
    with pytest.raises(InvalidFieldError) as raised:
        read(**fields)
    assert raised.value.violations[0].field == field


@pytest.mark.parametrize("model", ["gpt-nothing", "no spaces", "AUTO"])
def test_a_model_that_is_not_configured_is_unknown(model):
    with pytest.raises(ModelUnknownError):
        read(model=model)


SESSION = {"x-routeward-session": "s-1"}


def answered(requests, usage=Usage(3000), caller=ACME, messages=(LONG,)):  # noqa: B008 - a constant
    """Have a conversation answered at time 0."""

    class Served:
        decision_id, model = "d-1", "small"

    wish = read(SESSION, requests=requests, caller=caller, messages=messages)
    requests.answered(wish.chat, Served(), usage, caller, 0)


@pytest.mark.parametrize(("usage", "cached"), [(Usage(1500), 1500), (Usage(9000), 2004), (Usage(), 2004)])
def test_a_conversation_goes_on_with_the_prompt_that_its_model_may_still_hold(usage, cached):
    requests = ChatRequests(SETTINGS, KEY)
    answered(requests, usage)
    made = call(SESSION, requests=requests, now_us=LIFETIME_US, messages=[LONG])
    assert (made.previous_decision_id, made.cached_input_tokens) == ("d-1", cached)


@pytest.mark.parametrize(
    "change",
    [
        {"now_us": LIFETIME_US + 1},
        {"now_us": -1},
        {"caller": GLOBEX},
        {"headers": {"x-routeward-session": "s-2"}},
        {"headers": {}},
        {"messages": [HELLO]},
    ],
    ids=["too late", "clock set back", "other tenant", "other session", "no session", "short prompt"],
)
def test_nothing_is_filled_in_where_no_cache_can_be_warm(change):
    requests = ChatRequests(SETTINGS, KEY)
    answered(requests)
    usual = {"headers": SESSION, "messages": [LONG], "now_us": 0, "caller": ACME} | change
    made = call(usual.pop("headers"), requests=requests, **usual)
    assert (made.previous_decision_id, made.cached_input_tokens) == ("", None)


@pytest.mark.parametrize(("counted", "cached"), [(0, None), (1200, 1200), (None, 2004)])
def test_a_second_answer_of_a_model_tells_how_much_of_a_conversation_its_provider_keeps(counted, cached):
    requests = ChatRequests(SETTINGS, KEY)
    answered(requests, Usage(3000, 0))
    for _ in range(2):
        answered(requests, Usage(3000, counted))
        assert call(SESSION, requests=requests, messages=[LONG]).cached_input_tokens == cached


def test_what_the_caller_says_of_his_cache_counts_before_what_is_remembered():
    requests = ChatRequests(SETTINGS, KEY)
    answered(requests)
    made = call({**SESSION, "x-routeward-previous-decision-id": "mine"}, requests=requests, messages=[LONG])
    assert (made.previous_decision_id, made.cached_input_tokens) == ("mine", None)


def test_a_short_answer_forgets_what_was_and_the_oldest_conversation_makes_room():
    conversations = Conversations(most=2)
    for session in ("a", "b", "a", "c"):
        conversations.remember("acme", session, LastAnswer(session, "small", 2000, 2000, 0))
    assert [conversations.last("acme", session, 0) is not None for session in "abc"] == [True, False, True]
    conversations.remember("acme", "a", LastAnswer("a", "small", 10, 10, 0))
    assert conversations.last("acme", "a", 0) is None
