"""Transports on real sockets: reuse, limits, what failures are called, bounds, proxies, life and death."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import LoopbackServer, black_hole, refused_port, tls_server
from heavenbase import errors
from heavenbase.http.transport.connections import Connections, Route
from heavenbase.http.transport.network import Backend
from heavenbase.http.transport.transport import hb_error
from heavenbase.spec import Timeouts

from .harness import ASYNC, QUICK, Sender
from .proxy import ForwardProxy

CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
STREAM = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


def limits(**changes: Any) -> Timeouts:
    merged: Timeouts = QUICK.merged(changes)
    return merged


def test_a_connection_serves_many_requests(sender: Sender) -> None:
    with LoopbackServer() as server:

        async def work() -> None:
            for _ in range(5):
                assert b"echo: hi" in await sender.apost(server.url() + "/chat/completions", CHAT)

        sender.run(work)
        assert server.request_count == 5
        assert server.accepted_connections == 1
        server.wait_for(lambda s: s.connections == 0)


def test_the_head_and_a_short_body_leave_together(sender: Sender) -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert sender.post(f"http://127.0.0.1:{listener.getsockname()[1]}/x", b"short body") == b"ok"
        thread.join(2)
    assert received[0].endswith(b"\r\n\r\nshort body")
    assert b"accept-encoding: gzip\r\n" in received[0].lower()


def test_a_kept_connection_that_the_server_closed_is_no_error(sender: Sender) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(answer)
                connection.close()
                closed.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"

        async def work() -> list[bytes]:
            first = await sender.apost(url)
            # The loop gets no chance to notice the end of the connection before the next request goes out.
            assert closed.wait(2)
            time.sleep(0.005)  # noqa: ASYNC251
            return [first, await sender.apost(url)]

        assert sender.run(work) == [b"ok", b"ok"]
        thread.join(2)


def test_a_refused_port_is_a_connect_error_that_names_the_host(sender: Sender) -> None:
    with refused_port() as port:
        exchange = sender.exchange()
        error = sender.failure(f"http://127.0.0.1:{port}/v1", exchange=exchange)
    assert type(error) is errors.ConnectError
    assert f"127.0.0.1:{port}" in str(error)
    assert not error.maybe_billed
    assert error.retryable


def test_a_name_that_does_not_resolve_is_a_connect_error(sender: Sender) -> None:
    error = sender.failure("http://no-such-host.invalid:1/v1", exchange=sender.exchange(limits(connect=4.0)))
    assert isinstance(error, errors.ConnectError | errors.ConnectTimeout)
    assert "no-such-host.invalid" in str(error)
    assert not error.maybe_billed


def test_connecting_ends_at_its_limit(sender: Sender) -> None:
    with black_hole() as port:
        started = time.monotonic()
        error = sender.failure(f"http://127.0.0.1:{port}/v1", exchange=sender.exchange(limits(connect=0.2)))
        took = time.monotonic() - started
    assert type(error) is errors.ConnectTimeout
    assert f"127.0.0.1:{port}" in str(error)
    assert 0.18 <= took <= 0.4
    assert not error.maybe_billed


def test_connecting_never_passes_the_deadline(sender: Sender) -> None:
    with black_hole() as port:
        exchange = sender.exchange(limits(total=0.1))
        exchange.deadline = time.monotonic() + 0.1
        error = sender.failure(f"http://127.0.0.1:{port}/v1", exchange=exchange)
    assert type(error) is errors.DeadlineExceeded


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[Any]:
        release.wait(5)
        return []

    monkeypatch.setattr("heavenbase.http.transport.network.resolve", hang)
    sender = Sender("sync", __import__("httpx2"))
    exchange = sender.exchange(limits(connect=0.05))
    try:
        with exchange.active(), pytest.raises(errors.ConnectTimeout, match=r"slow\.example:443"):
            Backend().connect_tcp("slow.example", 443)
    finally:
        release.set()


@pytest.mark.parametrize(
    ("fault", "kind", "limit"),
    [
        ("E9.a", errors.ResponseTimeout, {"first_token": 0.1}),
        ("E9.b", errors.FirstTokenTimeout, {"first_token": 0.1}),
        ("E9.c", errors.IdleTimeout, {"idle": 0.1}),
    ],
)
def test_each_clock_has_its_error(
    sender: Sender, fault: str, kind: type[errors.HBError], limit: dict[str, float]
) -> None:
    with LoopbackServer() as server:
        url = server.url(fault=fault) + "/chat/completions"
        error = sender.failure(url, CHAT, exchange=sender.exchange(limits(**limit)))
        assert type(error) is kind
        assert error.maybe_billed
        server.wait_for(lambda s: s.connections == 0, 1)


def test_the_callers_own_time_is_on_no_clock_but_the_total(sender: Sender) -> None:
    with LoopbackServer() as server:
        later = [0.0]
        exchange = sender.exchange(
            limits(idle=10.0, stall=10.0, first_token=10.0), clock=lambda: time.monotonic() + later[0]
        )

        async def work() -> None:
            with exchange.active():
                if sender.is_async:
                    async with sender.client().stream("POST", server.url() + "/chat/completions", content=STREAM):
                        later[0] += 60.0
                        assert exchange.body is not None
                        assert b"[DONE]" in await exchange.body.read()
                else:
                    with sender.client().stream("POST", server.url() + "/chat/completions", content=STREAM):
                        later[0] += 60.0
                        assert exchange.body is not None
                        assert b"[DONE]" in exchange.body.read()

        sender.run(work)


@pytest.mark.parametrize("fault", ["N2.b", "N2.c"])
def test_a_connection_that_ends_early_may_have_been_billed(sender: Sender, fault: str) -> None:
    with LoopbackServer() as server:
        error = sender.failure(server.url(fault=fault) + "/chat/completions", CHAT)
    assert type(error) is errors.TransportClosed
    assert error.maybe_billed
    assert error.retryable
    assert error.status == (200 if fault == "N2.c" else None)


def test_a_request_that_was_not_taken_whole_was_not_billed(sender: Sender) -> None:
    with LoopbackServer() as server:
        error = sender.failure(server.url(fault="N2.a") + "/chat/completions", b"x" * 8_000_000)
    assert type(error) is errors.TransportClosed
    assert not error.maybe_billed


def test_a_peer_that_reads_nothing_ends_the_upload(module: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        for colour in ("sync", "asyncio"):
            sender = Sender(colour, module)
            error = sender.failure(url, b"x" * 20_000_000, exchange=sender.exchange(limits(idle=0.05)))
            assert type(error) is errors.IdleTimeout
            assert error.retryable
            assert not error.maybe_billed


def test_an_early_answer_is_read_though_the_upload_failed(module: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 20):
                    pass
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for colour in ("sync", "asyncio"):
            sender = Sender(colour, module)
            exchange = sender.exchange()
            assert sender.post(f"http://127.0.0.1:{listener.getsockname()[1]}/x", b"x" * 400_000, exchange=exchange)
            assert exchange.status == 413
        thread.join(2)


def test_b17_bytes_that_are_no_http_are_a_protocol_error(sender: Sender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")
                connection.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        error = sender.failure(f"http://127.0.0.1:{listener.getsockname()[1]}/x")
    assert type(error) is errors.ProtocolError
    assert error.maybe_billed


@pytest.mark.parametrize("kind", ["self-signed", "expired", "wrong-host"])
def test_a_certificate_that_is_not_accepted_ends_the_connection(sender: Sender, kind: str, tmp_path: Path) -> None:
    with tls_server(kind) as server:
        authorities = tmp_path / "ca.pem"
        authorities.write_bytes(server.ca_pem)
        sender.route = Route(ca_file=str(authorities))
        error = sender.failure(server.url() + "/chat/completions", CHAT)
        assert type(error) is errors.TLSVerifyError
        assert "127.0.0.1" in str(error)
        assert not error.retryable
        assert not error.maybe_billed
        assert server.request_count == 0


def test_a_certificate_of_a_trusted_authority_is_accepted(sender: Sender, tmp_path: Path) -> None:
    with tls_server() as server:
        authorities = tmp_path / "ca.pem"
        authorities.write_bytes(server.ca_pem)
        sender.route = Route(ca_file=str(authorities))

        async def work() -> None:
            for _ in range(3):
                assert b"echo: hi" in await sender.apost(server.url() + "/chat/completions", CHAT)

        sender.run(work)
        assert server.accepted_connections == 1


def test_a_port_that_speaks_no_tls_is_a_connect_error(sender: Sender) -> None:
    with LoopbackServer() as server:
        error = sender.failure(f"https://127.0.0.1:{server.port}/v1", exchange=sender.exchange(limits(connect=0.3)))
    assert isinstance(error, errors.ConnectError | errors.ConnectTimeout)
    assert not error.maybe_billed


def test_a_bomb_is_too_large_and_the_connection_closed(sender: Sender) -> None:
    with LoopbackServer() as server:
        exchange = sender.exchange(body_limit=3_000_000)
        error = sender.failure(server.url(fault="B4.gzip-10") + "/chat/completions", CHAT, exchange=exchange)
        assert type(error) is errors.ResponseTooLarge
        assert "3,000,000" in str(error)
        assert not error.retryable
        server.wait_for(lambda s: s.connections == 0, 1)


def test_an_endless_body_is_too_large(sender: Sender) -> None:
    with LoopbackServer() as server:
        exchange = sender.exchange(body_limit=3_000_000)
        error = sender.failure(server.url(fault="B4.endless") + "/chat/completions", CHAT, exchange=exchange)
        assert type(error) is errors.ResponseTooLarge
        server.wait_for(lambda s: s.connections == 0, 1)


def test_a_length_above_the_limit_is_refused_unread(sender: Sender) -> None:
    with LoopbackServer() as server:
        server.reply(text="x" * 5000)
        error = sender.failure(server.url() + "/chat/completions", CHAT, exchange=sender.exchange(body_limit=1000))
    assert type(error) is errors.ResponseTooLarge


def test_an_encoding_that_nobody_asked_for_is_a_decode_error(sender: Sender) -> None:
    with LoopbackServer() as server:
        server.reply(body=b"?", headers={"content-encoding": "br", "content-type": "application/json"})
        error = sender.failure(server.url() + "/chat/completions", CHAT)
    assert type(error) is errors.ResponseDecodeError


def test_the_libraries_own_exceptions_reach_an_exported_client(module: Any) -> None:
    sender = Sender("sync", module)
    with refused_port() as port, pytest.raises(module.ConnectError) as caught:
        sender.client().post(f"http://127.0.0.1:{port}/v1", content=b"")
    assert type(hb_error(caught.value)) is errors.ConnectError
    with LoopbackServer() as server:
        url = server.url(fault="E9.a") + "/chat/completions"
        with pytest.raises(module.ReadTimeout):
            sender.client().post(url, content=CHAT, timeout=0.05)
        with pytest.raises(module.ReadError):
            sender.client().post(server.url(fault="N2.c") + "/chat/completions", content=CHAT)
        assert sender.client().post(server.url() + "/chat/completions", content=CHAT).status_code == 200
        assert sender.client().get(server.url(fault="S6.302") + "/models").status_code in (302, 500)
        server.errors.clear()
    sender.client().close()


def test_an_exported_client_reads_packed_bodies(module: Any) -> None:
    sender = Sender("sync", module)
    with LoopbackServer() as server:
        response = sender.client().post(server.url(fault="B4.gzip-1") + "/chat/completions", content=CHAT)
        assert response.content == bytes(1_000_000)
    sender.client().close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_requests_take_the_proxy(sender: Sender, scheme: str, tmp_path: Path) -> None:
    with ForwardProxy(credentials="user:p@ss") as proxy:
        address = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
        if scheme == "https":
            with tls_server() as server:
                authorities = tmp_path / "ca.pem"
                authorities.write_bytes(server.ca_pem)
                sender.route = Route(address, str(authorities))
                assert b"echo: hi" in sender.post(server.url() + "/chat/completions", CHAT)
                assert proxy.targets == [f"CONNECT 127.0.0.1:{server.port}"]
        else:
            with LoopbackServer() as server:
                sender.route = Route(address)
                assert b"echo: hi" in sender.post(server.url() + "/chat/completions", CHAT)
                assert proxy.targets == [f"POST {server.url()}/chat/completions"]


def test_a_proxy_that_refuses_is_a_connect_error(sender: Sender) -> None:
    with ForwardProxy(credentials="user:other") as proxy:
        sender.route = Route(f"http://user:secret@127.0.0.1:{proxy.port}")
        error = sender.failure("https://elsewhere.example/v1")
    assert type(error) is errors.ConnectError
    assert "407" in str(error)
    assert "secret" not in str(error)
    assert not error.maybe_billed


def test_the_pool_limit_names_who_holds_the_connections(sender: Sender) -> None:
    sender.route = Route(max_connections=2)
    with LoopbackServer() as server:
        url = server.url(fault="E9.b") + "/chat/completions"

        def held(name: str) -> Any:
            exchange = sender.exchange()
            exchange.target = name
            return exchange

        async def work() -> errors.HBError:
            first, second, third = held("acme/a"), held("acme/b"), sender.exchange(limits(pool=0.05))
            if not sender.is_async:
                client = sender.client()
                open_streams = []
                for exchange in (first, second):
                    with exchange.active():
                        stream = client.stream("POST", url, content=CHAT)
                        stream.__enter__()
                        open_streams.append(stream)
                try:
                    with pytest.raises(sender.module.PoolTimeout) as caught:
                        await sender.apost(url, CHAT, exchange=third)
                finally:
                    for stream in open_streams:
                        stream.__exit__(None, None, None)
            else:
                tasks = [asyncio.create_task(sender.apost(url, CHAT, exchange=e)) for e in (first, second)]
                await server.await_for(lambda s: s.request_count == 2)
                with pytest.raises(sender.module.PoolTimeout) as caught:
                    await sender.apost(url, CHAT, exchange=third)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            # The slots are free again.
            assert b"echo" in await sender.apost(server.url() + "/chat/completions", CHAT)
            found = hb_error(caught.value)
            assert found is not None
            return found

        error = sender.run(work)
    assert type(error) is errors.PoolTimeout
    assert "2 connections" in str(error)
    assert "acme/a (1)" in str(error)
    assert "acme/b (1)" in str(error)
    assert not error.retryable
    assert server.request_count == 3


@pytest.mark.parametrize("colour", ASYNC)
def test_more_connections_than_one_pool_holds(colour: str, module: Any) -> None:
    sender = Sender(colour, module)
    with LoopbackServer() as server:
        url = server.url() + "/chat/completions"

        async def work() -> None:
            answers = await asyncio.gather(*(sender.apost(url, CHAT) for _ in range(100)))
            assert all(b"echo: hi" in answer for answer in answers)

        sender.run(work)
        assert server.request_count == 100
        server.wait_for(lambda s: s.connections == 0)


def test_closing_a_client_drops_what_is_unused_and_no_more(module: Any) -> None:
    with LoopbackServer() as server:
        url = server.url() + "/chat/completions"
        shared = Connections()
        one, other = Sender("sync", module), Sender("sync", module)
        one.connections = other.connections = shared
        one.client().post(url, content=CHAT)
        other.client().post(url, content=CHAT)
        assert server.accepted_connections == 1
        one.client().close()
        assert server.connections == 1
        other.client().close()
        other.client().close()
        server.wait_for(lambda s: s.connections == 0)
        # Whoever was handed the client may still use it; nothing is kept then.
        assert one.client().post(url, content=CHAT).status_code == 200
        server.wait_for(lambda s: s.connections == 0)


def test_an_answer_being_read_survives_the_closing(sender: Sender) -> None:
    with LoopbackServer() as server:
        exchange = sender.exchange()

        async def work() -> None:
            with exchange.active():
                if sender.is_async:
                    async with sender.client().stream("POST", server.url() + "/chat/completions", content=STREAM):
                        await sender.client().aclose()
                        assert exchange.body is not None
                        assert b"[DONE]" in await exchange.body.read()
                else:
                    with sender.client().stream("POST", server.url() + "/chat/completions", content=STREAM):
                        sender.client().close()
                        assert exchange.body is not None
                        assert b"[DONE]" in exchange.body.read()

        sender.run(work)
        server.wait_for(lambda s: s.connections == 0)


@pytest.mark.parametrize("colour", ASYNC)
def test_the_end_of_a_loop_closes_its_connections(colour: str, module: Any) -> None:
    sender = Sender(colour, module)
    with LoopbackServer() as server:
        url = server.url() + "/chat/completions"
        for _ in range(2):
            sender._client = None

            async def forgetful() -> bytes:
                return await sender.apost(url, CHAT)

            with asyncio.Runner(loop_factory=sender.loops) as runner:
                assert b"echo: hi" in runner.run(forgetful())
            server.wait_for(lambda s: s.connections == 0)
        assert server.accepted_connections == 2
    gc.collect()


def test_a_forked_process_takes_connections_of_its_own(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    shared = Connections()
    parents = shared.lease(Route())
    monkeypatch.setattr("heavenbase.http.transport.connections.os.getpid", lambda: -1)
    assert shared.lease(Route()).sender is not parents.sender


@pytest.mark.parametrize("colour", ASYNC)
def test_cancelling_at_any_moment_leaks_no_connection(colour: str, module: Any) -> None:
    sender = Sender(colour, module, Route(max_connections=10))
    with LoopbackServer() as server:
        url = server.url() + "/chat/completions"
        slow = server.url(fault="E9.b") + "/chat/completions"

        async def work() -> None:
            for round_number in range(12):
                tasks = [
                    asyncio.create_task(sender.apost(slow if i % 2 else url, STREAM if i % 3 else CHAT))
                    for i in range(20)
                ]
                for _ in range(round_number * 2):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(end, bytes | asyncio.CancelledError) for end in ended)
            answers = await asyncio.gather(*(sender.apost(url, CHAT) for _ in range(100)))
            assert all(b"echo: hi" in answer for answer in answers)
            assert len(asyncio.all_tasks()) == 1

        sender.run(work)
        server.wait_for(lambda s: s.connections == 0)
