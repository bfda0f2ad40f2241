"""Decoded answers of Converse as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.details import audio_of, citations_of, filters_of
from hb_provider_bedrock.replay import reasoning_parts
from hb_provider_bedrock.usage import token_usage
from heavenbase.details import Details
from heavenbase.errors import HBError
from heavenbase.http import as_list, as_object, as_text, shape_error, text_or_none
from heavenbase.types import Completion, ToolCall
from heavenbase.wires import arguments_text, finish_words, proved
from heavenbase.wires import finish_reason as in_words

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.image import LLMImage
    from heavenbase.types import Audio, Citation, FinishReason

FINISH = finish_words(
    {
        "stop": "end_turn stop_sequence",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "guardrail_intervened content_filtered",
        "refusal": "refusal",
        "pause": "pause_turn",
        "context_overflow": "model_context_window_exceeded",
    }
)


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none."""
    output = as_object(call, decoded, "the answer").get("output")
    message = output.get("message") if isinstance(output, dict) else None
    if not isinstance(message, dict):
        raise shape_error(call, "the answer has no `output.message`")
    blocks = as_list(call, message.get("content"), "`content`", "a list of blocks")
    reason = as_text(call, decoded.get("stopReason"), "`stopReason`")
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    images: list[LLMImage] = []
    citations: list[Citation] = []
    audio: list[Audio] = []
    length = 0
    for place, block in enumerate(blocks):
        text.append(_text(call, as_object(call, block, f"block {place} of `content`")))
        if "reasoningContent" in block:
            thoughts.append(thought_of(call, block["reasoningContent"]))
        elif "toolUse" in block and not is_of_server(block["toolUse"]):
            calls.append(_tool_call(call, block["toolUse"], len(calls)))
        elif "image" in block:
            images.append(image_of(call, block["image"]))
        elif "audio" in block:
            audio += audio_of(block["audio"])
        elif "citationsContent" in block:
            citations += citations_of(block, length, length + len(text[-1]))
        length += len(text[-1])
    answer = Completion(
        "".join(text),
        reasoning="" if is_hidden else "".join(thoughts),
        tool_calls=calls,
        finish_reason=finish_reason(reason, bool(calls)),
        raw_finish_reason=reason,
        usage=token_usage(decoded),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        images=images,
        reasoning_parts=reasoning_parts(call, blocks),
        details=Details.known(citations=citations, filters=filters_of(decoded.get("trace")), audio=audio),
        report=call.context.report,
        raw=decoded,
    )
    return proved(call, answer, hidden=is_hidden and thoughts)


def finish_reason(raw: Any, has_calls: bool) -> FinishReason:
    """hb's word for the provider's; "other" for one that hb does not know. Some models end a turn with calls in it."""
    return in_words(FINISH, raw, has_calls and raw == "end_turn")


def is_of_server(use: Any) -> bool:
    """Whether the provider itself runs this tool use."""
    return isinstance(use, dict) and use.get("type") == "server_tool_use"


def thought_of(call: Call, content: Any) -> str:
    """The text in a block of reasoning; "" where it is hidden."""
    text = as_object(call, content, "`reasoningContent`").get("reasoningText")
    return text_of(call, text, "text") if isinstance(text, dict) else ""


def image_of(call: Call, block: Any) -> LLMImage:
    """The image in a block."""
    from heavenbase.image import LLMImage

    source = block.get("source") if isinstance(block, dict) else None
    data = source.get("bytes") if isinstance(source, dict) else None
    if not isinstance(data, str):
        raise shape_error(call, "an `image` has no bytes")
    try:
        return LLMImage.from_b64(data)
    except HBError as error:
        failure = shape_error(call, f"an `image` cannot be read: {error}")
    raise failure


def text_of(call: Call, block: dict[str, Any], name: str) -> str:
    """The text in a block or delta."""
    return as_text(call, block.get(name), f"`{name}` of a block")


def tool_name(call: Call, use: Any) -> str:
    """The name in a tool use; ResponseShapeError without one."""
    name = use.get("name") if isinstance(use, dict) else None
    if not isinstance(name, str) or not name:
        raise shape_error(call, "a `toolUse` names no tool")
    return name


def _text(call: Call, block: dict[str, Any]) -> str:
    if "text" in block:
        return text_of(call, block, "text")
    cited = block.get("citationsContent")
    content = cited.get("content") if isinstance(cited, dict) else None
    if not isinstance(content, list):
        return ""
    return "".join(text_of(call, part, "text") for part in content if isinstance(part, dict))


def _tool_call(call: Call, use: Any, place: int) -> ToolCall:
    name, arguments = tool_name(call, use), arguments_text(use.get("input")) or "{}"
    return ToolCall(text_or_none(use.get("toolUseId")) or f"call_{place}", name, arguments)
