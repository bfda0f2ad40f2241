"""Decoded answers of Ollama's wire as those of hb. Pure; shapes are checked, not trusted."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from hb_provider_ollama.messages import reasoning_part
from heavenbase.errors import InputError
from heavenbase.http.shapes import kind_of, shape_error, text_or_none
from heavenbase.types import Completion, Embedding, ImageResult, ToolCall, Usage

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import FinishReason

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_LARGEST = 2**53


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none."""
    message = message_of(call, decoded)
    thoughts = text_of(call, message, "thinking")
    calls = tool_calls(call, message)
    reason = decoded.get("done_reason")
    return Completion(
        text_of(call, message, "content"),
        reasoning="" if is_hidden else thoughts,
        tool_calls=calls,
        finish_reason=finish_reason(reason, bool(calls)),
        raw_finish_reason=text_or_none(reason),
        usage=usage_of(decoded),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        reasoning_parts=reasoning_part(call.spec, thoughts),
        report=call.context.report,
        raw=decoded,
    )


def message_of(call: Call, decoded: Any) -> dict[str, Any]:
    """The message in an answer or in one line of a stream."""
    if not isinstance(decoded, dict):
        raise shape_error(call, f"the answer is {kind_of(decoded)}, not an object")
    message = decoded.get("message")
    if not isinstance(message, dict):
        raise shape_error(call, f"`message` is {kind_of(message)}, not an object")
    return message


def text_of(call: Call, message: dict[str, Any], name: str) -> str:
    """A text of a message."""
    found = message.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise shape_error(call, f"`{name}` of the message is {kind_of(found)}, not text")
    return found


def tool_calls(call: Call, message: dict[str, Any], first: int = 0) -> list[ToolCall]:
    """The tool calls of a message, numbered on from `first` where they have no id."""
    found = message.get("tool_calls")
    if found is None:
        return []
    if not isinstance(found, list):
        raise shape_error(call, f"`tool_calls` is {kind_of(found)}, not a list")
    return [_tool_call(call, item, first + place) for place, item in enumerate(found)]


def finish_reason(raw: Any, has_calls: bool) -> FinishReason:
    """hb's word for the server's; "other" for one that hb does not know, and for none."""
    found = FINISH.get(raw, "other") if isinstance(raw, str) else "other"
    return "tool_calls" if found == "stop" and has_calls else found


def usage_of(decoded: dict[str, Any]) -> Usage | None:
    """The counts of an answer; None when it has none."""
    usage = Usage(_count(decoded.get("prompt_eval_count")), _count(decoded.get("eval_count")))
    return usage if usage != Usage() else None


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = decoded.get("embeddings") if isinstance(decoded, dict) else None
    if not isinstance(found, list):
        raise shape_error(call, f"`embeddings` is {kind_of(found)}, not a list")
    if len(found) != len(call.inputs):
        raise shape_error(call, f"{len(call.inputs)} inputs got {len(found)} vectors")
    vectors = [_vector(call, item, place) for place, item in enumerate(found)]
    if len({len(vector) for vector in vectors}) > 1:
        raise shape_error(call, "the vectors differ in length")
    return Embedding(
        vectors,
        usage=usage_of(decoded),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def images(call: Call, decoded: Any) -> ImageResult:
    """The image of an answer."""
    data = decoded.get("image") if isinstance(decoded, dict) else None
    if not isinstance(data, str) or not data:
        raise shape_error(call, f"`image` is {kind_of(data)}; the model makes no images")
    from heavenbase.image.image import LLMImage

    try:
        image = LLMImage.from_b64(data)
    except InputError as error:
        raise shape_error(call, f"the image of the answer cannot be read: {error}") from None
    return ImageResult(
        [image],
        usage=usage_of(decoded),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )


def _tool_call(call: Call, item: Any, place: int) -> ToolCall:
    function = item.get("function") if isinstance(item, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise shape_error(call, f"`tool_calls[{place}]` names no function")
    given = function.get("arguments")
    if isinstance(given, str):
        arguments = given or "{}"
    elif given is None or isinstance(given, dict):
        arguments = json.dumps(given, ensure_ascii=False, separators=(",", ":")) if given else "{}"
    else:
        raise shape_error(call, f"`arguments` of `tool_calls[{place}]` is {kind_of(given)}, not an object")
    return ToolCall(text_or_none(item.get("id")) or f"call_{place}", name, arguments)


def _vector(call: Call, values: Any, place: int) -> list[float]:
    if not isinstance(values, list) or not values:
        raise shape_error(call, f"`embeddings[{place}]` is {kind_of(values)}, not a list of numbers")
    if not all(type(number) is float for number in values):
        if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in values):
            raise shape_error(call, f"`embeddings[{place}]` holds something else than numbers")
        values = [float(number) for number in values]
    # The sum is not finite when any number is not, and is had sooner than a look at each.
    if not isfinite(sum(values)):
        raise shape_error(call, f"`embeddings[{place}]` has a number that is not finite")
    return list(values)


def _count(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < _LARGEST else None
