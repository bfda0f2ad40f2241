"""Kinds of broken answers that were mended, each by an example of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from hb_testing.conformance.colours import COLOURS
from hb_testing.conformance.rig import Rig
from hb_testing.server import Answer, Reply, Stream
from heavenbase.errors import HBError, RequestRejected, ResponseDecodeError, ResponseShapeError, StreamInterrupted
from heavenbase.http.attempt import HTTPAttempt
from heavenbase.http.payload import decode_json
from tests.fuzz.wires import STRIKE, WIRES, Desk, Wire

NAMED = {wire.name: wire for wire in WIRES}
EVERY = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
OPENAI = pytest.mark.parametrize("wire", [NAMED["openai"], NAMED["mistral"]], ids=lambda wire: wire.name)


@pytest.fixture(params=sorted(COLOURS))
def rig(wire: Wire, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield stack.enter_context(wire.rig(stack.enter_context(closing(COLOURS[request.param]())), "chat"))


def error_of(rig: Rig, verb: str, answer: Answer) -> HBError:
    Desk.answer = answer
    return rig.error(verb, STRIKE)


def events(*deltas: Any) -> Stream:
    said = [json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() for delta in deltas]
    return Stream([], [b"data: " + event + b"\n\n" for event in said], [b"data: [DONE]\n\n"])


@pytest.mark.parametrize(
    "call",
    [
        {"id": {"a": 1}, "function": {"name": "f"}},
        {"id": "1", "function": [{}]},
        {"id": ["x"], "function": {}},
        7,
        ["f"],
    ],
    ids=repr,
)
@OPENAI
def test_b14_a_tool_call_of_other_types_is_of_no_known_form(rig: Rig, call: Any) -> None:
    assert type(error_of(rig, "stream", events({"tool_calls": [call]}))) is ResponseShapeError
    interrupted = error_of(rig, "stream", events({"content": "so"}, {"tool_calls": [call]}))
    assert type(interrupted) is StreamInterrupted
    assert type(interrupted.__cause__) is ResponseShapeError
    answer = {"choices": [{"finish_reason": "tool_calls", "message": {"tool_calls": [call]}}]}
    assert type(error_of(rig, "chat", Reply(body=answer))) is ResponseShapeError


@OPENAI
def test_b14_a_number_names_a_tool_call_as_text_does(rig: Rig) -> None:
    call = {"id": 7, "function": {"name": "f", "arguments": "{}"}}
    Desk.answer = Reply(body={"choices": [{"finish_reason": "tool_calls", "message": {"tool_calls": [call]}}]})
    assert rig.call("chat", STRIKE).tool_calls[0].id == "7"


@EVERY
def test_b14_what_is_no_character_is_shown_as_such_in_errors(rig: Rig) -> None:
    body = (
        b'{"error": {"message": "no \\ud800", "code": "\\udfff", "status": 400}, "message": "no \\ud800", "type": "x"}'
    )
    error = error_of(rig, "chat", Reply(status=400, body=body))
    assert isinstance(error, RequestRejected)
    str(error).encode()
    str(error.code).encode()


@EVERY
def test_b14_a_refusal_that_is_no_utf8_is_that_refusal(rig: Rig) -> None:
    error = error_of(rig, "chat", Reply(status=400, body=b'{"error\xff": {"code": 400, "message": "no"}}'))
    assert isinstance(error, RequestRejected)
    assert error.status == 400


@pytest.mark.parametrize("number", [b"1e400", b"9" * 400 + b".5", b"9" * 330 + b"e1", b"-" + b"9" * 300 + b"E10"])
def test_b3_b14_a_number_beyond_floats_is_no_json(number: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        decode_json(b'{"a": [%b]}' % number)
    assert decode_json(b'{"a": %b}' % (b"9" * 400)) == {"a": int("9" * 400)}


@EVERY
def test_b14_a_reader_that_fails_is_told_as_an_answer_of_no_known_form(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for readers of others: what they raise is no error of hb."""
    attempt: type[HTTPAttempt] = type(rig.gateway.attempt(rig.make_call("complete")))  # type: ignore[attr-defined]

    def completion(self: HTTPAttempt, decoded: Any) -> Any:
        return decoded["nothing of this name"]

    monkeypatch.setattr(attempt, "completion", completion)
    Desk.answer = None
    error = rig.error("chat")
    assert type(error) is ResponseShapeError
    assert "KeyError in completion" in str(error)
    assert error.body
