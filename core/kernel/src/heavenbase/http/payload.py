"""JSON to and from bytes: what leaves is valid, what comes is checked for depth, numbers, encoding and shape."""

from __future__ import annotations

import json
import re
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from heavenbase.errors import HBError, InputError, InputTypeError, ResponseDecodeError, ResponseShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from heavenbase.call import Call, WireRequest

E = TypeVar("E", bound=HBError)

DEPTH_LIMIT = 200
_BOM = b"\xef\xbb\xbf"

# A number can only be too large for a float with an exponent of three digits and its end, which ids of hexadecimal
# digits have not; both patterns begin with a literal, which lets the search skip at memchr speed. An event has hardly
# ever anything like it, which a table for bytes tells in half the time: digits become 0, what may stand before them e.
_LARGE, _LARGE_UPPER = (re.compile(e + rb"\+?[0-9]{3,}(?:[\s,}\]]|$)") for e in (b"e", b"E"))
_EVENT = 4096
"""Bytes up to which an answer is looked over so, as one event is."""
_LIKE_LARGE = bytes.maketrans(b"E+123456789", b"ee000000000")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_ARGUMENTS = re.compile(rb'"(?:arg(?:ument)?s|input)"\s*:\s*\{\s*"')
"""Where arguments of a tool stand as an object: in text they are read later, and more strictly."""
# So is one of two hundred and ten digits with an exponent of two; three of them are met at steps of 69. Larger bodies
# are vectors and pictures, whose readers look at every number.
_LONG, _STEP, _DIGITS = b"0" * 210, 69, re.compile(rb"[0-9]{3}")
_VAST = 1024 * 1024


def encode_json(value: Any) -> bytes:
    """Compact JSON as UTF-8; lone surrogates travel as escapes.

    Objects with `model_dump` or `to_dict` become what these return. InputError for NaN, infinity and cycles,
    InputTypeError for anything else that JSON has no form for.
    """
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        failure = InputError(f"the request cannot be written as JSON: {error}")
    raise failure


def request_content(request: WireRequest) -> Any:
    """The body of a request as it travels; None for one without."""
    if request.content is not None:
        return request.content
    return encode_json(request.body) if request.body or request.method == "POST" else None


def decode_json(body: bytes, *, has_calls: bool = True) -> Any:
    """The decoded JSON; ResponseDecodeError for anything else, NaN, infinities and nesting deeper than 200.

    Half a surrogate pair becomes U+FFFD. An object with a name twice in arguments of a tool is `Repeated`, where the
    answer may have such (`has_calls`).
    """
    try:
        value = _decoder()(body, allow_inf_nan=False)
    except ValueError as error:
        # It refuses lone surrogates, which are valid JSON escapes, and a byte order mark.
        reason = None if b"\\u" in body or body.startswith(_BOM) else str(error)
        if body[:256].lstrip().startswith(b"<"):
            reason = "it is a web page; is base_url right?"
    else:
        if len(body) > _EVENT:
            is_long, may_be = len(body) < _VAST and bool(_DIGITS.search(body[::_STEP])), True
        else:
            like = body.translate(_LIKE_LARGE)
            is_long, may_be = like.find(_LONG) >= 0, like.find(b"e000") >= 0
        if is_long or (may_be and (_LARGE.search(body) or _LARGE_UPPER.search(body))):
            _check_finite(value)
        # Its beginnings are found in a tenth of the time; `in` would ask first whether they are numbers.
        if has_calls and (body.find(b'"arg') >= 0 or body.find(b'"input"') >= 0) and _ARGUMENTS.search(body):
            return _with_repeated(body, value)
        return value
    return _decode_slowly(body) if reason is None else _refused(reason)


@cache
def _decoder() -> Callable[..., Any]:
    import pydantic_core  # 20 ms that making a request does not need

    return pydantic_core.from_json


