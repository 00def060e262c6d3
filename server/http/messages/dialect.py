"""Callers who speak Anthropic's Messages API."""

from adapters.providers.chat import Answer
from server.http.chat_requests import Wish
from server.http.exchange import Document
from server.http.messages.answers import message
from server.http.messages.errors import error_body
from server.http.messages.events import MessageEvents
from server.http.messages.requests import chat_request
from server.http.openai_errors import ApiError


class MessagesDialect:
    """Translates (`server.http.dialect.Dialect`)."""

    def request(self, body: Document) -> Document:
        """Return a chat completion request. Raises InvalidFieldError."""
        return chat_request(body)

    def answer(self, answer: Answer) -> bytes:
        """Return a message. Raises MalformedAnswerError."""
        return message(answer)

    def events(self, wish: Wish) -> MessageEvents:
        """Return what writes the events of a message."""
        return MessageEvents(wish.chat.call.input_tokens or 0)

    def error(self, error: ApiError) -> bytes:
        """Return `{"type": "error", ...}`."""
        return error_body(error)
