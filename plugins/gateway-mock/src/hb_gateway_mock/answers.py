"""What a script says, as the normalised pieces that the kernel reads. Pure: no clock, no sleep, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from hb_gateway_mock.failures import failure
from heavenbase.details import Details
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.types import Chunk, FinishReason, ToolCall, ToolCallDelta, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_gateway_mock.options import Script
    from heavenbase.call import Call
    from heavenbase.image import LLMImage
    from heavenbase.types import Message

TEXT = "mock response"
DIM = 3
DETAILS = ("citations", "logprobs", "filters", "audio")
CHUNK_KEYS = ("text", "think", "tool_calls", "error")
_BUCKETS = {"prompt_tokens": "input", "completion_tokens": "output", "input_tokens": "input", "output_tokens": "output"}


def chunks(script: Script, call: Call) -> Iterator[Chunk]:
    """The chunks of a chat, the last one with finish reason and usage; raises the script's error where it stands."""
    if script.fails_at_once:
        raise failure(script.error, call)
    calls = _tool_calls(script.tool_calls) if not _answered(call.messages) else []
    thinking = call.args.get("think") is not False
    reason = _finish_reason(script, bool(calls))
    said: list[str] = []
    thought: list[str] = []
    for chunk in _pieces(script, call, calls, thinking):
        said.append(chunk.text)
        thought.append(chunk.reasoning)
        reason = chunk.finish_reason or reason
        if chunk != Chunk(raw=chunk.raw):
            yield chunk
    if script.error is not None:
        raise failure(script.error, call)
    yield Chunk(
        finish_reason=reason,
        raw_finish_reason=reason,
        usage=usage(script, call, "".join(said), "".join(thought)),
        id="mock",
        model=call.spec.model_id,
        details=_details(script.details) if script.details else None,
        raw={"finish_reason": reason},
    )


def _details(given: Mapping[str, Any]) -> Details:
    """The details of an answer, from lists of records or of mappings."""
    for name in given:
        if name not in DETAILS:
            raise UnknownNameError("detail of a mock", name, DETAILS)
    plain = {name: [getattr(it, "to_dict", lambda it=it: it)() for it in items] for name, items in given.items()}
    return Details.from_dict(plain)


def _pieces(script: Script, call: Call, calls: list[ToolCall], thinking: bool) -> Iterator[Chunk]:
    if script.chunks is not None:
        for item in script.chunks:
            yield _chunk(item, call, thinking)
    else:
        for piece in _cut(script.think if thinking else "", script.chunk_chars):
            yield Chunk(reasoning=piece, raw={"reasoning": piece})
        for piece in _cut(_text(script, bool(calls)), script.chunk_chars):
            yield Chunk(text=piece, raw={"text": piece})
    for index, made in enumerate(calls):
        first, *rest = _cut(made.arguments, script.chunk_chars) or [""]
        yield Chunk(tool_calls=[ToolCallDelta(index, made.id, made.name, first)], raw={"tool_call": made.to_dict()})
        for piece in rest:
            yield Chunk(tool_calls=[ToolCallDelta(index, arguments=piece)])


def _chunk(item: Any, call: Call, thinking: bool) -> Chunk:
    if isinstance(item, Chunk):
        return item
    if isinstance(item, str):
        return Chunk(text=item, raw={"text": item})
    if isinstance(item, BaseException) or (isinstance(item, type) and issubclass(item, BaseException)):
        raise failure(item, call)
    if not isinstance(item, Mapping):
        raise InputTypeError(f"a chunk of the mock is a str, a mapping or an exception, not {type(item).__name__}")
    for key in item:
        if key not in CHUNK_KEYS:
            raise UnknownNameError("key of a mock chunk", key, CHUNK_KEYS)
    if item.get("error") is not None:
        raise failure(item["error"], call)
    deltas = [
        ToolCallDelta(index, made.id, made.name, made.arguments)
        for index, made in enumerate(_tool_calls(item.get("tool_calls") or ()))
    ]
    return Chunk(
        text=item.get("text") or "",
        reasoning=(item.get("think") or "") if thinking else "",
        tool_calls=deltas or None,
        raw=dict(item),
    )


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _text(script: Script, calls: bool) -> str:
    if script.text is not None:
        return script.text
    if script.structured is not None:
        return dumps(script.structured)
    return "" if calls else TEXT


def dumps(value: Any) -> str:
    """A structured answer as the JSON text that a model would have written."""
    if hasattr(value, "model_dump_json"):
        return str(value.model_dump_json())
    import json

    try:
        return json.dumps(value, ensure_ascii=False, default=dict)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"the mock cannot write {type(value).__name__} as JSON: {error}") from error


def _finish_reason(script: Script, calls: bool) -> FinishReason:
    if script.finish_reason is None:
        return "tool_calls" if calls else "stop"
    known: tuple[FinishReason, ...] = get_args(FinishReason)
    for reason in known:
        if reason == script.finish_reason:
            return reason
    raise UnknownNameError("finish reason", script.finish_reason, known)


