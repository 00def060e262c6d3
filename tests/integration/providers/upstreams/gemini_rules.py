"""What Google's Gemini API accepts (https://ai.google.dev/api/generate-content), in the spelling of its JSON."""

from collections.abc import Mapping
from typing import Any

FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"}
GENERATION = {
    "candidateCount": int,
    "frequencyPenalty": float,
    "maxOutputTokens": int,
    "presencePenalty": float,
    "responseJsonSchema": dict,
    "responseMimeType": str,
    "seed": int,
    "stopSequences": list,
    "temperature": float,
    "thinkingConfig": dict,
    "topP": float,
}
PARTS: Mapping[str, set[str]] = {
    "text": set(),
    "inlineData": {"mimeType", "data"},
    "fileData": {"mimeType", "fileUri"},
    "functionCall": {"id", "name", "args"},
    "functionResponse": {"id", "name", "response"},
}
OF_THE_USER = {"text", "inlineData", "fileData", "functionResponse"}
OF_THE_MODEL = {"text", "functionCall"}
MODES = {"AUTO", "ANY", "NONE"}


class InvalidArgumentError(Exception):
    """What the API answers 400 with."""


def check(body: Any) -> None:
    """Raise InvalidArgumentError for the first thing that the API would not accept."""
    need(isinstance(body, dict), "Invalid JSON payload received.")
    known(body, FIELDS, "")
    if "systemInstruction" in body:
        known(body["systemInstruction"], {"parts", "role"}, "system_instruction")
        texts = [part for part in body["systemInstruction"]["parts"] if part.keys() == {"text"}]
        need(texts == body["systemInstruction"]["parts"], "system_instruction: only text")
    _check_contents(body.get("contents"))
    _check_tools(body)
    _check_generation(body.get("generationConfig", {}))


def need(fact: bool, message: str) -> None:
    if not fact:
        raise InvalidArgumentError(message)


def known(value: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in value:
        need(name in names, f'Invalid JSON payload received. Unknown name "{name}" at "{where}": Cannot find field.')


def _check_contents(contents: Any) -> None:
    need(isinstance(contents, list) and bool(contents), "GenerateContentRequest.contents: contents is not specified")
    calls: list[tuple[Any, Any]] = []
    for index, content in enumerate(contents):
        known(content, {"role", "parts"}, f"contents[{index}]")
        expected = "user" if index % 2 == 0 else "model"
        need(content.get("role") == expected, "Please ensure that roles alternate between user and model.")
        need(bool(content.get("parts")), f"contents[{index}].parts must not be empty")
        for part in content["parts"]:
            _check_part(part, OF_THE_USER if expected == "user" else OF_THE_MODEL)
        results = _named(content, "functionResponse")
        need(
            results == calls,
            "Please ensure that the number of function response parts is equal to the number of function call parts"
            " of the function call turn.",
        )
        calls = _named(content, "functionCall")
        if calls:
            signed = next(part for part in content["parts"] if "functionCall" in part)
            need("thoughtSignature" in signed, "Function call is missing a thought_signature in functionCall parts.")


def _named(content: Mapping[str, Any], kind: str) -> list[tuple[Any, Any]]:
    return [(part[kind].get("id"), part[kind]["name"]) for part in content["parts"] if kind in part]


def _check_part(part: Mapping[str, Any], kinds: set[str]) -> None:
    [kind] = [name for name in part if name != "thoughtSignature"] or [""]
    need(kind in kinds, f"part: unexpected {kind}")
    if kind == "text":
        need(
            isinstance(part["text"], str) and bool(part["text"]), "Unable to submit request because it must have text."
        )
        return
    known(part[kind], PARTS[kind], kind)
    if kind == "functionResponse":
        need(isinstance(part[kind].get("response"), dict), "function_response.response: must be a Struct")
    if kind == "functionCall":
        need(isinstance(part[kind].get("args"), dict), "function_call.args: must be a Struct")


def _check_tools(body: Mapping[str, Any]) -> None:
    names = set()
    for tool in body.get("tools", ()):
        known(tool, {"functionDeclarations"}, "tools")
        for declared in tool["functionDeclarations"]:
            known(declared, {"name", "description", "parametersJsonSchema"}, "function_declarations")
            names.add(declared["name"])
    config = body.get("toolConfig", {})
    known(config, {"functionCallingConfig"}, "tool_config")
    calling = config.get("functionCallingConfig", {})
    known(calling, {"mode", "allowedFunctionNames"}, "function_calling_config")
    need(calling.get("mode", "AUTO") in MODES, "function_calling_config.mode: unexpected")
    need(set(calling.get("allowedFunctionNames", ())) <= names, "allowed_function_names: unknown function")
    need("allowedFunctionNames" not in calling or calling["mode"] == "ANY", "allowed_function_names: only with ANY")


def _check_generation(config: Mapping[str, Any]) -> None:
    known(config, set(GENERATION), "generation_config")
    for name, kind in GENERATION.items():
        if name in config:
            need(isinstance(config[name], kind), f"generation_config.{name}: of another type")
    need(len(config.get("stopSequences", ())) <= 5, "generation_config.stop_sequences: at most 5")
    schema, mime = "responseJsonSchema" in config, config.get("responseMimeType")
    need(not schema or mime == "application/json", "response_json_schema needs response_mime_type application/json")
    known(config.get("thinkingConfig", {}), {"thinkingBudget", "includeThoughts"}, "thinking_config")
