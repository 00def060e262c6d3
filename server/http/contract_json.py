"""The contract's methods over HTTP: the messages in protobuf's JSON form, with the names of the contract."""

from typing import Final

from google.protobuf import json_format
from google.protobuf.message import Message

from server.credentials import Principal
from server.edge import Method
from server.errors import MalformedMessageError
from server.http.exchange import Incoming, Reply
from server.http.openai_errors import RequestError

MAX_SHOWN: Final = 200
"""Characters of what the library says, which names the field and may quote its value."""


class ContractMethod:
    """A method that is served as JSON; what it means is checked where it always is."""

    def __init__(self, method: Method) -> None:
        self._method = method

    async def answer(self, _incoming: Incoming, body: bytes, caller: Principal) -> Reply:
        """Return the response. Raises RequestError, MalformedMessageError, ServiceError."""
        response = await self._method.answer(self._request(body), caller)
        text = json_format.MessageToJson(response, preserving_proto_field_name=True, indent=None)
        return Reply(200, text.encode("utf-8"))

    def _request(self, body: bytes) -> Message:
        message = self._method.request()
        try:
            json_format.Parse(body.decode("utf-8"), message, max_recursion_depth=20)
        except json_format.ParseError as error:
            what = " ".join(str(error).split())[:MAX_SHOWN]
            raise RequestError(
                400, f"the body is no {self._method.name} request: {what}", "malformed_message"
            ) from error
        except (json_format.Error, ValueError, RecursionError) as error:
            raise MalformedMessageError(self._method.name) from error
        return message
