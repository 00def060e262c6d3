"""Words of Anthropic's Messages API for what OpenAI's API says too: models are told them, and callers may use them."""

from collections.abc import Mapping
from typing import Final

from adapters.providers.formats.completions import CONTENT_FILTER, LENGTH, STOP, TOOL_CALLS

FINISH_REASONS: Final[Mapping[str, str]] = {
    "max_tokens": LENGTH,
    "model_context_window_exceeded": LENGTH,
    "tool_use": TOOL_CALLS,
    "refusal": CONTENT_FILTER,
}
"""OpenAI's word for why the model stopped; every other reason (end_turn, stop_sequence, a new one) is a stop."""

STOP_REASONS: Final[Mapping[str, str]] = {
    STOP: "end_turn",
    LENGTH: "max_tokens",
    TOOL_CALLS: "tool_use",
    CONTENT_FILTER: "refusal",
}
"""Anthropic's word for OpenAI's."""

TOOL_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "none": "none", "required": "any"}
"""Anthropic's word for OpenAI's, where no tool is named."""

ERROR_STATUSES: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Which status an error comes with: https://docs.anthropic.com/en/api/errors."""
