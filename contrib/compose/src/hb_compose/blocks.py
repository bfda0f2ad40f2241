"""What conversations are made of: blocks, messages, tools, the choice of a tool. Values, checked as they are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.types import ToolCall


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Text."""

    text: str
    type: ClassVar[str] = "text"


class ToolUseBlock:
    """A call that the model makes: `id`, `name`, and `input`, its arguments.

    `arguments` is the JSON text as the model wrote it. What is no JSON object is kept there, and `input` raises
    ToolArgsError for it: an answer that was cut off is not lost over it.
    """

    __slots__ = ("arguments", "id", "name")
    type: ClassVar[str] = "tool_use"

    def __init__(self, id: str, name: str, input: Mapping[str, Any] | str | None = None) -> None:
        if not isinstance(input, str | Mapping | None):
            raise InputTypeError(f"input of a tool_use must be a table or JSON text, not {type(input).__name__}")
        self.id = id
        self.name = name
        self.arguments = input if isinstance(input, str) else json.dumps(dict(input or {}), ensure_ascii=False)

    @property
    def input(self) -> dict[str, Any]:
        """The arguments; ToolArgsError where they are no JSON object."""
        return ToolCall(self.id, self.name, self.arguments).parse()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolUseBlock):
            return NotImplemented
        return (self.id, self.name, self.arguments) == (other.id, other.name, other.arguments)

    def __hash__(self) -> int:
        return hash((self.id, self.name, self.arguments))

    def __repr__(self) -> str:
        return f"ToolUseBlock(id={self.id!r}, name={self.name!r}, input={self.arguments})"


@dataclass(frozen=True, slots=True)
class ToolResultBlock:
    """The result of a call, by the call's id; `is_error` says that the tool failed."""

    tool_use_id: str
    content: str
    is_error: bool = False
    type: ClassVar[str] = "tool_result"

    def __post_init__(self) -> None:
        if not isinstance(self.is_error, bool):
            raise InputTypeError(f"is_error of a tool_result must be True or False, not {type(self.is_error).__name__}")


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """An image: base64 text or bytes."""

    media_type: str
    data: str | bytes
    type: ClassVar[str] = "image"


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Sound: base64 text, and its format (wav, mp3)."""

    format: str
    data: str
    type: ClassVar[str] = "audio"


Block: TypeAlias = TextBlock | ToolUseBlock | ToolResultBlock | ImageBlock | AudioBlock


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a role, and text or blocks. `thoughts` are those that a provider wants back with its answer."""

    role: Literal["user", "assistant"]
    content: str | tuple[Any, ...]
    thoughts: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def user(cls, content: Any) -> Message:
        """A message of the user."""
        return cls("user", _content(content))

    @classmethod
    def assistant(cls, content: Any) -> Message:
        """A message of the model."""
        return cls("assistant", _content(content))

    @classmethod
    def tool_results(cls, *results: ToolResultBlock) -> Message:
        """The results of the tools that the model called."""
        if not results:
            raise InputError("a message of tool results needs at least one")
        for result in results:
            if not isinstance(result, ToolResultBlock | Mapping):
                raise InputTypeError(f"a message of tool results holds ToolResultBlock, not {type(result).__name__}")
        return cls("user", results)


def _content(content: Any) -> str | tuple[Any, ...]:
    if isinstance(content, str):
        return content
    return tuple(content) if isinstance(content, list | tuple) else (content,)


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool that the model may call: `input_schema` is a JSON schema of an object."""

    name: str
    description: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


_MODES = {"auto": "Auto", "any": "Any", "none": "NoTool", "tool": "Tool"}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """How the model chooses tools: `ToolChoice.Auto`, `Any`, `Tool(name)`, or `NoTool`."""

    mode: Literal["auto", "any", "none", "tool"]
    name: str | None = None

    Auto: ClassVar[ToolChoice]
    """The model decides."""
    Any: ClassVar[ToolChoice]
    """The model uses at least one tool."""
    NoTool: ClassVar[ToolChoice]
    """The model uses none."""

    def __post_init__(self) -> None:
        if not isinstance(self.mode, str) or self.mode not in _MODES:
            raise UnknownNameError("mode of a ToolChoice", self.mode, _MODES, hint="ToolChoice.Tool(name) names a tool")
        if self.mode == "tool" and not (isinstance(self.name, str) and self.name):
            raise InputTypeError("ToolChoice.Tool needs the name of a tool")

    @staticmethod
    def Tool(name: str) -> ToolChoice:
        """The model uses this tool."""
        return ToolChoice("tool", name)

    def __repr__(self) -> str:
        if self.mode == "tool":
            return f"ToolChoice.Tool({self.name!r})"
        return f"ToolChoice.{_MODES[self.mode]}"


ToolChoice.Auto = ToolChoice("auto")
ToolChoice.Any = ToolChoice("any")
ToolChoice.NoTool = ToolChoice("none")
