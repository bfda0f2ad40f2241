"""Decoded answers of this wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from hb_provider_cohere.details import citations_of, logprobs_of
from hb_provider_cohere.replay import reasoning_parts
from hb_provider_cohere.usage import chat_usage
from heavenbase.details import Details
from heavenbase.http import as_list, as_object, as_text, shape_error, text_or_none
from heavenbase.types import Completion, ToolCall
from heavenbase.wires import finish_reason as in_words
from heavenbase.wires import proved

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import FinishReason

FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
    "ERROR_LIMIT": "context_overflow",
}


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none."""
    as_object(call, decoded, "the answer")
    message = as_object(call, decoded.get("message"), "`message`")
    reason = as_text(call, decoded.get("finish_reason"), "`finish_reason`")
    if reason == "COMPLETE" and not message:
        raise shape_error(call, "`message` is empty")
    text, thoughts, starts = _content(call, message.get("content"))
    plan = as_text(call, message.get("tool_plan"), "`tool_plan`")
    calls = _tool_calls(call, message.get("tool_calls"))
    answer = Completion(
        text,
        reasoning="" if is_hidden else "".join([*thoughts, plan]),
        tool_calls=calls,
        finish_reason=finish_reason(reason, bool(calls)),
        raw_finish_reason=reason,
        usage=chat_usage(decoded.get("usage")),
        id=text_or_none(decoded.get("id")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        reasoning_parts=reasoning_parts(call, thoughts, plan),
        details=_told(message.get("citations"), decoded.get("logprobs"), starts),
        report=call.context.report,
        raw=decoded,
    )
    return proved(call, answer, hidden=is_hidden and (thoughts or plan))


def _told(citations: Any, logprobs: Any, starts: dict[int, int]) -> Details | None:
    if not citations and not logprobs:
        return None
    return Details.known(citations=citations_of(citations, starts), logprobs=logprobs_of(logprobs))


def finish_reason(raw: str, has_calls: bool) -> FinishReason:
    """hb's word for the provider's; "other" for one that hb does not know."""
    return in_words(FINISH, raw.upper(), has_calls)


def called(call: Call, made: Any, place: int) -> ToolCall:
    """One call of a tool; arguments may be missing while a stream runs."""
    function = made.get("function") if isinstance(made, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(made, dict) or not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise shape_error(call, "a call among `tool_calls` names no function")
    written = as_text(call, function.get("arguments"), "`arguments`")
    return ToolCall(text_or_none(made.get("id")) or f"call_{place}", name, written)


def _content(call: Call, content: Any) -> tuple[str, list[str], dict[int, int]]:
    """(the text, the blocks of thoughts, where each block of text begins) of an answer's content."""
    if content is None or isinstance(content, str):
        return content or "", [], {}
    text: dict[int, str] = {}
    thoughts: list[str] = []
    for place, part in enumerate(as_list(call, content, "`message.content`")):
        as_object(call, part, "a part of `message.content`")
        if part.get("type") == "thinking":
            thoughts.append(as_text(call, part.get("thinking"), "`thinking`"))
        elif "text" in part:
            text[place] = as_text(call, part["text"], "`text`")
    starts = accumulate(map(len, text.values()), initial=0)
    return "".join(text.values()), thoughts, dict(zip(text, starts, strict=False))


def _tool_calls(call: Call, made: Any) -> list[ToolCall]:
    if made is None:
        return []
    found = [called(call, item, place) for place, item in enumerate(as_list(call, made, "`message.tool_calls`"))]
    return [ToolCall(item.id, item.name, item.arguments if item.arguments.strip() else "{}") for item in found]
