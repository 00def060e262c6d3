"""The contract's methods over HTTP: the messages in protobuf's JSON form, with the names of the contract."""

import re
from typing import Final

from google.protobuf import json_format
from google.protobuf.message import Message

from server.credentials import Principal
from server.edge import Method
from server.errors import MalformedMessageError
from server.http.exchange import Incoming, Reply

_OUTER: Final = re.compile(r"Failed to parse ([A-Za-z_]\w*) field: ")
_NOT_THERE: Final = re.compile(r'Message type "[\w.]+" has no field named "([A-Za-z_]\w*)" at "\w+\.?([\w.\[\]]*)"')
_WHERE: Final = re.compile(r' at "?\w+\.([\w.\[\]]*[\w\]])"?\.*$')
MAX_PATH: Final = 200


class ContractMethod:
    """A method that is served as JSON; what it means is checked where it always is."""

    def __init__(self, method: Method) -> None:
        self._method = method

    async def answer(self, _incoming: Incoming, body: bytes, caller: Principal) -> Reply:
        """Return the response. Raises MalformedMessageError, ServiceError."""
        response = await self._method.answer(self._request(body), caller)
        text = json_format.MessageToJson(response, preserving_proto_field_name=True, indent=None)
        return Reply(200, text.encode("utf-8"))

    def _request(self, body: bytes) -> Message:
        message = self._method.request()
        try:
            json_format.Parse(body.decode("utf-8"), message, max_recursion_depth=20)
        except json_format.ParseError as error:
            raise MalformedMessageError(self._method.name, _field(str(error))) from error
        except (json_format.Error, ValueError, RecursionError) as error:
            raise MalformedMessageError(self._method.name) from error
        return message


def _field(error: str) -> str:
    """Return the path of the field that protobuf complains of, empty where it names none; values stay out of it."""
    outer, position = [], 0
    while (found := _OUTER.match(error, position)) is not None:
        outer.append(found[1])
        position = found.end()
    if (found := _NOT_THERE.match(error, position)) is not None:
        return ".".join(filter(None, (found[2], found[1])))[:MAX_PATH]
    where = _WHERE.search(error)
    path = where[1].split(".") if where else []
    # Of a list that is none, the path ends at the message that has it.
    return ".".join([*path, *outer[len(path) :]])[:MAX_PATH]
