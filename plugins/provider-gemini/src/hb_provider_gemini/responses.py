"""Decoded answers of this wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_provider_gemini.details import details_of, filters_of
from hb_provider_gemini.replay import reasoning_parts
from hb_provider_gemini.usage import content_usage, searches_of
from heavenbase.details import Details
from heavenbase.errors import ContentFiltered, InputError
from heavenbase.http import as_object, as_text, kind_of, shape_error, text_or_none, whole_or_none
from heavenbase.types import Audio, Choice, Completion, ToolCall
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
    audio: list[Audio]
    parts: list[dict[str, Any]]


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none, ContentFiltered when the prompt was blocked."""
    candidates = candidates_of(call, decoded)
    if not candidates:
        raise shape_error(call, "the answer has no candidate")
    (_, first), *others = candidates
    fields = _read(call, first, is_hidden)
    if others or "promptFeedback" in decoded:
        details = Details.known(
            filters=filters_of(decoded.get("promptFeedback"), "prompt"),
            others=[Choice(index, **_read(call, candidate, is_hidden)) for index, candidate in others],
        )
        if details is not None:
            fields["details"] = Details.merged([details, *filter(None, [fields["details"]])], details.others)
    answer = Completion(
        **fields,
        usage=content_usage(decoded.get("usageMetadata"), sum(searches_of(it) for _, it in candidates)),
        id=text_or_none(decoded.get("responseId")),
        model=text_or_none(decoded.get("modelVersion")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )
    is_thought = is_hidden and any("thought" in part for _, it in candidates for part in parts_of(call, it))
    return proved(call, answer, first.get("finishMessage"), hidden=is_thought)


def _read(call: Call, candidate: dict[str, Any], is_hidden: bool) -> dict[str, Any]:
    """What one candidate says, by the names of a completion."""
    read, reason = read_parts(call, parts_of(call, candidate)), candidate.get("finishReason")
    details = details_of(candidate, read.parts)
    if read.audio:
        details = Details.merged([details or Details(), Details(audio=Audio.joined(read.audio))])
    return {
        "text": read.text,
        "reasoning": "" if is_hidden else read.thoughts,
        "tool_calls": read.calls,
        "finish_reason": finish_reason(reason, bool(read.calls)),
        "raw_finish_reason": text_or_none(reason),
        "images": read.images,
        "reasoning_parts": reasoning_parts(call, read.parts),
        "details": details,
    }


def candidates_of(call: Call, decoded: Any) -> list[tuple[int, dict[str, Any]]]:
    """The candidates of an answer by their numbers; ContentFiltered when there is none for the prompt's sake."""
    candidates = as_object(call, decoded, "the answer").get("candidates")
    if candidates is not None and not isinstance(candidates, list):
        raise shape_error(call, f"`candidates` is {kind_of(candidates)}, not a list")
    if candidates and len(candidates) == 1:
        index = as_object(call, candidates[0], "a candidate").get("index", 0)
        return [(index if isinstance(index, int) else 0, candidates[0])]
    found = []
    for place, candidate in enumerate(candidates or ()):
        index = as_object(call, candidate, "a candidate").get("index", place)
        found.append((place if whole_or_none(index) is None else index, candidate))
    if found:
        return sorted(found, key=lambda it: it[0])
    feedback = decoded.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if blocked:
        said = text_or_none(feedback.get("blockReasonMessage")) if isinstance(feedback, dict) else None
        error = ContentFiltered(
            f"{call.target}: the provider blocked the prompt ({blocked}){': ' + said if said else ''}; "
            "change the prompt, or pass safety_settings=",
            provider=call.spec.provider,
            model=call.spec.model_id,
            code=str(blocked),
        )
        verdicts = Details.known(filters=filters_of(feedback, "prompt"))
        if verdicts is not None:
            error.partial = Completion(finish_reason="content_filter", details=verdicts, raw=decoded)
        raise error
    return []


def parts_of(call: Call, candidate: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a candidate; one that was cut off or filtered may have no content."""
    content = candidate.get("content")
    if content is None and candidate.get("finishReason"):
        content = {}
    parts = as_object(call, content, "`content` of the candidate").get("parts")
    if parts is not None and not isinstance(parts, list):
        raise shape_error(call, f"`parts` of the candidate is {kind_of(parts)}, not a list")
    return [as_object(call, part, "a part of the candidate") for part in parts or ()]


def read_parts(call: Call, parts: list[dict[str, Any]], first_call: int = 0) -> Read:
    """What parts say. Calls are numbered on."""
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    images: list[LLMImage] = []
    audio: list[Audio] = []
    for part in parts:
        if "text" in part:
            (thoughts if part.get("thought") else text).append(as_text(call, part["text"], "`text` of a part"))
        elif "functionCall" in part:
            calls.append(_tool_call(call, part["functionCall"], first_call + len(calls)))
        elif "inlineData" in part and not part.get("thought"):
            found = _media(call, part["inlineData"])
            if isinstance(found, Audio):
                audio.append(found)
            elif found is not None:
                images.append(found)
    return Read("".join(text), "".join(thoughts), calls, images, audio, parts)


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


def _media(call: Call, data: Any) -> LLMImage | Audio | None:
    """The image or the sound in inline data; None for what is neither."""
    if not isinstance(data, dict) or not isinstance(data.get("data"), str):
        raise shape_error(call, "`inlineData` of a part has no data")
    kind = str(data.get("mimeType", "image/png"))
    if kind.startswith("audio/"):
        from base64 import b64decode

        try:
            return Audio(b64decode(data["data"]), kind)
        except ValueError as error:
            raise shape_error(call, f"a sound of the answer cannot be read: {error}") from None
    if not kind.startswith("image/"):
        return None
    from heavenbase.image import LLMImage

    try:
        return LLMImage.from_b64(data["data"])
    except InputError as error:
        raise shape_error(call, f"an image of the answer cannot be read: {error}") from None
