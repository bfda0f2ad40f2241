"""What is asked and what is answered: the request that passes through every wrapper, and the response."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from hb_compose.blocks import Block, Message, TextBlock, ToolChoice, ToolDefinition, ToolUseBlock
from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from heavenbase.types import Attempt, Completion

StopReason: TypeAlias = Literal[
    "end_turn", "tool_use", "max_tokens", "refusal", "content_filter", "pause_turn", "context_overflow", "other"
]
"""Why an answer ended: what was refused and what a filter took is never an `end_turn`."""
EFFORTS = ("high", "medium", "low", "none")
"""How hard a model thinks."""
MOST = 1e15
"""No number here is as large: whatever is meant, it is not that."""
CHOICES = {"auto": "auto", "any": "any", "required": "any", "none": "none"}
_TOOL = ("name", "description", "input_schema")


class RequestFields(TypedDict, total=False):
    """What `complete()` and `stream_complete()` take by name."""

    messages: Any
    system: str | None
    tools: Iterable[ToolDefinition | Mapping[str, Any]]
    max_tokens: int | None
    temperature: float | None
    tool_choice: ToolChoice | str | None
    reasoning_effort: str | None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One request; the model belongs to the provider. What is None is not sent.

    `messages` is a text, a message or several: `Message`, dictionaries with blocks as on Anthropic's wire, or those of
    OpenAI's. `tools` are `ToolDefinition` or tables {name, description, input_schema}. `tool_choice` is a `ToolChoice`,
    or auto, any, none, or the name of a tool. `reasoning_effort` is high, medium, low or none.
    """

    messages: tuple[Any, ...]
    system: str | None = None
    tools: tuple[ToolDefinition, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    tool_choice: ToolChoice | None = None
    reasoning_effort: str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "messages", _messages(self.messages))
        put(self, "tools", _tools(self.tools))
        put(self, "tool_choice", _choice(self.tool_choice, self.tools))
        if self.system is not None and not isinstance(self.system, str):
            raise InputTypeError(f"system must be a text, not {type(self.system).__name__}")
        check_number("max_tokens", self.max_tokens, whole=True, least=1)
        check_number("temperature", self.temperature, least=0)
        if self.reasoning_effort is not None and self.reasoning_effort not in EFFORTS:
            raise UnknownNameError("reasoning_effort", self.reasoning_effort, EFFORTS)


FIELDS = tuple(it.name for it in fields(CompletionRequest))


def to_request(request: Any, given: Mapping[str, Any]) -> CompletionRequest:
    """The request of a call: a CompletionRequest, or messages, with the fields given by name over it.

    InputError for a call that asks nothing, UnknownNameError for a field that a request has not.
    """
    for name in given:
        if name not in FIELDS:
            raise UnknownNameError("field of a request", name, FIELDS)
    if isinstance(request, CompletionRequest):
        return replace(request, **given) if given else request
    if request is not None:
        if "messages" in given:
            raise InputError("the messages are given twice: as the first argument and as messages=")
        given = {**given, "messages": request}
    if given.get("messages") is None:
        raise InputError("nothing is asked: pass a CompletionRequest, a text or messages")
    return CompletionRequest(**given)


def check_number(name: str, value: object, *, whole: bool = False, least: float = 0, may_be_none: bool = True) -> None:
    """InputTypeError or InputError for what is no such number."""
    if value is None and may_be_none:
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise InputTypeError(f"{name} must be a {'whole ' * whole}number, not {type(value).__name__}")
    if not least <= value < MOST:
        raise InputError(f"{name} must be at least {least:g} and less than {MOST:g}")


def _messages(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | Mapping | Message) or not isinstance(given, Iterable) or hasattr(given, "role"):
        given = (given,)
    if isinstance(given, bytes | bytearray):
        raise InputTypeError("messages must be a text, a message or several, not bytes")
    found = tuple(given)
    if not found:
        raise InputError("the message list is empty; pass at least one message")
    return found


def _tools(given: Any) -> tuple[ToolDefinition, ...]:
    if isinstance(given, str | Mapping | ToolDefinition) or not isinstance(given, Iterable):
        raise InputTypeError(f"tools must be a list of tools, not {type(given).__name__}")
    found = tuple(_tool(tool, place) for place, tool in enumerate(given))
    seen: set[str] = set()
    for tool in found:
        if tool.name in seen:
            raise InputError(f"two tools are called {tool.name!r}")
        seen.add(tool.name)
    return found


