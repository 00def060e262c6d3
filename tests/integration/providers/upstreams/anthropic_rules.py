"""What Anthropic's Messages API accepts: the fields its official types have, and the rules that it answers 400 by."""

from collections.abc import Callable, Mapping
from typing import Any

from anthropic.types import (
    Base64ImageSourceParam,
    ImageBlockParam,
    MetadataParam,
    OutputConfigParam,
    TextBlockParam,
    ToolChoiceToolParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    URLImageSourceParam,
)
from anthropic.types.message_create_params import MessageCreateParamsBase, MessageCreateParamsStreaming

NEWEST = "2026-10-21"
FIELDS = {*MessageCreateParamsBase.__annotations__, *MessageCreateParamsStreaming.__annotations__}
# By version of the API: the newest, of which the official types are, took sampling by hand away.
VERSIONS = {"2023-06-01": FIELDS | {"temperature", "top_p", "top_k"}, NEWEST: FIELDS}
BLOCKS: Mapping[str, type] = {
    "text": TextBlockParam,
    "image": ImageBlockParam,
    "tool_use": ToolUseBlockParam,
    "tool_result": ToolResultBlockParam,
}
SOURCES: Mapping[str, type] = {"url": URLImageSourceParam, "base64": Base64ImageSourceParam}
OF_THE_USER = {"text", "image", "tool_result"}
OF_THE_MODEL = {"text", "tool_use"}
IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
CHOICES = {"auto", "any", "tool", "none"}
EFFORTS = {"low", "medium", "high", "xhigh", "max"}


class InvalidRequestError(Exception):
    """What the API answers 400 with."""


def check(body: Any, version: str) -> None:
    """Raise InvalidRequestError for the first thing that the API would not accept."""
    need(version in VERSIONS, "anthropic-version: unknown, or not given")
    need(isinstance(body, dict), "body: Input should be an object")
    known(body, VERSIONS[version], "")
    for name in ("model", "max_tokens", "messages"):
        need(name in body, f"{name}: Field required")
    need(type(body["max_tokens"]) is int and body["max_tokens"] >= 1, "max_tokens: must be at least 1")
    for name in ("temperature", "top_p"):
        need(0 <= body.get(name, 0) <= 1, f"{name}: range: 0..1")
    need(not {"temperature", "top_p"} <= body.keys(), "temperature and top_p cannot both be specified for this model")
    for text in body.get("stop_sequences", ()):
        need(text.strip() != "", "stop_sequences: each stop sequence must contain non-whitespace")
    _check_system(body.get("system", "given"))
    _check_messages(body["messages"])
    _check_tools(body)
    _check_output(body)


def need(fact: bool, message: str) -> None:
    if not fact:
        raise InvalidRequestError(message)


def known(value: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in value:
        need(name in names, f"{where}{name}: Extra inputs are not permitted")


def _check_system(system: Any) -> None:
    if not isinstance(system, str):
        need(isinstance(system, list) and bool(system), "system: Input should be a list of blocks")
        for index, block in enumerate(system):
            need(block.get("type") == "text", f"system.{index}.type: Input should be 'text'")
            _check_block(block, f"system.{index}")


def _check_messages(messages: Any) -> None:
    need(isinstance(messages, list) and bool(messages), "messages: at least one message is required")
    calls: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        known(message, {"role", "content"}, f"{where}.")
        expected = "user" if index % 2 == 0 else "assistant"
        need(message.get("role") == expected, f"{where}: roles must alternate between user and assistant")
        blocks = message.get("content")
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        need(isinstance(blocks, list) and bool(blocks), f"{where}.content: must be non-empty")
        kinds = OF_THE_USER if expected == "user" else OF_THE_MODEL
        for place, block in enumerate(blocks):
            need(block.get("type") in kinds, f"{where}.content.{place}.type: unexpected {block.get('type')}")
            _check_block(block, f"{where}.content.{place}")
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        need(set(results) == calls, f"{where}: each tool_use must have a tool_result in the next message, and no other")
        need(
            [block["type"] for block in blocks[: len(results)]] == ["tool_result"] * len(results),
            f"{where}: tool_result blocks come first",
        )
        calls = {block["id"] for block in blocks if block["type"] == "tool_use"}


def _check_block(block: Mapping[str, Any], where: str) -> None:
    known(block, set(BLOCKS[block["type"]].__annotations__), f"{where}.")
    check_kind: Mapping[str, Callable[[Mapping[str, Any], str], None]] = {
        "text": _check_text,
        "image": _check_image,
        "tool_use": _check_tool_use,
        "tool_result": _check_tool_result,
    }
    check_kind[block["type"]](block, where)


def _check_text(block: Mapping[str, Any], where: str) -> None:
    need(isinstance(block.get("text"), str) and bool(block["text"]), f"{where}: text content blocks must be non-empty")


def _check_image(block: Mapping[str, Any], where: str) -> None:
    source = block["source"]
    need(source.get("type") in SOURCES, f"{where}.source.type: unexpected")
    known(source, set(SOURCES[source["type"]].__annotations__), f"{where}.source.")
    if source["type"] == "url":
        need(source["url"].startswith("https://"), f"{where}.source.url: only HTTPS URLs are supported")
    else:
        need(source["media_type"] in IMAGES, f"{where}.source.media_type: unexpected")


def _check_tool_use(block: Mapping[str, Any], where: str) -> None:
    need(bool(block.get("id")) and bool(block.get("name")), f"{where}: id and name are required")
    need(isinstance(block.get("input"), dict), f"{where}.input: Input should be an object")


def _check_tool_result(block: Mapping[str, Any], where: str) -> None:
    need(isinstance(block.get("tool_use_id"), str), f"{where}.tool_use_id: Field required")


def _check_tools(body: Mapping[str, Any]) -> None:
    for index, tool in enumerate(body.get("tools", ())):
        known(tool, set(ToolParam.__annotations__), f"tools.{index}.")
        need(tool["input_schema"].get("type") == "object", f"tools.{index}.input_schema.type: must be object")
    if (choice := body.get("tool_choice")) is not None:
        need("tools" in body, "tool_choice: may only be specified while providing tools")
        need(choice.get("type") in CHOICES, "tool_choice.type: unexpected")
        known(choice, set(ToolChoiceToolParam.__annotations__), "tool_choice.")


def _check_output(body: Mapping[str, Any]) -> None:
    config = body.get("output_config", {})
    known(config, set(OutputConfigParam.__annotations__), "output_config.")
    need(config.get("effort", "low") in EFFORTS, "output_config.effort: unexpected")
    wanted = config.get("format")
    if wanted is not None:
        need(
            wanted.keys() == {"type", "schema"} and wanted["type"] == "json_schema", "output_config.format: unexpected"
        )
    known(body.get("metadata", {}), set(MetadataParam.__annotations__), "metadata.")
