"""Edges of HTTP on real sockets: what is refused, what is dropped, and what a connection is used for again."""

from __future__ import annotations

import asyncio
import gzip
import threading
from typing import Any

import pytest

from hb_testing.server import RawServer
from heavenbase import errors
from heavenbase.http.transport.connections import Route
from heavenbase.spec import Timeouts

from .harness import Sender
from .test_framing import BAD, GOOD, OK, OPEN

FIRST = OK + b"content-length: 5\r\n\r\nfirst"
SECOND = OK + b"content-length: 6\r\n\r\nsecond"
STRANGE = OK + b"content-length: 7\r\n\r\nstrange"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"


@pytest.mark.parametrize("first", [FIRST, CHUNKED], ids=["length", "chunks"])
@pytest.mark.parametrize(
    "behind",
    [(STRANGE,), (b"junk",), (STRANGE[:20],), (b"", STRANGE), (b"", b"j"), (STRANGE[:20], STRANGE[20:])],
    ids=["an answer", "junk", "half an answer", "a later answer", "later junk", "an answer in halves"],
)
def test_b17_what_follows_an_answer_is_nobodys(sender: Sender, first: bytes, behind: tuple[bytes, ...]) -> None:
    with RawServer([first + behind[0], *behind[1:]], SECOND) as server:

        async def work() -> tuple[bytes, bytes]:
            one = await sender.apost(server.url())
            if len(behind) > 1:
                await asyncio.to_thread(threading.Event().wait, 0.05)
            return one, await sender.apost(server.url())

        assert sender.run(work) == (b"first", b"second")
        assert server.accepted == 2
        assert len(server.requests) == 2


@pytest.mark.parametrize("name", GOOD | OPEN)
def test_b17_answers_that_keep_the_rules_are_read_alike(sender: Sender, name: str) -> None:
    answer = (GOOD | OPEN)[name]
    expected = b"" if name in ("no content", "length of nothing") else answer[-2:]
    if b"chunked" in answer.lower():
        expected = b"hello0123456789" if b"A;x=y" in answer else b"hello"
    with RawServer([answer, None]) as server:
        assert sender.post(server.url()).endswith(expected)


@pytest.mark.parametrize("name", BAD)
def test_b17_answers_that_break_the_rules_are_refused_alike(sender: Sender, name: str) -> None:
    with RawServer([BAD[name], None]) as server:
        error = sender.failure(server.url())
        assert type(error) is errors.ProtocolError, error
        assert error.maybe_billed
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [205, 206, 226, 299])
def test_b17_a_success_that_no_wire_knows_is_refused(sender: Sender, status: int) -> None:
    with RawServer(b"HTTP/1.1 %d Odd\r\ncontent-length: 2\r\n\r\n{}" % status) as server:
        error = sender.failure(server.url())
    assert type(error) is errors.ProtocolError
    assert error.status == status


BODY = b'{"error": {"message": "no such thing"}}'
PACKED = gzip.compress(BODY * 40)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"content-length: 500\r\n", BODY),
        (b"transfer-encoding: chunked\r\n", b"27\r\n" + BODY + b"\r\n"),
        (b"transfer-encoding: chunked\r\n", b"27\r\n" + BODY + b"\r\nzz\r\n"),
        (b"content-encoding: gzip\r\ncontent-length: 3\r\n", b"no!"),
        (b"content-encoding: gzip\r\ncontent-length: %d\r\n" % len(PACKED[:-12]), PACKED[:-12]),
        (b"content-encoding: br\r\ncontent-length: 3\r\n", b"\x0b\x01\x80"),
        (b"content-length: 99999999999\r\n", BODY),
    ],
    ids=["cut", "cut in chunks", "bad chunk", "no gzip", "cut gzip", "another encoding", "endless"],
)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_b17_the_status_tells_what_a_broken_refusal_is(
    sender: Sender, status: int, headers: bytes, body: bytes
) -> None:
    with RawServer([b"HTTP/1.1 %d No\r\n%s\r\n%s" % (status, headers, body), None]) as server:
        exchange = sender.exchange()
        said = sender.post(server.url(), exchange=exchange)
    assert exchange.status == status
    assert said == b"" or BODY.startswith(said) or said.startswith(BODY)
    if b"encoding" not in headers or b"chunked" in headers:
        assert said == BODY


