"""What messages, parts and tools say beside their content, and what becomes of it on a wire with no place for it. Pure.

A gateway says in a `Taken` what its wire takes; the rest is reported by its place: `messages[2].content[0].citations`.
Each wire that marks how far a prompt is cached has its own word for it, and gets that.
"""

from __future__ import annotations

from operator import is_not
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import UnsupportedError
from heavenbase.spec import EMPTY
from heavenbase.wires.files import as_file, no_reference, reference_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

Fields = frozenset[str]
MARK = "cache_control"
"""The mark of a prompt's cache in hb's shapes."""
MARKS = frozenset({MARK, "prompt_cache_breakpoint", "cachePoint"})
OF_ONE_WIRE = MARKS | frozenset(
    {
        *("citations", "context", "transformations", "videoMetadata", "mediaResolution", "video_metadata"),
        *("media_resolution", "thoughtSignature", "thought_signature", "guardContent", "defer_loading"),
        *("input_examples", "eager_input_streaming", "allowed_callers"),
    }
)
"""What an open wire is sent only where its endpoint takes it."""
_MESSAGE = frozenset(
    {
        *("role", "content", "name", "tool_calls", "tool_call_id", "is_error", "images", "parsed"),
        *("reasoning_parts", "reasoning_content", "reasoning", "citations", "logprobs", "choices", "filters"),
        *("audio", "rate_limits"),
    }
)
_CALL = frozenset({"id", "type", "function"})
_NAMING = frozenset({"file", "image_file", "document", "input_file", "document_url"})
"""Parts that may name a file."""
_TOOL = frozenset(
    {
        *("type", "function", "name", "description", "strict", "parameters", "input_schema", "inputSchema"),
        *("schema", "run"),
    }
)
_NOTHING: tuple[Any, ...] = (None, "", [], {}, False)


class Taken(NamedTuple):
    """What a wire takes beside contents.

    `parts` are the fields of a part by its type; of a type that is not there all pass. `messages`, `calls` and `tools`
    are fields beside those that every wire has. `marks`: prompts can be marked. `documents` are types of parts in its
    own shape, which are left alone. `references` are the ways in which files may be named, None for those that the wire
    reads. An `is_open` wire takes what hb does not know.
    """

    parts: Mapping[str | None, Fields]
    messages: Fields = frozenset()
    calls: Fields = frozenset()
    tools: Fields = frozenset()
    marks: bool = False
    documents: frozenset[str | None] = frozenset()
    is_open: bool = False
    references: Fields | None = None

    def of(self, spec: LLMSpec) -> Taken:
        """The same for one target: its capabilities `prompt_marks` and `file_references` may allow less."""
        marks, named = self.marks and spec.capability("prompt_marks") is not False, spec.capability("file_references")
        if marks == self.marks and named is None:
            return self
        return self._replace(marks=marks, references=None if named is None else frozenset(named))

    def kept(self, held: dict[str, Any], known: Fields, where: str, report: ParameterReport) -> dict[str, Any]:
        """What is left of something that is known to have these fields; what is lost of it is reported."""
        lost = held.keys() - known
        if lost:
            lost = {n for n in lost if held[n] not in _NOTHING and (not self.is_open or n in OF_ONE_WIRE)}
            lost -= MARKS if self.marks else frozenset()
        for name in sorted(lost):
            report.dropped(f"{where}.{name}", "the wire has no such attribute")
        if self.is_open and (strange := {f"{where}.{name}" for name in held.keys() - known - lost - OF_ONE_WIRE}):
            report.strange |= strange
            report.sent(*sorted(strange))
        return {name: value for name, value in held.items() if name not in lost} if lost else held


def part_fields(*kinds: str, **more: str) -> dict[str | None, Fields]:
    """`Taken.parts`: types of parts with one field of that name beside the type, and others with these fields too."""
    return {kind: frozenset({"type", kind, *more.get(kind, "").split()}) for kind in (*kinds, *more)}