def _tool(given: Any, place: int) -> ToolDefinition:
    if isinstance(given, Mapping):
        table = given
        if given.get("type") == "function" and isinstance(given.get("function"), Mapping):  # as OpenAI's wire has it
            held = given["function"]
            table = {("input_schema" if name == "parameters" else name): value for name, value in held.items()}
        for name in table:
            if name not in _TOOL:
                raise UnknownNameError(f"field of tool {place}", name, _TOOL)
        if "name" not in table:
            raise InputError(f"tool {place} has no name")
        given = ToolDefinition(**table)
    if not isinstance(given, ToolDefinition):
        raise InputTypeError(
            f"tool {place} is {type(given).__name__}; pass a ToolDefinition or a table {{{', '.join(_TOOL)}}}"
        )
    if not isinstance(given.name, str) or not given.name:
        raise InputError(f"the name of tool {place} must be a text, not {type(given.name).__name__}")
    if not isinstance(given.description, str | None):
        raise InputTypeError(
            f"the description of tool {given.name!r} must be a text, not {type(given.description).__name__}"
        )
    if not isinstance(given.input_schema, Mapping):
        raise InputTypeError(
            f"input_schema of tool {given.name!r} must be a JSON schema, not {type(given.input_schema).__name__}"
        )
    return given


def _choice(given: Any, tools: tuple[ToolDefinition, ...]) -> ToolChoice | None:
    names = [tool.name for tool in tools]
    if given is None:
        return None
    if isinstance(given, str):
        if given in names:
            given = ToolChoice.Tool(given)
        elif given.lower() in CHOICES:
            given = ToolChoice(CHOICES[given.lower()])  # type: ignore[arg-type]
        else:
            raise UnknownNameError("tool choice", given, [*CHOICES, *names])
    if not isinstance(given, ToolChoice):
        raise InputTypeError(f"tool_choice must be a ToolChoice, not {type(given).__name__}")
    if given.mode == "tool" and given.name not in names:
        raise UnknownNameError("tool of the tool choice", given.name, names)
    if given.mode == "any" and not names:
        raise InputError("tool_choice makes the model call a tool, but there are none; pass tools=")
    return given


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of a response; None where the provider did not say.

    `input` are fresh input tokens, `cache_read_input` and `cache_creation_input` those read from and written to the
    provider's cache of prompts. `output` is all that the model wrote, `reasoning` the part of it that was thinking.
    """

    input: int | None = None
    output: int | None = None
    cache_creation_input: int | None = None
    cache_read_input: int | None = None
    reasoning: int | None = None

    def __add__(self, other: TokenUsage) -> TokenUsage:
        def total(name: str) -> int | None:
            known = [value for value in (getattr(self, name), getattr(other, name)) if value is not None]
            return sum(known) if known else None

        return TokenUsage(*(total(it.name) for it in fields(TokenUsage)))


@dataclass(frozen=True, slots=True)
class CompletionResponse:
    """The full answer: blocks of text and calls of tools, why it ended, tokens, and the model.

    In a cascade `model` is that of the tier that answered, and `usage` counts the rejected tiers too. `attempts` is the
    ledger of every request on the wire, `tiers` what became of each tier that was asked: (model, why not), with ""
    for the one that answered. `completion` is hb's own answer, None for providers that are not of hb.
    """

    content: tuple[Block, ...] = ()
    stop_reason: StopReason = "end_turn"
    usage: TokenUsage = TokenUsage()
    model: str | None = None
    reasoning: str = ""
    attempts: tuple[Attempt, ...] = ()
    tiers: tuple[tuple[str, str], ...] = ()
    completion: Completion | None = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        """All text."""
        return "".join(block.text for block in self.content if isinstance(block, TextBlock))

    @property
    def tool_uses(self) -> list[ToolUseBlock]:
        """The calls of tools."""
        return [block for block in self.content if isinstance(block, ToolUseBlock)]

    @property
    def message(self) -> Message:
        """The answer as a message for the next request, with the thoughts that the provider wants back."""
        kept = ("reasoning_content", "reasoning_parts")
        wire = self.completion.message if self.completion is not None else {}
        return Message("assistant", self.content, {name: wire[name] for name in kept if wire.get(name)})

    @staticmethod
    def of_text(text: str, **more: Any) -> CompletionResponse:
        """A response that is nothing but text, for providers of one's own."""
        return CompletionResponse((TextBlock(text),) if text else (), **more)
