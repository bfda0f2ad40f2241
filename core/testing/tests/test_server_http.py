"""The loopback server as an HTTP/1.1 server: framing, keep-alive, recording, life cycle."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import gc
import http.client
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hb_testing.server
from hb_testing.server import LoopbackServer
from heavenbase.errors import InputError, UnknownNameError

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = "/openai/v1/chat/completions"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


def connect(server: LoopbackServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def request(body: bytes = BODY, *headers: str, path: str = PATH, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def read_response(stream: socket.socket) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(stream, method="POST")
    response.begin()
    body = response.read()
    response.close()
    return response.status, body


def text_of(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


def test_one_connection_carries_many_requests(server: LoopbackServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(5):
        client.request("POST", PATH, BODY)
        assert text_of(client.getresponse().read()) == "echo: hi"
    client.close()
    assert server.accepted_connections == 1
    assert [seen.connection for seen in server.requests] == [1] * 5


def test_pipelined_requests_are_answered_in_order(server: LoopbackServer) -> None:
    with connect(server) as client, client.makefile("rb") as file:
        client.sendall(request() + request(b"{") + request())
        statuses = []
        for _ in range(3):
            statuses.append(int(file.readline().split()[1]))
            length = 0
            while (line := file.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            file.read(length)
    assert statuses == [200, 400, 200]


@pytest.mark.parametrize("size", [1, 7])
def test_a_request_may_arrive_in_small_parts(server: LoopbackServer, size: int) -> None:
    sent = request()
    with connect(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), size):
            client.sendall(sent[start : start + size])
        assert text_of(read_response(client)[1]) == "echo: hi"
    assert server.requests[0].body == BODY


def test_a_chunked_request_body_is_joined_and_its_trailers_are_skipped(server: LoopbackServer) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"%x;name=value\r\n%b\r\n%x\r\n%b\r\n" % (5, BODY[:5], len(BODY) - 5, BODY[5:])
    for end in (b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"):
        with connect(server) as client:
            client.sendall(head + chunks + end)
            assert text_of(read_response(client)[1]) == "echo: hi"
    assert [seen.body for seen in server.requests] == [BODY, BODY]


@pytest.mark.parametrize("size", [1, 3, 10])
def test_a_chunked_request_body_may_arrive_in_small_parts(server: LoopbackServer, size: int) -> None:
    sent = f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    sent += b"%x\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(BODY), BODY)
    with connect(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), size):
            client.sendall(sent[start : start + size])
        assert text_of(read_response(client)[1]) == "echo: hi"


def test_a_large_body_arrives_whole(server: LoopbackServer) -> None:
    server.reply(body=b"ok")
    content = "x" * 3_000_000
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    with connect(server) as client:
        client.sendall(request(body))
        assert read_response(client) == (200, b"ok")
    assert server.requests[0].json["messages"][0]["content"] == content


def test_expect_100_continue_is_answered_before_the_body(server: LoopbackServer) -> None:
    sent = request(BODY, "Expect: 100-continue")
    with connect(server) as client:
        client.sendall(sent.removesuffix(BODY))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert read_response(client)[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"A" * 300_000,
    ],
)
def test_what_is_no_http_gets_400_and_a_close(server: LoopbackServer, sent: bytes) -> None:
    with connect(server) as client:
        client.sendall(sent)
        status, body = read_response(client)
        assert status == 400
        assert body.startswith(b"malformed request: ")
        assert client.recv(1) == b""


@pytest.mark.parametrize("sent", [request(version="1.0"), request(BODY, "Connection: close")])
def test_the_connection_closes_when_the_client_asks_for_it(server: LoopbackServer, sent: bytes) -> None:
    with connect(server) as client:
        client.sendall(sent)
        assert read_response(client)[0] == 200
        assert client.recv(1) == b""
    server.wait_for(lambda s: s.connections == 0)
    assert server.requests[0].closed_at is None


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/openai/v1/nothing", 404), ("GET", PATH, 405)])
def test_unknown_routes_get_an_error_of_the_wire(server: LoopbackServer, method: str, path: str, status: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(method, path)
    answer = client.getresponse()
    assert answer.status == status
    assert json.loads(answer.read())["error"]["type"] == "invalid_request_error"
    client.close()


def test_a_request_is_recorded_as_it_was_sent(server: LoopbackServer) -> None:
    before = time.monotonic()
    with connect(server) as client:
        client.sendall(request(BODY, "Authorization: Bearer secret-key", "X-Tag: a", "x-tag: b", path=f"{PATH}?v=1"))
        read_response(client)
    seen = server.requests[0]
    assert (seen.number, seen.method, seen.path, seen.connection) == (1, "POST", f"{PATH}?v=1", 1)
    assert (seen.body, seen.complete, seen.json["model"]) == (BODY, True, "m")
    assert seen.headers["x-tag"] == "a, b"
    assert [pair for pair in seen.raw_headers if pair[0].lower() == "x-tag"] == [("X-Tag", "a"), ("x-tag", "b")]
    assert before <= seen.time <= time.monotonic()
    assert seen.bearer == "secret-key"
    assert "secret-key" not in repr(seen)


def test_every_answer_has_its_own_request_id(server: LoopbackServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    ids = []
    for _ in range(2):
        client.request("POST", PATH, BODY)
        answer = client.getresponse()
        answer.read()
        ids.append(answer.getheader("x-request-id"))
    client.close()
    assert ids == ["req_1", "req_2"]


def test_the_time_of_the_peers_close_is_recorded(server: LoopbackServer) -> None:
    with connect(server) as client:
        client.sendall(request())
        read_response(client)
        open_until = server.requests[0].closed_at
        closing = time.monotonic()
    server.wait_for(lambda s: s.requests[0].closed_at)
    assert open_until is None
    assert closing <= (server.requests[0].closed_at or 0) <= closing + 1


def test_record_false_only_counts() -> None:
    with LoopbackServer(record=False) as server:
        with connect(server) as client:
            client.sendall(request())
            read_response(client)
        assert (server.requests, server.request_count) == ([], 1)


def test_clear_forgets_requests_and_queued_replies(server: LoopbackServer) -> None:
    server.reply(text="stale")
    server.script(lambda _: [b"stale"])
    with connect(server) as client:
        client.sendall(request(path="/nothing"))
        client.recv(100)
    server.clear()
    assert server.requests == []
    with connect(server) as client:
        client.sendall(request())
        assert text_of(read_response(client)[1]) == "echo: hi"


def test_wait_for_returns_on_the_event_and_fails_after_the_timeout(server: LoopbackServer) -> None:
    def send_later() -> None:
        with connect(server) as client:
            client.sendall(request())
            read_response(client)

    sender = threading.Timer(0.01, send_later)
    sender.start()
    server.wait_for(lambda s: len(s.requests) == 1)
    sender.join()
    with pytest.raises(AssertionError, match="POST /openai/v1/chat/completions"):
        server.wait_for(lambda s: len(s.requests) == 2, timeout=0.01)


def test_await_for_leaves_the_callers_loop_running(server: LoopbackServer) -> None:
    async def both() -> None:
        async def send() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request())
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()

        await asyncio.gather(server.await_for(lambda s: s.requests and s.requests[0].closed_at), send())
        with pytest.raises(AssertionError, match="not within"):
            await server.await_for(lambda s: False, timeout=0.005)

    asyncio.run(both())


def test_six_hundred_connections_are_served_at_the_same_time(server: LoopbackServer) -> None:
    count = 600
    release = threading.Event()

    async def hold() -> None:
        async def one() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request())
            head = await reader.readuntil(b"\r\n\r\n")
            await server.await_for(lambda s: release.is_set() or s.connections == count)
            release.set()
            writer.close()
            await writer.wait_closed()
            return head

        heads = await asyncio.gather(*(one() for _ in range(count)))
        assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)

    asyncio.run(hold())
    server.wait_for(lambda s: s.connections == 0)
    assert server.peak_connections == server.accepted_connections == count


def test_a_server_whose_patience_is_over_drops_everything() -> None:
    opened = []
    with LoopbackServer(patience=0.03) as server:
        deadline = time.monotonic() + 5
        with contextlib.suppress(ConnectionRefusedError):
            while time.monotonic() < deadline:
                opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
                time.sleep(0.01)
        assert time.monotonic() < deadline
    for client in opened:
        with client, contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_closing_leaves_no_thread_and_no_descriptor() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0

    with LoopbackServer():
        pass
    gc.collect()
    threads, files = threading.active_count(), descriptors()
    for _ in range(5):
        with LoopbackServer() as server:
            idle, stalled, halfway = connect(server), connect(server), connect(server)
            stalled.sendall(request(path="/f/E9.a/v1/chat/completions"))
            halfway.sendall(request()[:-5])
            server.wait_for(lambda s: len(s.requests) == 2)
        for client in (idle, stalled, halfway):
            client.close()
    gc.collect()
    assert (threading.active_count(), descriptors()) == (threads, files)


def test_closing_twice_is_harmless_and_starting_twice_is_refused() -> None:
    server = LoopbackServer().start()
    with pytest.raises(InputError, match="started already"):
        server.start()
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_what_a_script_raises_is_answered_500_and_raised_when_the_block_ends() -> None:
    def fail(_: object) -> None:
        raise AssertionError("the script did not like it")

    server = LoopbackServer().start()
    server.script(fail)
    with connect(server) as client:
        client.sendall(request())
        status, body = read_response(client)
    assert status == 500
    assert b"did not like it" in body
    with pytest.raises(AssertionError, match="the script did not like it"):
        server.__exit__(None, None, None)


def test_urls_name_the_wire_and_the_fault(server: LoopbackServer) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    assert server.origin == origin
    assert server.url() == server.url("openai") == f"{origin}/openai/v1"
    assert server.url("openrouter") == f"{origin}/openrouter/api/v1"
    assert server.url(fault="E2.3") == f"{origin}/f/E2.3/v1"
    assert server.url("openrouter", fault="S1.400") == f"{origin}/f/S1.400/openrouter/api/v1"


def test_an_unknown_wire_or_fault_is_named_with_the_nearest(server: LoopbackServer) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'openai'"):
        server.url("opena")
    with pytest.raises(UnknownNameError, match=r"did you mean 'S5\.50"):
        server.url(fault="S5.505")


def test_closing_in_a_storm_of_connections_leaves_nothing_behind() -> None:
    for _ in range(10):
        with LoopbackServer() as server:
            clients = [connect(server) for _ in range(20)]
        for client in clients:
            client.close()
    # An unclosed socket warns when it is collected, and warnings are errors here.
    gc.collect()


def test_the_server_needs_nothing_but_the_standard_library_the_schema_checker_and_the_error_tree() -> None:
    folder = Path(hb_testing.server.__file__).parent
    modules = [node for file in folder.glob("*.py") for node in ast.walk(ast.parse(file.read_text()))]
    names = {node.module or "" for node in modules if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in modules if isinstance(node, ast.Import) for alias in node.names}
    foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    allowed = ("hb_testing.server", "heavenbase.errors", "jsonschema_rs", "trustme")
    assert [name for name in sorted(foreign) if not name.startswith(allowed)] == []


def test_the_public_names_are_sorted_and_exist() -> None:
    public = hb_testing.server.__all__
    assert sorted(public, key=lambda name: (not name.isupper(), not name[0].isupper(), name)) == public
    assert all(hasattr(hb_testing.server, name) for name in public)
