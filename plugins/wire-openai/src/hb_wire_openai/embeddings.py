"""Embedding requests and answers of the OpenAI wire. Pure.

Vectors travel as base64 of 32-bit floats where the provider has that: a third of the bytes, and no number is parsed.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from math import isfinite
from typing import TYPE_CHECKING, Any

from hb_wire_openai.usage import chat_usage
from heavenbase.call import REASONING
from heavenbase.http.extras import EXTRAS
from heavenbase.http.rules import apply_rules
from heavenbase.http.shapes import shape_error, text_or_none
from heavenbase.types import Embedding
from heavenbase.vector import Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavenbase.call import Call

_FIELDS = frozenset({"dimensions", "encoding_format", "user", "input_type", "truncate", "task", "output_dtype"})
_CHAT_ONLY = frozenset(
    {"temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice"}
    | {"response_format", "parallel_tool_calls", "presence_penalty", "frequency_penalty", "logprobs", "n"}
)


def embedding_fields(call: Call) -> dict[str, Any]:
    """The fields of the request beside model and input. Our own defaults for chats are left out."""
    report = call.context.report
    wire: dict[str, Any] = {}
    for name, value in call.args.items():
        if name in EXTRAS:
            continue
        if name in _FIELDS or (name in call.explicit and name not in _CHAT_ONLY and name not in REASONING):
            wire[name] = value
            report.sent(name)
        else:
            report.dropped(name, "embeddings have no such parameter")
    apply_rules(call.spec, wire, report)
    if "encoding_format" not in wire and call.spec.capability("embedding_base64") is not False:
        wire["encoding_format"] = "base64"
    extra = call.args.get("extra_body")
    if extra:
        report.sent("extra_body")
        wire.update(extra)
    return wire


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    data = decoded.get("data") if isinstance(decoded, dict) else None
    if not isinstance(data, list):
        raise shape_error(call, "the answer has no list `data`")
    wanted = len(call.inputs)
    vectors: list[Sequence[float] | None] = [None] * wanted
    for place, item in enumerate(data):
        if not isinstance(item, dict):
            raise shape_error(call, f"`data[{place}]` is no object")
        index = item.get("index", place)
        if not isinstance(index, int) or not 0 <= index < wanted or vectors[index] is not None:
            raise shape_error(call, f"`data[{place}]` has the index {str(index)[:40]!r} among {wanted} inputs")
        vectors[index] = _vector(call, item.get("embedding"), place)
    found = [vector for vector in vectors if vector is not None]
    if len(found) != wanted:
        raise shape_error(call, f"{wanted} inputs got {len(found)} vectors")
    if len({len(vector) for vector in found}) > 1:
        raise shape_error(call, "the vectors differ in length")
    return Embedding(
        found,
        usage=chat_usage(decoded.get("usage")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def _vector(call: Call, value: Any, place: int) -> Sequence[float]:
    if isinstance(value, str):
        return _unpacked(call, value, place)
    if not isinstance(value, list):
        raise shape_error(call, f"`data[{place}].embedding` is {type(value).__name__}")
    vector = value if all(type(number) is float for number in value) else _floats(call, value, place)
    return _checked(call, vector, place)


def _unpacked(call: Call, text: str, place: int) -> Vector:
    try:
        data = a2b_base64(text)
        vector = Vector.from_float32(data)
    except (Base64Error, ValueError):
        raise shape_error(call, f"`data[{place}].embedding` is not base64 of 32-bit floats") from None
    # The last of four bytes is 127 or 255 in every infinity and NaN, and in no number that an embedding has.
    tops = data[3::4]
    if not vector or b"\x7f" in tops or b"\xff" in tops:
        _checked(call, vector, place)
    return vector


def _checked(call: Call, vector: Sequence[float], place: int) -> Sequence[float]:
    if not vector:
        raise shape_error(call, f"`data[{place}].embedding` is empty")
    # The sum is not finite when any number is not, and is had sooner than a look at each.
    if not isfinite(sum(vector)):
        raise shape_error(call, f"`data[{place}].embedding` has a number that is not finite")
    return vector


def _floats(call: Call, value: list[Any], place: int) -> list[float]:
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in value):
        raise shape_error(call, f"`data[{place}].embedding` holds something else than numbers")
    return [float(number) for number in value]
