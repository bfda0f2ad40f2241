"""Scripting the loopback server: queued replies, scripts, raw steps, own faults and wires."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hb_testing.server import (
    LAST_CHUNK,
    Action,
    Answer,
    Exchange,
    LoopbackServer,
    Pause,
    RecordedRequest,
    Rejected,
    Reply,
    Step,
    Wire,
    argument,
    chunk,
    fault,
    fault_names,
    head,
    response,
    route,
)
from heavenbase.errors import PluginConflict

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


class Got:
    """One answer, read to its end."""

    def __init__(self, url: str, payload: Any = CHAT, path: str = "/chat/completions", **headers: str) -> None:
        host, _, base = url.removeprefix("http://").partition("/")
        client = http.client.HTTPConnection(host, timeout=5)
        try:
            client.request("POST", f"/{base}{path}", json.dumps(payload), headers)
            answer = client.getresponse()
            self.status, self.headers, self.body = answer.status, dict(answer.getheaders()), answer.read()
        finally:
            client.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> Any:
        return self.json["choices"][0]["message"]["content"]


def events(body: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in body.split(b"\n\n") if line.startswith(b"data: {")]


def test_replies_are_used_in_order_and_then_the_default_returns(server: LoopbackServer) -> None:
    server.reply("first")
    server.reply(text="second", finish_reason="content_filter", usage={"total_tokens": 5})
    first, second, third = (Got(server.url()) for _ in range(3))
    assert (first.text, second.text, third.text) == ("first", "second", "echo: hi")
    assert second.json["choices"][0]["finish_reason"] == "content_filter"
    assert second.json["usage"] == {"total_tokens": 5}


def test_an_empty_usage_is_not_sent(server: LoopbackServer) -> None:
    server.reply("x", usage={})
    server.reply("x", usage={})
    assert "usage" not in Got(server.url()).json
    streamed = Got(server.url(), {**CHAT, "stream": True, "stream_options": {"include_usage": True}})
    assert all(event["choices"] for event in events(streamed.body))


def test_chunks_set_the_pieces_of_a_stream_and_may_be_whole_deltas(server: LoopbackServer) -> None:
    pieces = ["a", "b c", {"content": "d", "custom": 1}]
    server.reply(chunks=pieces)
    server.reply(chunks=pieces[:2])
    deltas = [event["choices"][0]["delta"] for event in events(Got(server.url(), {**CHAT, "stream": True}).body)]
    assert deltas[1:-1] == [{"content": "a"}, {"content": "b c"}, {"content": "d", "custom": 1}]
    assert Got(server.url()).text == "ab c"


def test_a_status_is_answered_in_the_error_shape_with_its_headers(server: LoopbackServer) -> None:
    server.reply("slow down", status=429, headers={"Retry-After": "7"})
    got = Got(server.url())
    assert (got.status, got.headers["retry-after"]) == (429, "7")
    assert got.json["error"]["message"] == "slow down"
    assert got.json["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("/chat/completions", CHAT),
        ("/embeddings", {"model": "m", "input": "a"}),
        ("/images/generations", {"prompt": "p"}),
    ],
)
def test_every_route_answers_queued_errors_and_bodies(server: LoopbackServer, path: str, payload: Any) -> None:
    server.reply(status=503)
    server.reply(body=b"raw")
    assert Got(server.url(), payload, path).json["error"]["type"] == "server_error"
    assert Got(server.url(), payload, path).body == b"raw"


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        (b"\xff", b"\xff", "application/octet-stream"),
        ("é", "é".encode(), "text/plain; charset=utf-8"),
        ({"a": [1]}, b'{"a":[1]}', "application/json"),
    ],
)
def test_a_body_is_sent_as_it_is(server: LoopbackServer, body: Any, sent: bytes, kind: str) -> None:
    server.reply(body=body, status=201)
    got = Got(server.url())
    assert (got.status, got.body, got.headers["content-type"]) == (201, sent, kind)


def test_delay_and_pause_space_the_answer_out(server: LoopbackServer) -> None:
    server.reply(chunks=["a", "b"], delay=0.02, pause=0.01)
    server.reply("late", delay=0.02)
    start = time.monotonic()
    assert len(events(Got(server.url(), {**CHAT, "stream": True}).body)) == 4
    middle = time.monotonic()
    assert Got(server.url()).text == "late"
    assert middle - start >= 0.06
    assert time.monotonic() - middle >= 0.02


def test_a_script_sees_each_request_and_may_leave_it_to_the_default(server: LoopbackServer) -> None:
    def script(request: RecordedRequest) -> Reply | None:
        return Reply("scripted") if request.json["messages"][0]["content"] == "special" else None

    server.script(script)
    special = {"model": "m", "messages": [{"role": "user", "content": "special"}]}
    assert Got(server.url(), special).text == "scripted"
    assert Got(server.url()).text == "echo: hi"
    assert Got(server.url(), {**special, "temperature": 9}).status == 400
    server.script(None)
    assert Got(server.url(), special).text == "echo: special"


def test_raw_steps_are_written_as_they_are(server: LoopbackServer) -> None:
    server.script(lambda _: [b"HTTP/1.1 299 Odd\r\nCONTENT-length: 3\r\n\r\na", Pause(0.001), b"bc", Action.KEEP_OPEN])
    got = Got(server.url())
    assert (got.status, got.body) == (299, b"abc")


def test_bytes_alone_are_one_step_and_then_the_connection_closes(server: LoopbackServer) -> None:
    server.script(lambda _: b"garbage")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.makefile("rb").read() == b"garbage"


def test_steps_may_be_an_async_generator(server: LoopbackServer) -> None:
    async def steps() -> AsyncIterator[Step]:
        yield head(200, {"transfer-encoding": "chunked"})
        yield chunk(b"x") + LAST_CHUNK
        yield Action.KEEP_OPEN

    server.script(lambda _: steps())
    assert Got(server.url()).body == b"x"


def test_a_connection_that_was_kept_open_takes_the_next_request(server: LoopbackServer) -> None:
    server.script(lambda _: [response(200, b"{}", server="loop"), Action.KEEP_OPEN])
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(3):
        client.request("POST", "/x", "{}")
        answer = client.getresponse()
        assert (answer.read(), answer.getheader("server")) == (b"{}", "loop")
    client.close()
    assert server.accepted_connections == 1


def test_half_close_sends_fin_and_keeps_reading(server: LoopbackServer) -> None:
    server.script(lambda _: [b"partial", Action.HALF_CLOSE, Action.STALL])
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.makefile("rb").read() == b"partial"
        assert server.connections == 1
    server.wait_for(lambda s: s.connections == 0)
    assert server.requests[0].closed_at is not None


def test_an_error_inside_steps_is_kept_and_closes_the_connection() -> None:
    def steps() -> Iterator[Step]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"
        raise ValueError("broken steps")

    server = LoopbackServer().start()
    server.script(lambda _: steps())
    with pytest.raises(http.client.IncompleteRead):
        Got(server.url())
    server.close()
    assert [str(error) for error in server.errors] == ["broken steps"]


def test_steps_stop_when_the_peer_closes(server: LoopbackServer) -> None:
    stopped: list[str] = []

    async def forever() -> AsyncIterator[Step]:
        try:
            while True:
                yield b"x"
                yield Pause(0.001)
        finally:
            stopped.append("yes")

    server.script(lambda _: forever())
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(1) == b"x"
    server.wait_for(lambda s: s.connections == 0)
    server.close()
    assert stopped == ["yes"]


@fault("T9.once")
def once(exchange: Exchange) -> Answer:
    """A fault as a third party writes it."""
    if exchange.count > 1:
        return exchange.wire.handle(exchange)
    return exchange.wire.error(argument(exchange, 0, 418), "teapot")


@fault("T9.once", wire="echo")
def once_on_echo(exchange: Exchange) -> Answer:
    """The same name, for one family of wires."""
    return Reply(body=f"echo only {exchange.args}")


class EchoWire(Wire):
    name = "echo"
    base = "/v2"

    @route("POST", "/say")
    @route("POST", "/speak")
    def say(self, exchange: Exchange) -> Answer:
        payload = exchange.json()
        if "text" not in payload:
            raise Rejected("say what?", status=422)
        reply = exchange.reply()
        return reply if reply.raw else Reply(body={"said": reply.text or payload["text"]}, headers=reply.headers)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        return Reply(status=status, body={"oops": message})

    def streams(self, exchange: Exchange) -> bool:
        return False


def test_a_registered_fault_takes_arguments_counts_and_heals(server: LoopbackServer) -> None:
    url = server.url(fault="T9.once-409")
    assert [Got(url).status for _ in range(3)] == [409, 200, 200]
    assert [Got(server.url(fault="T9.once")).status for _ in range(2)] == [418, 200]
    server.clear()
    assert Got(url).status == 409
    assert "T9.once" in fault_names()


def test_a_fault_name_can_be_taken_only_once_per_family() -> None:
    with pytest.raises(PluginConflict, match=r"T9\.once"):
        fault("T9.once")(lambda exchange: Reply())


def test_another_wire_gets_routes_errors_scripting_and_faults() -> None:
    with LoopbackServer(wires=[EchoWire()], require_key="k") as server:
        url = server.url("echo")

        def say(url: str, payload: Any = None, path: str = "/say") -> Got:
            return Got(url, payload or {"text": "hey"}, path, authorization="Bearer k")

        assert say(url).json == {"said": "hey"}
        assert say(url, path="/speak").json == {"said": "hey"}
        server.reply("scripted", headers={"x-a": "b"})
        assert say(url).json == {"said": "scripted"}
        assert (say(url, {"x": 1}).status, say(url, {"x": 1}).json) == (422, {"oops": "say what?"})
        assert Got(url, {"text": "hey"}, "/say").status == 401
        assert say(server.url("echo", fault="S5.503")).json["oops"].startswith("The engine")
        assert say(server.url("echo", fault="T9.once-a-b")).body == b"echo only ('a', 'b')"
        with pytest.raises(http.client.IncompleteRead):
            say(server.url("echo", fault="N2.c"))


def test_a_fault_works_on_the_named_wire_below_its_path(server: LoopbackServer) -> None:
    got = Got(f"{server.origin}/f/S1.404/openai/v1")
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")


def test_an_unknown_fault_in_a_path_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="unknown fault"), LoopbackServer() as server:
        assert Got(f"{server.origin}/f/Q1.x/v1").status == 500


def test_the_server_runs_as_a_process_until_its_input_ends() -> None:
    command = [sys.executable, "-m", "hb_testing.server", "--lax", "--record"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert Got(process.stdout.readline().strip(), {**CHAT, "extra": 1}).text == "echo: hi"
        process.stdin.close()
        assert process.wait(timeout=10) == 0
