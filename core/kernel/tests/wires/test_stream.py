"""The state of a streamed answer: what is shown, what is hidden, and the end that must be proved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.errors import HBError, Overloaded, ResponseDecodeError, ResponseShapeError, StreamTruncated
from heavenbase.types import Chunk, ToolCall, ToolCallDelta
from heavenbase.wires import StreamedAnswer


class Words(StreamedAnswer):
    """A wire of events with text, thoughts, the names of called tools, and an end."""

    __slots__ = ()
    ending = "its last word"

    def read(self, event: dict[str, Any]) -> Chunk | None:
        if event.get("ping"):
            return None
        self.is_finished = bool(event.get("end"))
        calls = [ToolCall("", name) for name in event.get("calls", ())]
        return self.say(Chunk(), text=event.get("text", ""), thoughts=event.get("thoughts", ""), calls=calls)


def held(decoded: Any) -> HBError | None:
    return Overloaded("busy") if isinstance(decoded, dict) and "error" in decoded else None


@pytest.fixture
def make(make_call: Callable[..., Call]) -> Callable[..., Words]:
    return lambda is_hidden=False: Words(make_call(), is_hidden, held)


def test_text_thoughts_and_calls_come_as_they_are_said_and_calls_are_numbered_on(make: Callable[..., Words]) -> None:
    stream = make()
    chunk = stream.feed(b'{"text":"a","thoughts":"b","calls":["x","y"]}')
    assert chunk is not None
    assert (chunk.text, chunk.reasoning, chunk.raw["text"]) == ("a", "b", "a")
    assert chunk.tool_calls == [ToolCallDelta(0, "", "x", "{}"), ToolCallDelta(1, "", "y", "{}")]
    later = stream.feed(b'{"calls":["z"]}')
    assert later is not None
    assert later.tool_calls == [ToolCallDelta(2, "", "z", "{}")]


def test_a_hidden_thought_is_not_in_the_chunk_and_counts_as_shown(make: Callable[..., Words]) -> None:
    stream = make(is_hidden=True)
    chunk = stream.feed(b'{"thoughts":"b"}')
    assert chunk is not None
    assert chunk.reasoning == ""
    assert stream.is_fresh
    assert stream.feed(b'{"ping":true}') is None
    assert (stream.is_fresh, stream.showed) == (False, True)


def test_an_end_that_was_proved_is_quiet(make: Callable[..., Words]) -> None:
    stream = make()
    stream.feed(b'{"text":"a","end":true}')
    assert stream.end() is None


@pytest.mark.parametrize("shown", [True, False])
def test_a_stream_without_its_end_is_truncated_and_may_be_tried_again_while_nothing_was_shown(
    make: Callable[..., Words], shown: bool
) -> None:
    stream = make()
    stream.feed(b'{"text":"a"}' if shown else b'{"ping":true}')
    with pytest.raises(StreamTruncated, match="ended without its last word") as caught:
        stream.end()
    assert caught.value.retryable is not shown
    assert caught.value.maybe_billed


def test_a_stream_without_a_single_event_is_empty(make: Callable[..., Words]) -> None:
    with pytest.raises(ResponseDecodeError, match="the stream is empty"):
        make().end()


def test_a_terminal_marker_ends_the_reading_and_proves_nothing(make: Callable[..., Words]) -> None:
    stream = make()
    assert stream.feed(b"[DONE]") is None
    assert not stream.is_done
    stream.feed(b'{"end":true}')
    stream.feed(b"[DONE]")
    assert stream.is_done


def test_an_error_in_an_event_is_raised_and_what_is_no_object_is_an_error(make: Callable[..., Words]) -> None:
    with pytest.raises(Overloaded):
        make().feed(b'{"error":1}')
    with pytest.raises(ResponseShapeError, match="an event of the stream is a list, not an object"):
        make().feed(b"[1]")
    with pytest.raises(ResponseDecodeError):
        make().feed(b"{")
