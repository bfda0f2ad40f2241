"""Decoded answers of the Responses wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.details import audio_of, citations_of, filters_beside, logprobs_of
from hb_wire_openai.responses.items import FIELD, SAID, output_text
from hb_wire_openai.usage import chat_usage
from heavenbase.details import Details
from heavenbase.http import as_list, as_text, shape_error, text_or_none
from heavenbase.types import Completion, ToolCall
from heavenbase.wires import arguments_text, generation_failed, proved, reasoning_part

if TYPE_CHECKING:
    from collections.abc import Collection

    from hb_wire_openai.answers import Thinking
    from heavenbase.call import Call
    from heavenbase.image import LLMImage
    from heavenbase.types import Audio, Citation, FinishReason, TokenLogprob, Usage

_FAILED = ("failed", "cancelled")
CALLS = ("function_call", "custom_tool_call")
"""Items that are calls of tools; those of the second kind hold free text."""
_BILLED = ("file_search_call", "code_interpreter_call", "image_generation_call", "shell_call")
"""Items that are runs of OpenAI's own tools, which cost something beside tokens."""
_INCOMPLETE: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}


def completion_of_response(call: Call, decoded: Any, thinking: Thinking) -> Completion:
    """The answer; ResponseShapeError when it is none. The caller has looked for an error inside."""
    if not isinstance(decoded, dict):
        raise shape_error(call, "the answer is not an object")
    items = output_items(call, decoded)
    reason, raw = finish_reason(decoded, items)
    answer = Completion(
        output_text(items),
        reasoning="" if thinking.is_hidden else "".join(map(thoughts, items)),
        tool_calls=[tool_call(call, item) for item in items if item.get("type") in CALLS],
        finish_reason=reason,
        raw_finish_reason=raw,
        usage=usage(decoded, items),
        id=text_or_none(decoded.get("id")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        images=[image for item in items for image in images(call, item)],
        reasoning_parts=parts(call, items),
        details=details(decoded, items),
        report=call.context.report,
        raw=decoded,
    )
    return proved(call, answer, hidden=thinking.is_hidden and any(map(thoughts, items)))


def output_items(call: Call, decoded: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of an answer."""
    items = decoded.get("output")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise shape_error(call, "`output` is not a list of items")
    for item in items:
        as_text(call, item.get("type"), "the `type` of an item")
    if decoded.get("status") in _FAILED:
        raise generation_failed(call, decoded["status"])
    if not items and decoded.get("status") != "incomplete":
        raise shape_error(call, "`output` is an empty list")
    for item in items:
        content = item.get("content")
        if item.get("type") == "message" and not isinstance(content, list):
            raise shape_error(call, "the `content` of a message is not a list")
        _check_parts(call, item)
    return items


def _check_parts(call: Call, item: dict[str, Any]) -> None:
    for name in ("content", "summary"):
        for part in as_list(call, item.get(name) or [], f"the `{name}` of an item"):
            if not isinstance(part, dict):
                raise shape_error(call, f"a part of an item's `{name}` is no object")
            if not all(part.get(field) is None or isinstance(part[field], str) for field in ("text", "refusal")):
                raise shape_error(call, f"the text of an item's `{name}` is no text")


def finish_reason(decoded: dict[str, Any], items: list[dict[str, Any]]) -> tuple[FinishReason, str | None]:
    """hb's word and the wire's."""
    status = decoded.get("status")
    if status == "incomplete":
        details = decoded.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        return _INCOMPLETE.get(str(why), "other"), text_or_none(why) or status
    raw = text_or_none(status)
    # One recorded endpoint says "complete".
    if status not in ("completed", "complete"):
        return "other", raw
    if any(item.get("type") in CALLS for item in items):
        return "tool_calls", raw
    kinds = [part.get("type") for item in items if item.get("type") == "message" for part in item["content"]]
    return "refusal" if "refusal" in kinds else "stop", raw


def thoughts(item: dict[str, Any]) -> str:
    """What a reasoning item shows of its thoughts: the text where there is one, else the summary."""
    if item.get("type") != "reasoning":
        return ""
    for name in ("content", "summary"):
        pieces = [part.get("text") for part in item.get(name) or () if isinstance(part, dict)]
        if pieces:
            return "".join(piece for piece in pieces if isinstance(piece, str))
    return ""


def tool_call(call: Call, item: dict[str, Any]) -> ToolCall:
    """The call that an item asks for."""
    name, arguments = item.get("name"), arguments_text(item.get("arguments"))
    if not isinstance(name, str) or not name:
        raise shape_error(call, "a function call names no function")
    named = text_or_none(item.get("call_id")) or text_or_none(item.get("id")) or "call_0"
    if item.get("type") == "custom_tool_call":
        return ToolCall(named, name, text_or_none(item.get("input")) or "", type="custom")
    return ToolCall(named, name, arguments or "{}")


def images(call: Call, item: dict[str, Any]) -> list[LLMImage]:
    """The image that an item holds."""
    if item.get("type") != "image_generation_call" or not item.get("result"):
        return []
    from hb_wire_openai.answers import read_images

    return read_images(call, [{"b64_json": item["result"]}])


def parts(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items as they must go back, when there is more among them than text and calls of the caller's tools.

    That includes the phase of a message and the namespace of a call, which no message of hb has.
    """
    kinds = {item.get("type") for item in items}.difference(SAID)
    is_marked = any(item.get("phase") or item.get("namespace") for item in items)
    if not kinds and not is_marked:
        return []
    return [reasoning_part(call.spec, FIELD, items, is_kept=is_marked or bool(kinds - {"reasoning"}))]


def details(decoded: dict[str, Any], items: list[dict[str, Any]], shown: Collection[str] = ()) -> Details | None:
    """What an answer tells beside its texts; of `logprobs` and `audio` not what its stream has `shown`."""
    citations: list[Citation] = []
    logprobs: list[TokenLogprob] = []
    audio: list[Audio] = []
    offset = 0
    for item in items:
        for part in (item.get("content") or ()) if item.get("type") == "message" else ():
            citations += citations_of(part.get("annotations"), offset)
            logprobs += [] if "logprobs" in shown else logprobs_of(part.get("logprobs"))
            if part.get("type") == "output_audio" and "audio" not in shown:
                audio += audio_of(part, part.get("format"))
            offset += len(part.get("text") or part.get("refusal") or "")
    return Details.known(citations=citations, logprobs=logprobs, audio=audio, filters=filters_beside(decoded))


def usage(decoded: dict[str, Any], items: Any) -> Usage | None:
    """The usage of an answer with these items; None when the provider sent none."""
    raw = decoded.get("usage")
    if not isinstance(raw, dict) or not raw:
        return None
    found = chat_usage(
        {
            "prompt_tokens": raw.get("input_tokens"),
            "prompt_tokens_details": raw.get("input_tokens_details"),
            "completion_tokens": raw.get("output_tokens"),
            "completion_tokens_details": raw.get("output_tokens_details"),
            "total_tokens": raw.get("total_tokens"),
            **{name: raw.get(name) for name in ("cost", "cost_details", "is_byok", "cost_in_usd_ticks")},
        },
        decoded.get("service_tier"),
    )
    runs = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if found is not None:
        found.web_searches = sum(map(_is_search, runs)) or found.web_searches
        found.tools = sum(item.get("type") in _BILLED for item in runs) or None
    return found


def _is_search(item: dict[str, Any]) -> bool:
    """Whether an item is a search that is paid for: to open a page, or to look for words in it, is not."""
    action = item.get("action")
    kind = action.get("type") if isinstance(action, dict) else None
    return item.get("type") == "web_search_call" and kind in (None, "search")
