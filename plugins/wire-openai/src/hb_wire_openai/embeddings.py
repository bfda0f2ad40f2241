"""Embedding requests and answers of the OpenAI wire. Pure.

Vectors travel as base64 of 32-bit floats where the provider has that: a third of the bytes, and no number is parsed.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from math import isfinite
from typing import TYPE_CHECKING, Any

from hb_wire_openai.usage import chat_usage
from heavenbase.http import EXTRAS, apply_rules, as_list, as_object, shape_error, text_or_none, whole_or_none
from heavenbase.options import KNOWN
from heavenbase.types import Embedding
from heavenbase.vector import Vector
from heavenbase.wires import read_vector, read_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavenbase.call import Call

_FIELDS = frozenset({"dimensions", "encoding_format", "user", "input_type", "truncate", "task", "output_dtype"})


def embedding_fields(call: Call) -> dict[str, Any]:
    """The fields of the request beside model and input. What hb knows as options of other calls is left out."""
    report = call.context.report
    wire: dict[str, Any] = {}
    for name, value in call.args.items():
        if name in EXTRAS:
            continue
        if name in _FIELDS or (name in call.explicit and name not in KNOWN):
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
    data = as_list(call, decoded.get("data") if isinstance(decoded, dict) else None, "`data`")
    rows = _ordered(call, data)
    vectors = read_vectors(call, rows, "data", lambda row, place: _vector(call, row.get("embedding"), place))
    return Embedding(
        vectors,
        usage=chat_usage(decoded.get("usage")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def _ordered(call: Call, data: list[Any]) -> list[dict[str, Any]]:
    """The rows in the order of the inputs, which their indexes tell."""
    rows: list[dict[str, Any] | None] = [None] * len(call.inputs)
    for place, row in enumerate(data):
        index = as_object(call, row, f"`data[{place}]`").get("index", place)
        if whole_or_none(index) is None or not 0 <= index < len(rows) or rows[index] is not None:
            raise shape_error(call, f"`data[{place}]` has the index {str(index)[:40]!r} among {len(rows)} inputs")
        rows[index] = row
    return [row for row in rows if row is not None]


def _vector(call: Call, value: Any, place: int) -> Sequence[float]:
    where = f"`data[{place}].embedding`"
    return _unpacked(call, value, where) if isinstance(value, str) else read_vector(call, value, where)


def _unpacked(call: Call, text: str, where: str) -> Vector:
    try:
        data = a2b_base64(text)
        vector = Vector.from_float32(data)
    except (Base64Error, ValueError):
        raise shape_error(call, f"{where} is not base64 of 32-bit floats") from None
    # The last of four bytes is 127 or 255 in every infinity and NaN, and in no number that an embedding has.
    tops = data[3::4]
    if not vector or ((b"\x7f" in tops or b"\xff" in tops) and not isfinite(sum(vector))):
        raise shape_error(call, f"{where} is empty, or has a number that is not finite")
    return vector
