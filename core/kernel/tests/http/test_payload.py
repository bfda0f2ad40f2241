"""JSON of requests and answers: valid on the way out, checked on the way in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.errors import InputError, InputTypeError, ResponseDecodeError
from heavenbase.http.payload import _decode_slowly, decode_json, encode_json

both_ways = pytest.mark.parametrize("decode", [decode_json, _decode_slowly], ids=["fast", "standard library"])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert decode_json(encode_json(value)) == value


def test_text_leaves_as_utf8() -> None:
    assert encode_json({"a": "ü€😀"}) == '{"a":"ü€😀"}'.encode()


def test_a_lone_surrogate_leaves_as_an_escape() -> None:
    assert encode_json({"a": "ü\ud800"}) == b'{"a":"\\u00fc\\ud800"}'


def test_objects_that_can_be_plain_data_are() -> None:
    class Model:
        def model_dump(self) -> dict[str, int]:
            return {"x": 1}

    assert json.loads(encode_json([Model(), (1, 2), {3}])) == [{"x": 1}, [1, 2], [3]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_lacks_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="cannot be written as JSON"):
        encode_json({"temperature": value})


def test_other_objects_are_refused_by_name() -> None:
    with pytest.raises(InputTypeError, match="a object cannot be sent as JSON"):
        encode_json({"x": object()})


def test_a_cycle_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InputError):
        encode_json(loop)


@both_ways
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a":',
        b'{"a": 1} x',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": [-1E+999]}',
        b'{"a": "caf\xe9"}',
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 300 + b"]" * 300,
        b'{"a":' * 100_000,
        b'{"a": "\\ud800", "b": NaN}',
    ],
)
def test_hostile_json_is_a_decode_error(decode: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        decode(body)
    assert caught.value.maybe_billed
    assert caught.value.retryable


@pytest.mark.parametrize("digits", [210, 250, 299, 309])
@pytest.mark.parametrize("size", [0, 5000, 100_000])
@pytest.mark.parametrize("number", ["%se99", "-%s.5E+99", "%se0000400", "%se400"])
def test_a_number_too_large_for_a_float_is_found_wherever_it_stands(number: str, size: int, digits: int) -> None:
    for place in range(0, 110, 3):
        body = f'{{"x": "{"p" * (size + place)}", "usage": [{number % ("9" * digits)}]}}'
        with pytest.raises(ResponseDecodeError, match="not finite"):
            decode_json(body.encode())


@both_ways
@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"half \\ud800 pair"', "half \ufffd pair"),
        (b'"\\ude00\\\\ud800"', "\ufffd\\ud800"),
        (b'"a \\u0000 b"', "a \0 b"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"id": "7e123", "a": 1e10, "b": 1E-400}', {"id": "7e123", "a": 1e10, "b": 0.0}),
        (b"[" * 150 + b"]" * 150, None),
    ],
    ids=["high surrogate", "low surrogate", "nul", "pair", "byte order mark", "exponents", "depth 150"],
)
def test_odd_but_valid_json_is_read(decode: Callable[[bytes], Any], body: bytes, value: Any) -> None:
    decoded = decode(body)
    if value is not None:
        assert decoded == value


def test_a_web_page_in_place_of_an_answer_is_told_as_one() -> None:
    for page in (b"<!doctype html><title>nginx</title>", b"\n  <html>\\u00e9</html>"):
        with pytest.raises(ResponseDecodeError, match="not JSON: it is a web page; is base_url right"):
            decode_json(page)
