"""Decoded answers of Ollama's wire as those of hb. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_ollama.messages import reasoning_part
from heavenbase.details import Details
from heavenbase.errors import InputError
from heavenbase.http import as_list, as_object, as_text, kind_of, shape_error, text_or_none
from heavenbase.types import Completion, Embedding, ImageResult, ToolCall, Usage
from heavenbase.wires import arguments_text, count, known_usage, proved, read_vector, read_vectors, token_logprobs
from heavenbase.wires import finish_reason as in_words

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.operations import ModelInfo
    from heavenbase.types import FinishReason

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none."""
    message = message_of(call, decoded)
    thoughts = text_of(call, message, "thinking")
    calls = tool_calls(call, message)
    reason = decoded.get("done_reason")
    if decoded.get("done") is not True:
        raise shape_error(call, f"`done` is {kind_of(decoded.get('done'))}, not true: the answer is not whole")
    if message.keys() <= {"role"}:
        raise shape_error(call, "`message` is empty")
    answer = Completion(
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
        details=Details.known(logprobs=token_logprobs(decoded.get("logprobs"))),
        report=call.context.report,
        raw=decoded,
    )
    return proved(call, answer, hidden=is_hidden and thoughts, is_proved=True)


def message_of(call: Call, decoded: Any) -> dict[str, Any]:
    """The message in an answer or in one line of a stream."""
    return as_object(call, as_object(call, decoded, "the answer").get("message"), "`message`")


def text_of(call: Call, message: dict[str, Any], name: str) -> str:
    """A text of a message."""
    return as_text(call, message.get(name), f"`{name}` of the message")


def tool_calls(call: Call, message: dict[str, Any], first: int = 0) -> list[ToolCall]:
    """The tool calls of a message, numbered on from `first` where they have no id."""
    found = message.get("tool_calls")
    if found is None:
        return []
    return [_tool_call(call, item, place) for place, item in enumerate(as_list(call, found, "`tool_calls`"), first)]


def finish_reason(raw: Any, has_calls: bool) -> FinishReason:
    """hb's word for the server's; "other" for one that hb does not know, and for none."""
    return in_words(FINISH, raw, has_calls)


def usage_of(decoded: dict[str, Any]) -> Usage | None:
    """The counts of an answer; None when it has none."""
    return known_usage(Usage(count(decoded.get("prompt_eval_count")), count(decoded.get("eval_count"))))


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = decoded.get("embeddings") if isinstance(decoded, dict) else None
    vectors = read_vectors(
        call, found, "embeddings", lambda item, place: read_vector(call, item, f"`embeddings[{place}]`")
    )
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
    from heavenbase.image import LLMImage

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
    if given is not None and not isinstance(given, str | dict):
        raise shape_error(call, f"`arguments` of `tool_calls[{place}]` is {kind_of(given)}, not an object")
    return ToolCall(text_or_none(item.get("id")) or f"call_{place}", name, arguments_text(given) or "{}")


def model_page(call: Call, decoded: Any) -> tuple[list[ModelInfo], str | None]:
    """(the models that the server has, None as there is one page)."""
    from heavenbase.operations import ModelInfo, id_of, seconds_of

    found = []
    for row in as_list(call, as_object(call, decoded, "the list").get("models"), "`models`"):
        row = as_object(call, row, "a model")
        found.append(ModelInfo(id_of(call, row, "model", "name"), created=seconds_of(row, "modified_at"), raw=row))
    return found, None
