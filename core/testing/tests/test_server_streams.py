"""The loopback server's faults of streams: cut, reset, delayed, oversized, oddly framed."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.server import (
    FAULT_TEXT,
    FAULT_TOKENS,
    SEPARATORS_TEXT,
    SSE_VECTORS,
    LoopbackServer,
    SseEvent,
)

BODY = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


class Streamed:
    """An open streamed answer."""

    def __init__(self, server: LoopbackServer, fault: str, body: bytes = BODY) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        head = f"POST /f/{fault}/v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        self.answer = http.client.HTTPResponse(self.socket)
        self.answer.begin()

    def __enter__(self) -> Streamed:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self.socket.close()


def read(server: LoopbackServer, fault: str, body: bytes = BODY) -> bytes:
    with Streamed(server, fault, body) as streamed:
        return streamed.answer.read()


def parse(stream: bytes) -> list[SseEvent]:
    """The WHATWG algorithm, as directly as can be."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events: list[SseEvent] = []
    data: list[str] = []
    kind = last_id = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        if not line:
            if data:
                events.append(SseEvent("\n".join(data), kind or "message", last_id))
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


def chunks(body: bytes) -> list[Any]:
    return [json.loads(event.data) for event in parse(body) if event.data != "[DONE]"]


def text(body: bytes) -> str:
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks(body) if "choices" in c)


def finishes(body: bytes) -> list[str]:
    return [c["choices"][0]["finish_reason"] for c in chunks(body) if c["choices"][0]["finish_reason"]]


@pytest.mark.parametrize(
    ("fault", "content", "finish", "done"),
    [
        ("E1.before", "", [], False),
        ("E1.after", FAULT_TEXT, [], False),
        ("E1.before-eof", "", [], False),
        ("E1.after-eof", FAULT_TEXT, [], False),
        ("E1.no-done", FAULT_TEXT, ["stop"], False),
        ("E1.no-finish", FAULT_TEXT, [], True),
    ],
)
def test_e1_ends_cleanly_without_its_proof(
    server: LoopbackServer, fault: str, content: str, finish: list[str], done: bool
) -> None:
    body = read(server, fault)
    assert (text(body), finishes(body), b"[DONE]" in body) == (content, finish, done)


def test_e1_eof_is_delimited_by_the_end_of_the_connection(server: LoopbackServer) -> None:
    with Streamed(server, "E1.after-eof") as streamed:
        assert streamed.answer.getheader("transfer-encoding") is None
        assert streamed.answer.getheader("content-length") is None


@pytest.mark.parametrize(("fault", "count"), [("E2", 2), ("E2.0", 0), ("E2.4", 4)])
def test_e2_resets_after_k_tokens(server: LoopbackServer, fault: str, count: int) -> None:
    got = b""
    with Streamed(server, fault) as streamed, contextlib.suppress(ConnectionResetError):
        while received := streamed.answer.readline():
            got += received
        raise AssertionError("the stream ended without a reset")
    assert text(got) == "".join(FAULT_TOKENS[:count])


@pytest.mark.parametrize(("fault", "content"), [("E3.a", ""), ("E3.before", ""), ("E3.b", FAULT_TEXT)])
def test_e3_has_an_error_event_in_a_good_stream(server: LoopbackServer, fault: str, content: str) -> None:
    body = read(server, fault)
    assert text(body) == content
    assert chunks(body)[-1]["error"]["type"] == "server_error"
    assert chunks(read(server, f"{fault}-429"))[-1]["error"]["code"] == "rate_limit_exceeded"


def test_e3_on_the_openrouter_wire_is_a_chunk_that_carries_the_error(server: LoopbackServer) -> None:
    last = chunks(read(server, "E3.b-502/openrouter/api"))[-1]
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == (502, "error")


def test_a_stream_fault_strikes_even_when_the_request_is_no_json(server: LoopbackServer) -> None:
    assert text(read(server, "E1.after", b"{")) == FAULT_TEXT


@pytest.mark.parametrize("fault", ["E4.lf", "E4.cr", "E4.crlf", "E4.bytes", "E4.crlf-bytes", "E4.cr-cut-100"])
def test_e4_is_the_same_stream_however_it_is_written(server: LoopbackServer, fault: str) -> None:
    body = read(server, fault)
    assert (text(body), finishes(body), parse(body)[-1].data) == (FAULT_TEXT, ["stop"], "[DONE]")
    newline = b"\r\n" if "crlf" in fault else b"\r" if "cr" in fault else b"\n"
    assert body.endswith(b"[DONE]" + newline * 2)
    assert body.count(b"\n" if newline == b"\r" else b"\r") == (body.count(b"\n") if newline == b"\r\n" else 0)