class Repeated(dict[str, Any]):
    """A decoded object in which a name stands twice: the last value counts, and as JSON it is written as it came."""

    def __init__(self, pairs: Iterable[tuple[str, Any]] = ()) -> None:
        self.pairs = list(pairs)
        super().__init__(self.pairs)

    def items(self) -> Any:
        """All pairs as they came, which is what the JSON encoder asks for."""
        return self.pairs

    def __reduce__(self) -> Any:
        return Repeated, (self.pairs,)


def _with_repeated(body: bytes, value: Any) -> Any:
    try:
        return json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError):  # a number of thousands of digits: the first decoder has read it
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def json_or_none(body: bytes) -> Any:
    """The decoded JSON, None for what is none, for bodies that may be anything."""
    try:
        return decode_json(body)
    except ResponseDecodeError:
        return None


def _decode_slowly(body: bytes) -> Any:
    try:
        text = _ESCAPE.sub(_whole_characters, body.decode("utf-8-sig"))
        hook = _object if _ARGUMENTS.search(body) else None
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=hook)
    except UnicodeDecodeError:
        reason = "invalid UTF-8"
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "nested too deeply"
    else:
        _check_finite(value)
        return value
    return _refused(reason)


def _refused(reason: str) -> NoReturn:
    # Raised away from the decoder's error, which holds the whole body and would be attached.
    raise ResponseDecodeError(f"the answer is not JSON: {reason}", maybe_billed=True)


def _whole_characters(escape: re.Match[str]) -> str:
    # Half a surrogate pair is no character: nobody could print, log or encode the text that holds it.
    return "\\ufffd" if escape["half"] else escape[0]


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _check_finite(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_LIMIT + 1):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, float) and (item != item or item in (float("inf"), float("-inf"))):
                raise ResponseDecodeError("the answer has a number that is not finite", maybe_billed=True)
        if not deeper:
            return
        level = deeper
    raise ResponseDecodeError(f"nested deeper than {DEPTH_LIMIT}", maybe_billed=True)


def _plain(value: Any) -> Any:
    for name in ("model_dump", "to_dict"):
        convert = getattr(value, name, None)
        if callable(convert) and not isinstance(value, type):
            return convert()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return dict(value)
    raise InputTypeError(f"a {type(value).__name__} cannot be sent as JSON; pass plain data")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode
_encode_ascii = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_plain).encode


# What came


def text_or_none(value: Any) -> str | None:
    """A string with something in it, else None."""
    return value if isinstance(value, str) and value else None


def whole_or_none(value: Any) -> int | None:
    """A whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number_or_none(value: Any) -> float | None:
    """A number, else None: for one, too, that is too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def name_or_none(call: Call, value: Any, what: str) -> str | None:
    """What a provider calls something: text, or a number as text; None for none, ResponseShapeError for the rest."""
    if value is None or value == "":
        return None
    return str(value) if whole_or_none(value) is not None else as_text(call, value, what)


def shape_error(call: Call, what: str) -> ResponseShapeError:
    """The error for an answer of the wrong shape; `what` says in words what is wrong with it."""
    return answer_error(ResponseShapeError, call, what)


def answer_error(kind: type[E], call: Call, what: str, **facts: Any) -> E:
    """An error about an answer that came, and so may be billed."""
    spec = call.spec
    return kind(f"{call.target}: {what}", provider=spec.provider, model=spec.model_id, maybe_billed=True, **facts)


def as_object(call: Call, value: Any, what: str) -> dict[str, Any]:
    """The value, which is an object; ResponseShapeError when it is none."""
    if not isinstance(value, dict):
        raise shape_error(call, f"{what} is {kind_of(value)}, not an object")
    return value


def as_text(call: Call, value: Any, what: str) -> str:
    """The value, which is text, or "" for none; ResponseShapeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise shape_error(call, f"{what} is {kind_of(value)}, not text")
    return value


def as_list(call: Call, value: Any, what: str, kind: str = "a list") -> list[Any]:
    """The value, which is a list; ResponseShapeError when it is none."""
    if not isinstance(value, list):
        raise shape_error(call, f"{what} is {kind_of(value)}, not {kind}")
    return value


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    if value is None:
        return "missing"
    if value == []:
        return "an empty list"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")
