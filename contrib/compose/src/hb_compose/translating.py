"""Requests into the messages and options of hb, and its answers back into responses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hb_compose.blocks import AudioBlock, ImageBlock, Message, TextBlock, ToolResultBlock, ToolUseBlock
from hb_compose.requests import CompletionRequest, CompletionResponse, StopReason, TokenUsage
from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from heavenbase.types import Completion

_STOPS: Mapping[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filter",
    "refusal": "refusal",
    "pause": "pause_turn",
    "context_overflow": "context_overflow",
}
_KINDS: Mapping[str, tuple[type[Any], tuple[str, ...]]] = {
    "text": (TextBlock, ("text",)),
    "tool_use": (ToolUseBlock, ("id", "name", "input")),
    "tool_result": (ToolResultBlock, ("tool_use_id", "content", "is_error")),
    "image": (ImageBlock, ("media_type", "data")),
    "audio": (AudioBlock, ("format", "data")),
}


def to_options(request: CompletionRequest) -> dict[str, Any]:
    """The options of hb's call that a request stands for; what it leaves open is not among them."""
    found: dict[str, Any] = {}
    if request.system:
        found["system"] = request.system
    if request.tools:
        found["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    **({"description": tool.description} if tool.description else {}),
                    "parameters": dict(tool.input_schema),
                },
            }
            for tool in request.tools
        ]
    choice = request.tool_choice
    if choice is not None:
        named = {"type": "function", "function": {"name": choice.name}}
        found["tool_choice"] = named if choice.mode == "tool" else choice.mode
    for name in ("max_tokens", "temperature"):
        if (value := getattr(request, name)) is not None:
            found[name] = value
    if request.reasoning_effort is not None:
        found |= (
            {"think": False} if request.reasoning_effort == "none" else {"reasoning_effort": request.reasoning_effort}
        )
    return found


def to_wire(request: CompletionRequest) -> list[Any]:
    """The messages of a request as hb takes them: those that are in its shape already stay as they are."""
    return [made for place, message in enumerate(request.messages) for made in _message(message, place)]


def to_response(answer: Completion) -> CompletionResponse:
    """The response that an answer of hb is."""
    content: list[Any] = [TextBlock(answer.text)] if answer.text else []
    content += [ToolUseBlock(call.id, call.name, call.arguments) for call in answer.tool_calls]
    told = answer.usage
    usage = TokenUsage()
    if told is not None:
        usage = TokenUsage(told.input, told.completion_tokens, told.cache_write, told.cache_read, told.reasoning)
    return CompletionResponse(
        tuple(content),
        _STOPS.get(answer.finish_reason, "other"),
        usage,
        answer.model,
        answer.reasoning,
        tuple(answer.attempts),
        completion=answer,
    )


def _message(given: Any, place: int) -> list[Any]:
    role: Any
    content: Any
    thoughts: Mapping[str, Any] = {}
    if isinstance(given, Message):
        role, content, thoughts = given.role, given.content, given.thoughts
    elif isinstance(given, Mapping):
        role, content = given.get("role"), given.get("content")
    else:
        return [given]
    if isinstance(given, Message):
        if not isinstance(role, str) or role not in ("user", "assistant"):
            raise UnknownNameError("role", role, ("user", "assistant"), hint=f"in message {place}")
        if not isinstance(thoughts, Mapping):
            raise InputTypeError(f"the thoughts of message {place} are a table, not {type(thoughts).__name__}")
    if isinstance(content, str):
        return [{"role": role, "content": content, **thoughts} if isinstance(given, Message) else given]
    if not isinstance(content, list | tuple):
        return [given]
    blocks = [_block(block, place) for block in content]
    if not any(isinstance(block, ToolUseBlock | ToolResultBlock) for block in blocks):
        return [{**(given if isinstance(given, Mapping) else thoughts), "role": role, "content": _parts(blocks)}]
    if role == "assistant":
        return [_assistant(blocks, place, thoughts)]
    if role != "user":
        raise InputError(f"message {place} (role {role}) has blocks of tools, which user and assistant have")
    return _results(blocks, place)


def _assistant(blocks: list[Any], place: int, thoughts: Mapping[str, Any]) -> dict[str, Any]:
    if any(isinstance(block, ToolResultBlock) for block in blocks):
        raise InputError(f"message {place} (role assistant) has a tool_result, which belongs to the user")
    calls = [block for block in blocks if isinstance(block, ToolUseBlock)]
    rest = [block for block in blocks if not isinstance(block, ToolUseBlock)]
    return {
        "role": "assistant",
        "content": _parts(rest) or None,
        "tool_calls": [
            {"id": it.id, "type": "function", "function": {"name": it.name, "arguments": it.arguments}} for it in calls
        ],
        **thoughts,
    }


def _results(blocks: list[Any], place: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    rest: list[Any] = []
    for block in blocks:
        if isinstance(block, ToolUseBlock):
            raise InputError(f"message {place} (role user) has a tool_use, which belongs to the assistant")
        if not isinstance(block, ToolResultBlock):
            rest.append(block)
            continue
        failed = {"is_error": True} if block.is_error else {}
        found.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": block.content, **failed})
    return [*found, {"role": "user", "content": _parts(rest)}] if rest else found


def _block(given: Any, place: int) -> Any:
    """A block of ours for what is one; whatever else hb knows stays as it is."""
    if not isinstance(given, Mapping):
        return TextBlock(given) if isinstance(given, str) else given
    kind = str(given.get("type"))
    if kind not in _KINDS or (kind == "image" and "data" not in given) or (kind == "text" and len(given) > 2):
        return given
    made, names = _KINDS[kind]
    fields = {name: value for name, value in given.items() if name != "type"}
    if kind not in ("tool_use", "tool_result"):
        return made(**fields) if fields.keys() == set(names) else given
    for name in fields:
        if name not in names:
            raise UnknownNameError(f"field of a {kind} in message {place}", name, names)
    if missing := [name for name in names[:2] if name not in fields]:
        raise InputError(f"a {kind} in message {place} has no {missing[0]}")
    if kind == "tool_result":
        fields["content"] = _text(fields["content"], place)
    return made(**fields)


def _text(content: Any, place: int) -> Any:
    """The text of a result; lists of parts are hb's to read."""
    if isinstance(content, list | tuple) and all(
        isinstance(it, Mapping) and it.get("type") == "text" for it in content
    ):
        return "\n\n".join(str(it.get("text", "")) for it in content)
    if isinstance(content, str | list):
        return content
    raise InputTypeError(f"a tool_result in message {place} has content of type {type(content).__name__}, not text")


def _parts(blocks: list[Any]) -> Any:
    """Content as hb takes it: one text alone is text."""
    if len(blocks) == 1 and isinstance(blocks[0], TextBlock):
        return blocks[0].text
    return [_part(block) for block in blocks]


def _part(block: Any) -> Any:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    if isinstance(block, ImageBlock):
        return {"type": "image", "data": block.data, "media_type": block.media_type}
    if isinstance(block, AudioBlock):
        return {"type": "input_audio", "input_audio": {"data": block.data, "format": block.format}}
    return block