def test_e4_cut_sends_two_parts_even_inside_a_character(server: LoopbackServer) -> None:
    whole = read(server, "E4.lf")
    position = whole.index("🌍".encode()) + 2
    with Streamed(server, f"E4.cut-{position}") as streamed:
        first = streamed.answer.read1(65536)
        assert first + streamed.answer.read() == whole
    assert first == whole[:position]


def test_e4_bytes_come_one_by_one(server: LoopbackServer) -> None:
    with Streamed(server, "E4.bytes") as streamed:
        assert [len(streamed.answer.read1(100)) for _ in range(20)] == [1] * 20


def test_e4_can_be_cut_at_every_byte(server: LoopbackServer) -> None:
    # A short reply, so that every position is affordable.
    for position in range(60):
        server.reply("é🌍")
        assert text(read(server, f"E4.cut-{position}")) == "é🌍"


@pytest.mark.parametrize("name", SSE_VECTORS)
def test_e5_vectors_hold_what_the_whatwg_algorithm_makes_of_them(server: LoopbackServer, name: str) -> None:
    body = read(server, f"E5.{name}")
    assert body == SSE_VECTORS[name].stream
    assert tuple(parse(body)) == SSE_VECTORS[name].events


def test_e5_text_holds_separators_unescaped(server: LoopbackServer) -> None:
    body = read(server, "E5.text")
    assert "\u2028b\u2029c\u0085d".encode() in body
    assert text(body) == SEPARATORS_TEXT


@pytest.mark.parametrize(("fault", "content"), [("E6", ""), ("E6-1", ""), ("E6.after-1", FAULT_TOKENS[0])])
def test_e6_sends_only_keepalives_for_ever(server: LoopbackServer, fault: str, content: str) -> None:
    with Streamed(server, fault) as streamed:
        got = b""
        while got.count(b": keepalive\n\n") < 4:
            got += streamed.answer.read1(4096)
    assert text(got) == content
    server.wait_for(lambda s: s.connections == 0)


def test_e7_event_is_one_huge_good_event(server: LoopbackServer) -> None:
    body = read(server, "E7.event-3")
    assert text(body) == "a" * (3 * 1024 * 1024)
    assert finishes(body) == ["stop"]


def test_e7_line_never_ends(server: LoopbackServer) -> None:
    with Streamed(server, "E7.line") as streamed:
        got = streamed.answer.read(5_000_000)
    assert b"\n" not in got[-4_900_000:]
    server.wait_for(lambda s: s.connections == 0)


def calls(body: bytes) -> list[dict[str, Any]]:
    return [call for c in chunks(body) for call in c["choices"][0]["delta"].get("tool_calls", ())]


@pytest.mark.parametrize(
    ("fault", "indexes"), [("no-index", [None] * 5), ("reused-index", [0] * 5), ("one-based", [1, 1, 1, 2, 2])]
)
def test_e8_has_two_calls_with_odd_indexes(server: LoopbackServer, fault: str, indexes: list[int | None]) -> None:
    body = read(server, f"E8.{fault}")
    found = calls(body)
    assert [call.get("index") for call in found] == indexes
    assert [call["id"] for call in found if "id" in call] == ["call_1", "call_2"]
    assert "".join(call["function"]["arguments"] for call in found) == '{"city":"Paris"}{"zone":"CET"}'
    assert finishes(body) == ["tool_calls"]


def test_e8_empty_arguments_stay_empty_whole_and_streamed(server: LoopbackServer) -> None:
    assert [call["function"] for call in calls(read(server, "E8.empty-arguments"))] == [
        {"name": "get_time", "arguments": ""}
    ]
    plain = json.loads(read(server, "E8.empty-arguments", BODY.replace(b"true", b"false")))
    assert plain["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == ""


def test_a_queued_reply_is_what_a_stream_fault_cuts(server: LoopbackServer) -> None:
    server.reply(chunks=["own ", "words"])
    assert text(read(server, "E1.after")) == "own words"


def test_the_server_answers_others_while_it_floods_one(server: LoopbackServer) -> None:
    with Streamed(server, "E7.line") as flood:
        flood.answer.read(1_000_000)
        assert text(read(server, "E4.lf")) == FAULT_TEXT