def fit_message(message: Message, place: int, taken: Taken, report: ParameterReport) -> Message:
    """A message that is more than a role and a text as a wire wants it; what it loses is reported."""
    content = message.get("content")
    if taken.marks and content and message["role"] != "tool" and (mark := mark_of(message)) is not None:
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        content = [*parts[:-1], {**parts[-1], MARK: mark}]
        message = {name: value for name, value in message.items() if name not in MARKS} | {"content": content}
    where = f"messages[{place}]"
    message = taken.kept(message, _MESSAGE | taken.messages, where, report)
    if type(content) is list:
        if taken.references is not None:
            _check_references(content, place, taken.references)
        fitted = [_part(part, taken, f"{where}.content[{n}]", report) for n, part in enumerate(content)]
        message = {**message, "content": fitted} if any(map(is_not, fitted, content)) else message
    for n, call in enumerate(message.get("tool_calls") or ()):
        if not call.keys() <= _CALL:
            taken._replace(marks=False).kept(call, _CALL | taken.calls, f"{where}.tool_calls[{n}]", report)
    return message


def _check_references(content: list[Any], place: int, known: Fields) -> None:
    for part in content:
        if isinstance(part, dict) and part.get("type") in _NAMING and (way := reference_of(part)) not in (None, *known):
            raise no_reference(place, f"files by {', '.join(sorted(known)) or 'their bytes alone'}, not by {way}")


def _part(part: Any, taken: Taken, where: str, report: ParameterReport) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") not in taken.documents:
        part = as_file(part) or part
    if taken.marks and MARK not in part and len(part) > 1 and (mark := mark_of(part)) is not None:
        part = {name: value for name, value in part.items() if name not in MARKS} | {MARK: mark}
    known = taken.parts.get(part.get("type"))
    return part if known is None else taken.kept(part, known, where, report)


def note_tools(tools: Iterable[Any], taken: Taken, report: ParameterReport) -> list[Any]:
    """The tools without what this wire does not take of them, which is reported; a provider's own ones as they are."""
    known, found = _TOOL | taken.tools, []
    for place, tool in enumerate(tools):
        is_function = isinstance(tool, dict) and tool.keys() & {"function", "name"}
        if is_function and (tool.get("type", "function") == "function" or "input_schema" in tool):
            tool = taken.kept(tool, known, f"tools[{place}]", report)
            inner = tool.get("function")
            if isinstance(inner, dict) and not inner.keys() <= known:
                tool = {**tool, "function": taken.kept(inner, known, f"tools[{place}].function", report)}
        found.append(tool)
    return found


def mark_of(held: Mapping[str, Any]) -> Any:
    """The mark of a message, part or tool as `cache_control` has it, whichever wire's it is; None without one."""
    if MARKS.isdisjoint(held):
        return None
    given = next((held[name] for name in MARKS if held.get(name)), None)
    if given is None or held.get(MARK):
        return held.get(MARK)
    ttl = given.get("ttl") if hasattr(given, "get") else None
    return {"type": "ephemeral", **({"ttl": ttl} if ttl in ("5m", "1h") else {})}


def takes_late_system(spec: LLMSpec, by_name: bool, *, here: bool) -> bool:
    """Whether system messages may stand between the others: as the model's record says, else as its name tells.

    The name counts where the provider has them at all: `here`, unless its capability `late_system` says otherwise.
    """
    own = spec.model_record.get("capabilities", EMPTY).get("late_system")
    if own is not None:
        return own is True
    return by_name and spec.capability("late_system", here) is True


def check_prefill(spec: LLMSpec, wire: Mapping[str, Any] = EMPTY) -> None:
    """UnsupportedError where a provider's rule says that this model goes on with no answer that it is given."""
    for reason in (rule["prefill"] for rule in spec.message_rules(wire) if "prefill" in rule):
        text = f"the messages for {spec.provider}/{spec.model_id} end with an answer: {reason}; end with the user"
        raise UnsupportedError(text, provider=spec.provider, model=spec.model_id)
