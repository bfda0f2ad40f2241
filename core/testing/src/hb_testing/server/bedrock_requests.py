"""Are these requests ones that Bedrock's Converse would accept? Unknown fields, types, ranges, order of messages."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from hb_testing.server.wire import Rejected

FIELDS = frozenset(
    {
        *("messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields"),
        *("promptVariables", "additionalModelResponseFieldPaths", "requestMetadata", "performanceConfig"),
        *("serviceTier", "outputConfig"),
    }
)
BLOCKS = frozenset(
    {
        *("text", "image", "document", "video", "audio", "toolUse", "toolResult", "guardContent", "cachePoint"),
        *("reasoningContent", "citationsContent", "searchResult"),
    }
)
SYSTEM_BLOCKS = frozenset({"text", "guardContent", "cachePoint"})
INFERENCE = frozenset({"maxTokens", "temperature", "topP", "stopSequences"})
CHOICES = frozenset({"auto", "any", "tool"})
_MEDIA: Mapping[str, Collection[str]] = {
    "image": ("png", "jpeg", "gif", "webp"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_MOST_POINTS = 4


def check_converse(payload: Mapping[str, Any], extensions: Collection[str] = ()) -> None:
    """Refuse a request that Converse would refuse."""
    _only(payload, FIELDS | set(extensions), "the request")
    messages = payload.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("The messages field must have at least one message.")
    blocks = [block for message in messages for block in _check_message(message)]
    _check_turns(messages)
    has_tools = any(block.keys() & {"toolUse", "toolResult"} for block in blocks)
    if has_tools and not payload.get("toolConfig"):
        _refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    for block in _list(payload.get("system", []), "system"):
        _check_union(block, SYSTEM_BLOCKS, "a block of system")
        if "text" in block and not block["text"]:
            _refuse("The text field in a block of system is blank.")
    _check_inference(payload.get("inferenceConfig", {}))
    tools = _check_tools(payload.get("toolConfig"))
    points = [b for b in [*blocks, *payload.get("system", []), *tools] if "cachePoint" in b]
    if len(points) > _MOST_POINTS:
        _refuse(f"Found {len(points)} cache points; at most {_MOST_POINTS} are allowed.")
    _check_format(payload.get("outputConfig"))


def _check_message(message: Any) -> list[dict[str, Any]]:
    if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
        _refuse("A message must have the role user or assistant.")
    _only(message, ("role", "content"), "a message")
    blocks = _list(message.get("content"), "content")
    if not blocks:
        _refuse("The content field in the Message object is empty.")
    for block in blocks:
        _check_union(block, BLOCKS, "a block of content")
        if "text" in block and not (isinstance(block["text"], str) and block["text"].strip()):
            _refuse("The text field in the ContentBlock object is blank.")
        for kind, formats in _MEDIA.items():
            if kind in block:
                _check_media(block[kind], kind, formats)
        _check_tool_block(block)
    return blocks


def _check_media(media: Mapping[str, Any], kind: str, formats: Collection[str]) -> None:
    if media.get("format") not in formats:
        _refuse(f"The format of a {kind} must be one of {', '.join(formats)}.")
    source = media.get("source")
    if not isinstance(source, dict) or not source.keys() & {"bytes", "s3Location", "text", "content"}:
        _refuse(f"The source of a {kind} has no bytes.")
    if "bytes" in source:
        try:
            b64decode(source["bytes"], validate=True)
        except (ValueError, TypeError):
            _refuse(f"The bytes of a {kind} are not base64.")


def _check_tool_block(block: Mapping[str, Any]) -> None:
    use, result = block.get("toolUse"), block.get("toolResult")
    for found in (use, result):
        if found is not None and not _TOOL_ID.fullmatch(str(found.get("toolUseId", ""))):
            _refuse("A toolUseId must be 1 to 64 of a-z, A-Z, 0-9, _ . : -")
    if use is not None and not isinstance(use.get("input"), dict):
        _refuse("The format of the value at toolUse.input is invalid. Provide a json object for the field.")
    if result is not None:
        for inner in _list(result.get("content"), "toolResult.content"):
            _check_union(inner, {"json", "text", "image", "document", "video", "searchResult"}, "a result's block")


def _check_turns(messages: list[dict[str, Any]]) -> None:
    """User and assistant take turns, and a turn with calls is answered by one message with all results."""
    if messages[0]["role"] != "user":
        _refuse("A conversation must start with a user message.")
    open_ids: set[str] = set()
    before = ""
    for message in messages:
        if message["role"] == before:
            _refuse(f"A conversation must alternate between user and assistant; two are {before}.")
        before = message["role"]
        results = [b["toolResult"]["toolUseId"] for b in message["content"] if "toolResult" in b]
        if set(results) != open_ids or len(results) != len(open_ids):
            _refuse(f"Expected toolResult blocks for the ids {sorted(open_ids)}, found {sorted(results)}.")
        open_ids = {b["toolUse"]["toolUseId"] for b in message["content"] if "toolUse" in b}


def _check_inference(config: Mapping[str, Any]) -> None:
    _only(config, INFERENCE, "inferenceConfig")
    for name in ("temperature", "topP"):
        value = config.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            _refuse(f"The value of inferenceConfig.{name} must be between 0 and 1.")
    limit = config.get("maxTokens", 1)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        _refuse("The value of inferenceConfig.maxTokens must be at least 1.")
    for stop in _list(config.get("stopSequences", []), "stopSequences"):
        if not isinstance(stop, str) or not stop:
            _refuse("A stop sequence must be text with something in it.")


def _check_tools(config: Any) -> list[dict[str, Any]]:
    if config is None:
        return []
    _only(config, ("tools", "toolChoice"), "toolConfig")
    tools = _list(config.get("tools"), "toolConfig.tools")
    if not tools:
        _refuse("The field toolConfig.tools must have at least one tool.")
    names = []
    for tool in tools:
        _check_union(tool, {"toolSpec", "systemTool", "cachePoint"}, "a tool")
        if "toolSpec" not in tool:
            continue
        spec = tool["toolSpec"]
        _only(spec, ("name", "description", "inputSchema", "strict"), "toolSpec")
        if not _TOOL_NAME.fullmatch(str(spec.get("name", ""))):
            _refuse("The name of a tool must be 1 to 64 of a-z, A-Z, 0-9, _ -")
        if (spec.get("inputSchema") or {}).get("json", {}).get("type") != "object":
            _refuse("The value at toolConfig.tools.toolSpec.inputSchema.json.type must be one of: object.")
        names.append(spec["name"])
    choice = config.get("toolChoice")
    if choice is not None:
        _check_union(choice, CHOICES, "toolChoice")
        if "tool" in choice and choice["tool"].get("name") not in names:
            _refuse("toolChoice names no tool of the request.")
    return tools


def _check_format(config: Any) -> None:
    if config is None:
        return
    _only(config, ("textFormat", "effort"), "outputConfig")
    wanted = config.get("textFormat")
    if wanted is None:
        return
    structure = wanted.get("structure") or {}
    if wanted.get("type") != "json_schema" or not isinstance((structure.get("jsonSchema") or {}).get("schema"), str):
        _refuse("outputConfig.textFormat needs the type json_schema and structure.jsonSchema.schema as text.")


def _check_union(value: Any, kinds: Collection[str], where: str) -> None:
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= set(kinds):
        _refuse(f"Exactly one of {', '.join(sorted(kinds))} must be set in {where}.")


def _only(value: Any, names: Collection[str], where: str) -> None:
    if not isinstance(value, dict):
        _refuse(f"{where} must be an object.")
    unknown = sorted(set(value) - set(names))
    if unknown:
        _refuse(f"{where} has unknown fields: {', '.join(unknown)}.")


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        _refuse(f"{where} must be a list.")
    return value


def _refuse(message: str) -> NoReturn:
    raise Rejected(message, kind="ValidationException")
