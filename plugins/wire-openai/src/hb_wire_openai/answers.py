"""Decoded answers of the OpenAI wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_wire_openai.details import (
    BESIDE,
    audio_of,
    citations_of,
    context_of,
    filters_beside,
    filters_of,
    logprobs_of,
    sources_of,
)
from hb_wire_openai.dialects import replay_fields
from hb_wire_openai.messages import SOUND
from hb_wire_openai.usage import chat_usage
from heavenbase.details import Details
from heavenbase.http import kind_of, name_or_none, shape_error, text_or_none, whole_or_none
from heavenbase.types import Choice, Completion, ToolCall
from heavenbase.wires import arguments_text, finish_reason, finish_words, proved, reasoning_part, thoughts_hidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavenbase.call import Call
    from heavenbase.image import LLMImage
    from heavenbase.types import Audio

FINISH = finish_words(
    {
        "stop": "stop eos end_turn stop_sequence",
        "length": "length max_tokens model_length",
        "tool_calls": "tool_calls tool_use function_call",
        "content_filter": "content_filter sensitive",
        "refusal": "refusal",
        "pause": "pause pause_turn",
        "context_overflow": "context_overflow model_context_window_exceeded",
    }
)


FAILED: dict[str, Any] = {"message": "the provider could not finish the generation", "code": 500, "type": "error"}
"""What a finish reason "error" says."""
REFUSED: dict[str, Any] = {"message": "the provider's filter refused the prompt", "code": "content_filter"}
"""What verdicts on the prompt say, with no answer beside them."""


class Thinking(NamedTuple):
    """What a call wants to see of the thoughts, and what its provider wants back."""

    is_hidden: bool
    fields: tuple[str, ...]


def thinking_of(call: Call) -> Thinking:
    """What this call wants to see, and its provider wants back."""
    return Thinking(thoughts_hidden(call.args, call.explicit), replay_fields(call.spec))


def completion(call: Call, decoded: Any, thinking: Thinking) -> Completion:
    """The answer; ResponseShapeError when it is none. The caller has looked for an error inside."""
    if not isinstance(decoded, dict):
        raise shape_error(call, f"the answer is {kind_of(decoded)}, not an object")
    choices = decoded.get("choices")
    if not isinstance(choices, list) or not choices:
        raise shape_error(call, f"`choices` is {kind_of(choices)}, not a list with an answer")
    first, *others = in_order(choices)
    fields = read_choice(call, first, thinking)
    if others or not BESIDE.isdisjoint(decoded):
        details = Details.known(
            citations=sources_of(decoded),
            filters=filters_beside(decoded),
            others=[
                Choice(_number(it, place), **read_choice(call, it, thinking)) for place, it in enumerate(others, 1)
            ],
        )
        if details is not None:
            fields["details"] = Details.merged([details, *filter(None, [fields["details"]])], others=details.others)
    answer = Completion(
        **fields,
        usage=chat_usage(decoded.get("usage"), decoded.get("service_tier")),
        id=text_or_none(decoded.get("id")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )
    return proved(call, answer, hidden=thinking.is_hidden and any(map(_thinks, choices)))


def read_choice(call: Call, choice: dict[str, Any], thinking: Thinking) -> dict[str, Any]:
    """What one choice says, by the names of a completion."""
    message, reason = choice.get("message"), choice.get("finish_reason")
    if message is None and not reason and is_filtered(choice.get("content_filter_results")):
        reason = "content_filter"
    if message is None and FINISH.get(str(reason)) == "content_filter":
        message = {"content": ""}  # a filter that looks at the answer when it is made leaves nothing of it
    if not isinstance(message, dict):
        raise shape_error(call, f"`choices[0].message` is {kind_of(message)}, not an object")
    if reason == "stop" and message.keys() <= {"role"}:
        raise shape_error(call, "`choices[0].message` is empty")
    text, thoughts, images = read_content(call, message.get("content"))
    thoughts = delta_thoughts(message) or thoughts
    fields: dict[str, Any] = {
        "text": text,
        "reasoning": "" if thinking.is_hidden else thoughts,
        "tool_calls": tool_calls(call, message),
        "finish_reason": finish_reason(FINISH, reason),
        "raw_finish_reason": reason if isinstance(reason, str) else None,
        "reasoning_parts": [],
        "details": _told(call, choice, message),
    }
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        fields["text"], fields["finish_reason"] = text or refusal, "refusal"
    found = message.get("images")
    if images or found:
        fields["images"] = [*images, *read_images(call, found)]
    for name in thinking.fields:
        if message.get(name):
            fields["reasoning_parts"].append(reasoning_part(call.spec, name, message[name]))
            break
    if message.get("audio"):
        sounds = fields["details"].audio if fields["details"] is not None else []
        fields["text"] = fields["text"] or "".join(sound.transcript for sound in sounds)
        fields["reasoning_parts"] += sound_parts(call, sounds)
    return fields


def _told(call: Call, choice: dict[str, Any], message: dict[str, Any]) -> Details | None:
    """What a choice tells beside text and calls."""
    of_message = message.get("annotations") or message.get("context") or message.get("audio")
    if not (of_message or choice.get("logprobs") or choice.get("content_filter_results")):
        return None
    return Details.known(
        citations=[*citations_of(message.get("annotations")), *context_of(message)],
        logprobs=logprobs_of(choice.get("logprobs")),
        filters=filters_of(choice.get("content_filter_results")),
        audio=audio_of(message.get("audio"), sound_format(call)),
    )


def _thinks(choice: Any) -> bool:
    message = choice.get("message") if isinstance(choice, dict) else None
    return isinstance(message, dict) and bool(delta_thoughts(message) or isinstance(message.get("content"), list))


def choice_error(decoded: Any) -> Any:
    """The error in the choice of an answer, or what stands for one where its generation failed without a word."""
    choices = decoded.get("choices") if isinstance(decoded, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict):
        verdicts = decoded.get("prompt_filter_results") if choices == [] else None
        results = [it.get("content_filter_results") for it in verdicts or () if isinstance(it, dict)]
        return REFUSED if any(map(is_filtered, results)) else None
    return first.get("error") or (FAILED if first.get("finish_reason") == "error" else None)


def is_filtered(results: Any) -> bool:
    """Whether the verdicts of a filter say that it took something away."""
    return isinstance(results, dict) and any(isinstance(it, dict) and it.get("filtered") for it in results.values())


def sound_format(call: Call) -> Any:
    """The format of sounds that the request asks for."""
    asked = call.args.get("audio")
    return asked.get("format") if isinstance(asked, dict) else None


def sound_parts(call: Call, sounds: Sequence[Audio]) -> list[dict[str, Any]]:
    """What the next turn says in place of a sound, so that the model knows its own voice."""
    return [
        reasoning_part(
            call.spec,
            SOUND,
            {"id": sound.id, "expires_at": sound.expires_at, "transcript": sound.transcript},
            is_kept=True,
        )
        for sound in sounds
        if sound.id
    ]


def tool_calls(call: Call, message: dict[str, Any]) -> list[ToolCall]:
    """The tool calls of a message; ids that are missing are numbered."""
    found = message.get("tool_calls")
    if found is None or found == []:
        legacy = message.get("function_call")
        found = [{"function": legacy}] if isinstance(legacy, dict) and legacy.get("name") else []
    if not isinstance(found, list):
        raise shape_error(call, f"`tool_calls` is {kind_of(found)}, not a list")
    result = []
    for place, item in enumerate(found):
        function = item.get("function", item.get("custom")) if isinstance(item, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise shape_error(call, f"`tool_calls[{place}]` names no function")
        arguments = arguments_text(function.get("arguments", function.get("input")))
        named = name_or_none(call, item.get("id"), f"`tool_calls[{place}].id`") or f"call_{place}"
        made = ToolCall(named, function["name"], arguments or "{}")
        if "function" not in item:
            made.type, made.arguments = "custom", arguments
        result.append(made)
    return result


def read_content(call: Call, content: Any) -> tuple[str, str, list[LLMImage]]:
    """(text, thoughts, images) of a message's content, which is text, nothing, or a list of parts."""
    if content is None:
        return "", "", []
    if isinstance(content, str):
        return content, "", []
    if not isinstance(content, list):
        raise shape_error(call, f"`content` is {kind_of(content)}, neither text nor parts")
    text: list[str] = []
    thoughts: list[str] = []
    images: list[Any] = []
    for part in content:
        if not isinstance(part, dict):
            raise shape_error(call, f"a part of `content` is {kind_of(part)}, not an object")
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            thoughts.append(inner if isinstance(inner, str) else read_content(call, inner)[0])
        elif isinstance(part.get("text"), str):
            text.append(part["text"])
        elif part.get("type") == "image_url":
            images.append(part)
    return "".join(text), "".join(thoughts), read_images(call, images)


