"""POST /v1/messages/count_tokens: how long a prompt is, by the estimate that decisions are made with."""

import json

from server.credentials import Principal
from server.http.exchange import Incoming, Reply
from server.http.json_bodies import parsed
from server.http.messages.requests import prompt_request
from server.http.prompts import prompt_of


async def count_tokens(_incoming: Incoming, body: bytes, _caller: Principal) -> Reply:
    """Return an estimate: which model will count the tokens is not known. Raises InvalidFieldError, RequestError."""
    prompt = prompt_of(prompt_request(parsed(body)))
    return Reply(200, json.dumps({"input_tokens": prompt.input_tokens}).encode("ascii"))
