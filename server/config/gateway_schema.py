"""What of the configuration file is about calling models: the gateway, and the providers that it calls."""

from typing import Annotated, Final

from pydantic import Field

from adapters.providers.chat import Timeouts
from adapters.toml.kinds import FileName, Name
from adapters.toml.table import Table
from server.config.kinds import FormatName, Host, KeyVariable, OptionalListen
from server.settings import GatewaySettings

MIB: Final = 1024 * 1024
_TIMEOUTS: Final = Timeouts()

Seconds = Annotated[float, Field(ge=0.05, le=3600)]


class RuleTable(Table):
    """Calls with such a header are of this category. The first rule that matches counts."""

    header: str = Field(description="name of the header, whatever its capitals", examples=["x-service"])
    pattern: str = Field(
        description="what its value must look like: * stands for anything, ? for a character, [ab] for one of these",
        examples=["checkout-*"],
    )
    category: Name = Field(description="category of such calls", examples=["checkout"])


class GatewayTable(Table):
    """The HTTP address that speaks OpenAI's API: it routes, calls the model that was chosen, and reports."""

    listen: OptionalListen = Field(
        default="",
        description="address for HTTP; empty: there is no gateway. Anything but loopback needs "
        "[[server.keys]] and keys that sign decision ids",
        examples=["127.0.0.1:7400"],
    )
    connect_seconds: Seconds = Field(default=_TIMEOUTS.connect_s, description="longest time to reach a provider")
    first_token_seconds: Seconds = Field(
        default=_TIMEOUTS.first_token_s, description="longest time to the first token of a stream"
    )
    idle_seconds: Seconds = Field(default=_TIMEOUTS.idle_s, description="longest time between two parts of a stream")
    total_seconds: Seconds = Field(
        default=_TIMEOUTS.total_s, description="longest time to the whole answer, all attempts together"
    )
    max_body_mb: int = Field(
        default=GatewaySettings().max_body_bytes // MIB, ge=1, le=1000, description="largest request, in MiB"
    )
    private_hosts: list[Host] = Field(
        default_factory=list,
        max_length=64,
        description="hosts of base_url that may be on this machine or in a private network, and may be plain http",
        examples=[["127.0.0.1", "vllm.internal"]],
    )
    fingerprint_key_file: FileName = Field(
        default="",
        description="file with the key of the fingerprints that name categories; empty: beside the database, with the "
        "ending .fingerprint",
        examples=["routeward.fingerprint"],
    )
    categories: dict[str, Name] = Field(
        default_factory=dict, description="category by fingerprint, which x-routeward-category of an answer tells"
    )
    rules: list[RuleTable] = Field(default_factory=list, max_length=256)


class ProviderTable(Table):
    """Where a provider of models is. Those of a preset's name need no table; what stands here counts before it."""

    format: FormatName = Field(
        default="", description="what it speaks; empty: what its preset says", examples=["openai"]
    )
    base_url: str = Field(
        default="",
        description="where it is, up to the name of a call; empty: what its preset says",
        examples=["https://llm.example.com/v1"],
    )
    key_env: KeyVariable | None = Field(
        default=None,
        description="variable of the environment that holds its key; missing: what its preset says; empty: it needs "
        "none",
        examples=["OPENAI_API_KEY"],
    )
    key_file: FileName = Field(
        default="", description="file that holds its key, in place of key_env", examples=["openai.key"]
    )
    headers: dict[str, str] = Field(
        default_factory=dict, max_length=32, description="headers of every call; nothing secret"
    )
    query: dict[str, str] = Field(
        default_factory=dict, max_length=32, description="query of every call; nothing secret"
    )
    api_version: str = Field(
        default="", description="version in Azure's addresses by deployment", examples=["2024-10-21"]
    )
    stream_usage: bool | None = Field(
        default=None,
        description="whether streams are asked for their usage by `stream_options`; missing: what its preset says, "
        "else true",
        examples=[False],
    )