def read_images(call: Call, items: Any) -> list[LLMImage]:
    """Images in the shapes of providers; ResponseShapeError for what is none."""
    if not items:
        return []
    if not isinstance(items, list):
        raise shape_error(call, f"the images are {kind_of(items)}, not a list")
    from urllib.parse import urlsplit

    from heavenbase.errors import InputError
    from heavenbase.image import LLMImage

    # A server of the user's own answers with URLs of its own, which are as trusted as it is.
    own = urlsplit(call.spec.base_url or "").netloc.rpartition("@")[2]
    images = []
    for place, item in enumerate(items):
        try:
            images.append(LLMImage.from_provider_item(item, allow_hosts=(own,) if own else ()))
        except InputError as error:
            raise shape_error(call, f"image {place} of the answer cannot be read: {error}") from None
    return images


def delta_thoughts(delta: dict[str, Any]) -> str:
    """The thoughts in a message or a piece of one, whatever the provider calls them."""
    found = delta.get("reasoning_content") or delta.get("reasoning")
    if found and isinstance(found, str):
        return found
    details = delta.get("reasoning_details")
    if not isinstance(details, list):
        return ""
    pieces = [item.get("text") or item.get("summary") for item in details if isinstance(item, dict)]
    return "".join(piece for piece in pieces if isinstance(piece, str))


def in_order(choices: list[Any]) -> list[dict[str, Any]]:
    """The choices by their numbers; they stand in any order."""
    found = [choice for choice in choices if isinstance(choice, dict)] or [{}]
    return sorted(found, key=lambda choice: _number(choice, 0)) if len(found) > 1 else found


def _number(choice: dict[str, Any], place: int) -> int:
    index = whole_or_none(choice.get("index"))
    return place if index is None else index
