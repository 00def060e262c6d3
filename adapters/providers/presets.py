"""Providers that need no configuration but a key: what they speak, where they are, and where their key stands.

Addresses and names of variables are those of the providers' own documentation and clients. Those without a variable
are servers of models on the own machine; an empty address differs for everyone.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from adapters.providers.endpoint import Format


class Preset(NamedTuple):
    """What is known of a provider beforehand."""

    format: Format
    base_url: str = ""
    key_variable: str = ""
    stream_usage: bool = True


_GEMINI: Final = Preset(Format.GEMINI, "https://generativelanguage.googleapis.com", "GEMINI_API_KEY")

PRESETS: Final[Mapping[str, Preset]] = {
    "anthropic": Preset(Format.ANTHROPIC, "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "azure": Preset(Format.AZURE, key_variable="AZURE_OPENAI_API_KEY"),
    "gemini": _GEMINI,
    "google": _GEMINI,
    "groq": Preset(Format.OPENAI, "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "llamacpp": Preset(Format.OPENAI, "http://127.0.0.1:8080/v1"),
    "mistral": Preset(Format.OPENAI, "https://api.mistral.ai/v1", "MISTRAL_API_KEY", stream_usage=False),
    "ollama": Preset(Format.OPENAI, "http://127.0.0.1:11434/v1"),
    "openai": Preset(Format.OPENAI, "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": Preset(Format.OPENAI, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": Preset(Format.OPENAI, "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "vllm": Preset(Format.OPENAI, "http://127.0.0.1:8000/v1"),
}
