"""What a request for a chat completion means: who is to be asked what, for which kind of task, within which limits."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from adapters.providers.chat import Usage
from server.credentials import Principal
from server.errors import ModelUnknownError
from server.gateway.chats import Chat, Served
from server.http.call_headers import Said, said_in
from server.http.categories import Categories, named_model
from server.http.conversations import MIN_CACHED_TOKENS, Conversations, LastAnswer, cached_next
from server.http.exchange import Document
from server.http.fingerprints import Fingerprints
from server.http.needs import RequestNeeds, needs_of
from server.http.offer import Offer
from server.http.prompts import prompt_of, refuse
from server.requests import UNCONSTRAINED, Call, Constraints
from server.settings import Settings

MAX_CHOICES: Final = 128


class Wish(NamedTuple):
    """A chat, and how its caller wants it: streamed or whole, with the chunk that tells the usage or without.

    `category_field` is what of the request names the category.
    """

    chat: Chat
    is_streamed: bool
    includes_usage: bool
    category_field: str = "category"


class ChatRequests:
    """Reads requests, and remembers who answered in which conversation."""

    def __init__(self, settings: Settings, fingerprint_key: bytes, offer: Offer | None = None) -> None:
        catalogue, gateway = settings.catalogue, settings.gateway
        fingerprints = Fingerprints(fingerprint_key)
        self._categories = Categories(gateway, fingerprints, strict=catalogue.strict_categories)
        self._edition = (offer or Offer.of(settings)).edition
        self._ruled = frozenset(rule.header for rule in gateway.rules)
        self._total_s = gateway.timeouts.total_s
        self._conversations = Conversations()

    def read(self, body: Document, headers: Mapping[str, str], caller: Principal, now_us: int) -> Wish:
        """Return what is wished. Raises InvalidFieldError, which names a field or a header, and ModelUnknownError."""
        model, named = named_model(body.get("model"))
        edition = self._edition(caller.namespace)
        if model and model not in edition.ids:
            raise ModelUnknownError(model, ("auto", *edition.ids))
        is_streamed, includes_usage = _streaming(body)
        _check_choices(body)
        said = said_in(headers, self._ruled)
        prompt = prompt_of(body)
        needs = needs_of(body, prompt, edition.capabilities)
        category = self._categories.of(said.category or named, headers, prompt, caller)
        call = self._continued(_call(category, model, said, needs), caller, now_us)
        deadline_s = self._total_s if said.timeout_seconds is None else min(said.timeout_seconds, self._total_s)
        category_field = "model" if named and not said.category else "category"
        return Wish(Chat(body, call, deadline_s), is_streamed, includes_usage, category_field)

    def answered(self, chat: Chat, served: Served, usage: Usage, caller: Principal, now_us: int) -> None:
        """Remember who answered, so that the conversation may go on there."""
        call = chat.call
        if call.session_id:
            key = caller.namespace, call.session_id
            tokens = (call.input_tokens if usage.input_tokens is None else usage.input_tokens) or 0
            last = self._conversations.last(*key, now_us)
            cached = cached_next(last, served.model, tokens, usage.cached_input_tokens)
            answer = LastAnswer(served.decision_id, served.model, tokens, cached, now_us)
            self._conversations.remember(*key, answer)

    def _continued(self, call: Call, caller: Principal, now_us: int) -> Call:
        """Fill in which model holds the conversation's prompt, where the caller leaves that to us."""
        if not call.session_id or call.previous_decision_id:
            return call
        last = self._conversations.last(caller.namespace, call.session_id, now_us)
        if last is None or not last.cached_tokens or (call.input_tokens or 0) < MIN_CACHED_TOKENS:
            return call
        cached = min(last.cached_tokens, call.input_tokens or 0)
        return call._replace(previous_decision_id=last.decision_id, cached_input_tokens=cached)


def _call(category: str, model: str, said: Said, needs: RequestNeeds) -> Call:
    if said.cached_input_tokens is not None and not said.previous_decision_id:
        refuse("x-routeward-cached-input-tokens", "needs x-routeward-previous-decision-id, whose model holds the cache")
    cached = said.cached_input_tokens
    constraints = UNCONSTRAINED
    if needs.capabilities or said.models or said.region or said.max_cost_usd is not None:
        constraints = Constraints(said.models, needs.capabilities, said.region, said.max_cost_usd)
    return Call(
        category=category,
        request_id=said.request_id,
        input_tokens=needs.input_tokens,
        max_output_tokens=needs.max_output_tokens,
        profile=said.profile,
        answer_value_usd=said.answer_value_usd,
        second_value_usd=said.second_value_usd,
        constraints=constraints,
        model=model,
        previous_decision_id=said.previous_decision_id,
        # The prompt is only estimated, the cached part may be counted.
        cached_input_tokens=None if cached is None else min(cached, needs.input_tokens),
        session_id=said.session,
    )


def _streaming(body: Document) -> tuple[bool, bool]:
    """Return whether to stream, and whether to tell the usage in a chunk of its own."""
    is_streamed = _flag(body, "stream", "stream")
    options = body.get("stream_options")
    if options is None:
        return is_streamed, False
    if not isinstance(options, dict):
        refuse("stream_options", "is an object")
    if not is_streamed:
        refuse("stream_options", "needs stream: true")
    return True, _flag(options, "include_usage", "stream_options.include_usage")


def _flag(document: Mapping[str, Any], field: str, path: str) -> bool:
    value = document.get(field)
    if value is not None and not isinstance(value, bool):
        refuse(path, "is true or false")
    return bool(value)


def _check_choices(body: Document) -> None:
    count = body.get("n")
    if count is not None and (type(count) is not int or not 1 <= count <= MAX_CHOICES):
        refuse("n", f"is a whole number from 1 to {MAX_CHOICES}")