def _answered(messages: list[Message]) -> bool:
    """Whether a tool's result came after the last word of the user: then the mock talks instead of calling again."""
    for message in reversed(messages):
        if message["role"] == "user":
            return False
        if message["role"] == "tool":
            return True
    return False


def _tool_calls(source: Any) -> list[ToolCall]:
    if not isinstance(source, Mapping | ToolCall | list | tuple):
        raise InputTypeError(f"mock tool_calls must be a list of mappings, not {type(source).__name__}")
    items = [source] if isinstance(source, Mapping | ToolCall) else source
    return [_tool_call(item, place) for place, item in enumerate(items)]


def _tool_call(item: Any, place: int) -> ToolCall:
    if isinstance(item, ToolCall):
        return item
    if not isinstance(item, Mapping):
        raise InputTypeError(f"a tool call of the mock is a mapping, not {type(item).__name__}")
    function = item.get("function", item)
    if isinstance(function, str):
        function = {"name": function, "arguments": item.get("arguments")}
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        raise InputError(f"tool call {place} of the mock has no name")
    if not isinstance(arguments, str):
        arguments = dumps(arguments if arguments is not None else {})
    return ToolCall(str(item.get("id") or f"call_{place}"), name, arguments)


# Usage


def usage(script: Script, call: Call, text: str | None = None, thought: str = "") -> Usage:
    """The script's usage, or words counted as tokens; without a text there is no output."""
    given = script.usage
    if given is None:
        output = words(text) if text is not None else None
        return Usage(_input_words(call), output, reasoning=words(thought) if thought else None)
    if isinstance(given, Usage):
        return replace(given)
    if not isinstance(given, Mapping):
        raise InputTypeError(f"mock usage must be a mapping, not {type(given).__name__}")
    known = [name for name in Usage.__dataclass_fields__ if name != "_"]
    found: dict[str, Any] = {}
    for name, value in given.items():
        bucket = _BUCKETS.get(name, name)
        if bucket in known:
            found[bucket] = value
        elif name != "total_tokens":
            raise UnknownNameError("bucket of mock usage", name, [*_BUCKETS, *known])
    return Usage(**found)


def words(text: str) -> int:
    """The number of words of a text."""
    return len(text.split())


def _input_words(call: Call) -> int:
    if call.verb == "embed":
        return sum(map(words, call.inputs))
    if call.verb == "imagen":
        return words(call.prompt)
    return sum(words(part) for message in call.messages for part in _texts(message.get("content")))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if isinstance(part.get("text"), str)]


# Vectors and images


def vectors(script: Script, call: Call) -> list[list[float]]:
    """One vector per input: those of the script, or [characters, place in the batch, 1.0] padded or cut."""
    given = script.embeddings
    if given is None:
        dim = script.embed_dim or call.args.get("dimensions") or call.controls.get("dim") or call.spec.dim or DIM
        return [
            [float(len(text)), float(place), 1.0, *[0.0] * (dim - DIM)][:dim] for place, text in enumerate(call.inputs)
        ]
    if isinstance(given, Mapping):
        missing = next((text for text in call.inputs if text not in given), None)
        if missing is not None:
            raise InputError(f"mock embeddings have no vector for {missing[:40]!r}")
        return [_vector(given[text]) for text in call.inputs]
    rows = list(given)
    if not rows:
        raise InputError("mock embeddings are empty")
    if all(isinstance(value, int | float) for value in rows):
        rows = [rows]
    return [_vector(rows[place % len(rows)]) for place in range(len(call.inputs))]


def _vector(row: Any) -> list[float]:
    try:
        return [float(value) for value in row]
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"a vector of the mock is a list of numbers, not {type(row).__name__}") from error


def images(script: Script, call: Call) -> list[LLMImage]:
    """The images of the script, or `n` small pictures that follow from prompt, seed and place."""
    from heavenbase.image import LLMImage, make_picture

    text = script.image_text if script.image_text is not None else call.prompt
    if script.b64_json is not None:
        given = script.b64_json if isinstance(script.b64_json, list | tuple) else [script.b64_json]
        return [_image(LLMImage, data, text) for data in given]
    seed = script.seed if script.seed is not None else call.args.get("seed")
    count = call.args.get("n", 1)
    return [
        LLMImage.from_bytes(make_picture(f"{text}\n{seed}\n{place}"), "png", revised_prompt=text)
        for place in range(count)
    ]


def _image(cls: type[LLMImage], data: Any, text: str) -> LLMImage:
    # Text is base64 and nothing else: a path among the options of a mock would be a mistake.
    if isinstance(data, str):
        return cls.from_b64(data, revised_prompt=text)
    return cls.from_any(data, revised_prompt=text)