def test_b17_a_refusal_is_read_no_further_than_a_mebibyte(sender: Sender) -> None:
    bomb = gzip.compress(bytes(40_000_000))
    head = b"HTTP/1.1 401 No\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    with RawServer(head + bomb) as server:
        assert len(sender.post(server.url())) <= 1024 * 1024


@pytest.mark.parametrize("cookie", [b"a=b", b"a=b; Path=/; Max-Age=9999", b"a=\xe9", b"a=b; Domain=127.0.0.1"])
def test_b17_no_cookies_are_kept(sender: Sender, cookie: bytes) -> None:
    answer = OK + b"set-cookie: %s\r\ncontent-length: 2\r\n\r\nok" % cookie
    with RawServer(answer) as server:

        async def work() -> list[bytes]:
            return [await sender.apost(server.url()) for _ in range(3)]

        assert sender.run(work) == [b"ok"] * 3
        assert not [request for request in server.requests if b"cookie" in request.lower()]


def test_b17_a_redirect_is_not_followed(sender: Sender) -> None:
    with RawServer(FIRST) as other, RawServer(b"") as server:
        server._answers = (b"HTTP/1.1 307 There\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % other.url().encode(),)
        exchange: Any = sender.exchange()
        assert sender.post(server.url(), exchange=exchange) == b""
        assert exchange.status == 307
        assert other.accepted == 0


@pytest.mark.parametrize("behind", [b"", bytes(512)], ids=["nothing", "padding"])
def test_b17_a_packed_body_may_have_many_members(sender: Sender, behind: bytes) -> None:
    members = [gzip.compress(b"%d," % number) for number in range(200)] + [behind]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(member), member) for member in members if member)
    head = OK + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    whole = b"".join(members)
    plain = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(whole) + whole
    with RawServer(head + chunks + b"0\r\n\r\n", plain) as server:

        async def work() -> list[bytes]:
            return [await sender.apost(server.url()) for _ in range(2)]

        assert sender.run(work) == [b"".join(b"%d," % number for number in range(200))] * 2


def test_b17_a_refusal_whose_body_does_not_come_is_told_soon(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heavenbase.http.transport.exchange._REFUSED", Timeouts(idle=0.05, stall=0.05))
    exchange = sender.exchange()
    with RawServer(b"HTTP/1.1 401 No\r\ncontent-length: 100\r\n\r\n{") as server:
        assert sender.post(server.url(), exchange=exchange) == b"{"
    assert exchange.status == 401


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 There\r\nlocation: http://else.test/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nthis is no TLS",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 500_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200_000,
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    ],
    ids=["502", "302", "no TLS", "101", "huge header", "endless head", "no HTTP"],
)
def test_b17_what_a_proxy_says_in_place_of_a_tunnel_is_no_connection(sender: Sender, answer: bytes) -> None:
    with RawServer([answer, None]) as server:
        sender.route = Route(proxy=server.url(""))
        error = sender.failure("https://far.test/v1", b"secret")
        assert type(error) is errors.ConnectError
        assert not error.maybe_billed
        assert not str(error).endswith(": ")
        assert not [request for request in server.requests if b"secret" in request]


def test_b17_a_proxy_that_closes_before_its_tunnel_is_there_closed_the_connection(sender: Sender) -> None:
    with RawServer([None]) as server:
        sender.route = Route(proxy=server.url(""))
        error = sender.failure("https://far.test/v1")
        assert type(error) is errors.TransportClosed
        assert not error.maybe_billed
