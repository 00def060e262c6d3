"""Where a provider is, and how to be let in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.providers.secret import Secret


class Format(StrEnum):
    """What a provider speaks."""

    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider as the operator configured it.

    `base_url` has no slash at its end and no query. `key` is None where it needs none; it is sent to the host of
    `base_url` and nowhere else. `headers` and `query` are added to every request. `api_version` is Azure's, for its
    older addresses by deployment.
    `stream_usage` says that streams are asked for their usage; it is off for who refuses the question, as Mistral
    does, and answers it unasked.
    """

    name: str
    format: Format
    base_url: str
    key: Secret | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    api_version: str = ""
    stream_usage: bool = True


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a model is called: the name of its provider's endpoint, and its own name there."""

    provider: str
    name: str
