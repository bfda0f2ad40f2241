"""Decoded answers of this wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_provider_gemini.replay import reasoning_parts
from hb_provider_gemini.usage import content_usage
from heavenbase.errors import ContentFiltered, InputError
from heavenbase.http import as_object, as_text, kind_of, shape_error, text_or_none
from heavenbase.types import Completion, ToolCall
from heavenbase.wires import arguments_text, proved
from heavenbase.wires import finish_reason as in_words

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.image import LLMImage
    from heavenbase.types import FinishReason

_FILTERS = (
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
)
FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "FUNCTION_CALL": "tool_calls",
    "CONTINUATION": "pause",
    **dict.fromkeys(_FILTERS, "content_filter"),
}


class Read(NamedTuple):
    """What the parts of one content say."""

    text: str
    thoughts: str
    calls: list[ToolCall]
    images: list[LLMImage]
    parts: list[dict[str, Any]]


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none, ContentFiltered when the prompt was blocked."""
    candidate = candidate_of(call, decoded)
    if candidate is None:
        raise shape_error(call, "the answer has no candidate")
    read = read_parts(call, candidate)
    reason = candidate.get("finishReason")
    answer = Completion(
        read.text,
        reasoning="" if is_hidden else read.thoughts,
        tool_calls=read.calls,
        finish_reason=finish_reason(reason, bool(read.calls)),
        raw_finish_reason=text_or_none(reason),
        usage=content_usage(decoded.get("usageMetadata")),
        id=text_or_none(decoded.get("responseId")),
        model=text_or_none(decoded.get("modelVersion")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        images=read.images,
        reasoning_parts=reasoning_parts(call, read.parts),
        report=call.context.report,
        raw=decoded,
    )
    return proved(call, answer, candidate.get("finishMessage"), hidden=is_hidden and read.thoughts)


def candidate_of(call: Call, decoded: Any) -> dict[str, Any] | None:
    """The first candidate of an answer, None when it has none; ContentFiltered when that is for the prompt's sake."""
    candidates = as_object(call, decoded, "the answer").get("candidates")
    if candidates is not None and not isinstance(candidates, list):
        raise shape_error(call, f"`candidates` is {kind_of(candidates)}, not a list")
    for candidate in candidates or ():
        if as_object(call, candidate, "a candidate").get("index", 0) == 0 or len(candidates or ()) == 1:
            return candidate  # type: ignore[no-any-return]
    feedback = decoded.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if blocked:
        said = text_or_none(feedback.get("blockReasonMessage")) if isinstance(feedback, dict) else None
        raise ContentFiltered(
            f"{call.target}: the provider blocked the prompt ({blocked}){': ' + said if said else ''}; "
            "change the prompt, or pass safety_settings=",
            provider=call.spec.provider,
            model=call.spec.model_id,
            code=str(blocked),
        )
    return None


def read_parts(call: Call, candidate: dict[str, Any], first_call: int = 0) -> Read:
    """What a candidate says; one that was cut off or filtered may have no content. Calls are numbered on."""
    content = candidate.get("content")
    if content is None and candidate.get("finishReason"):
        content = {}
    parts = as_object(call, content, "`content` of the candidate").get("parts")
    if parts is not None and not isinstance(parts, list):
        raise shape_error(call, f"`parts` of the candidate is {kind_of(parts)}, not a list")
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    images: list[LLMImage] = []
    for part in parts or ():
        as_object(call, part, "a part of the candidate")
        if "text" in part:
            (thoughts if part.get("thought") else text).append(as_text(call, part["text"], "`text` of a part"))
        elif "functionCall" in part:
            calls.append(_tool_call(call, part["functionCall"], first_call + len(calls)))
        elif "inlineData" in part and not part.get("thought"):
            image = _image(call, part["inlineData"])
            if image is not None:
                images.append(image)
    return Read("".join(text), "".join(thoughts), calls, images, list(parts or ()))


def finish_reason(raw: Any, has_calls: bool) -> FinishReason:
    """hb's word for the provider's; "other" for one that hb does not know, and for none."""
    return in_words(FINISH, raw, has_calls)


def _tool_call(call: Call, made: Any, place: int) -> ToolCall:
    name = made.get("name") if isinstance(made, dict) else None
    if not isinstance(name, str) or not name:
        raise shape_error(call, "a `functionCall` names no function")
    given = made.get("args")
    if given is not None and not isinstance(given, dict):
        raise shape_error(call, f"`args` of a `functionCall` is {kind_of(given)}, not an object")
    return ToolCall(text_or_none(made.get("id")) or f"call_{place}", name, arguments_text(given) or "{}")


def _image(call: Call, data: Any) -> LLMImage | None:
    """The image in inline data; None for sound and whatever else is no image."""
    if not isinstance(data, dict) or not isinstance(data.get("data"), str):
        raise shape_error(call, "`inlineData` of a part has no data")
    if not str(data.get("mimeType", "image/png")).startswith("image/"):
        return None
    from heavenbase.image import LLMImage

    try:
        return LLMImage.from_b64(data["data"])
    except InputError as error:
        raise shape_error(call, f"an image of the answer cannot be read: {error}") from None
