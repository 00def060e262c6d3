"""Whatever a request holds, it is read, or refused by an error that names what is wrong."""

import json
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from server.credentials import Principal
from server.errors import InvalidFieldError, ModelUnknownError
from server.http.call_headers import _READERS
from server.http.chat_replies import event
from server.http.chat_requests import ChatRequests
from server.http.json_bodies import parsed
from server.http.openai_errors import RequestError
from server.http.prompts import ROLES
from server.settings import Settings

REQUESTS = ChatRequests(Settings(), b"a key for fingerprints, 32 bytes")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "file", "refusal"]) | VALUES},
    optional=dict.fromkeys(("text", "image_url", "input_audio", "file", "refusal"), VALUES),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(ROLES) | VALUES},
    optional={"content": st.text(max_size=9) | st.lists(PART | VALUES, max_size=3) | VALUES, "tool_calls": VALUES},
)
FIELDS = ("stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "modalities", "response_format")
BODY = st.fixed_dictionaries(
    {"model": st.sampled_from(["auto", "auto/chat"]) | VALUES, "messages": st.lists(MESSAGE | VALUES, max_size=3)},
    optional=dict.fromkeys((*FIELDS, "tools", "functions"), VALUES),
)
HEADERS = st.dictionaries(st.sampled_from([*_READERS, "x-routeward-other"]), st.text(max_size=9), max_size=3)


def refusal(read: Callable[[], object]) -> object:
    """Return what is told of a refusal; None where there is none."""
    try:
        read()
    except InvalidFieldError as error:
        return error.violations[0].field
    except ModelUnknownError as error:
        return error.metadata["model"]
    except RequestError as error:
        return error.api_error.status
    return None


@settings(max_examples=50)
@given(BODY, HEADERS)
def test_a_request_of_any_values_is_read_or_refused_by_what_is_wrong(body, headers):
    assert refusal(lambda: REQUESTS.read(body, headers, Principal(), 0)) != ""


@given(st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_refused(body):
    assert refusal(lambda: parsed(body)) in (None, 400)


@given(st.binary(max_size=40))
def test_any_data_is_one_event_of_the_same_lines(data):
    framed = event(data)
    assert framed.endswith(b"\n\n")
    lines = framed[:-2].split(b"\n")
    assert all(line.startswith(b"data: ") for line in lines)
    assert [line.removeprefix(b"data: ") for line in lines] == (data.splitlines() or [b""])
