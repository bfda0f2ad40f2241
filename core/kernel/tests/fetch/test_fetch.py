"""The guarded fetcher: what it refuses reaches no server, what it fetches stays within its limits."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import sys
import threading
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.errors import (
    FetchBlocked,
    FetchTimeout,
    FetchTooLarge,
    HBError,
    ImageError,
    InputError,
    InputTypeError,
)
from heavenbase.fetch.address import is_public, read_target
from heavenbase.fetch.fetcher import MAX_BYTES, Fetched, Fetcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Handler = Callable[["Listener", socket.socket], None]

COLOURS = ("sync", "async")
both_colours = pytest.mark.parametrize("colour", COLOURS)


class Listener:
    """A loopback server that answers each connection with a handler and keeps the requests it saw."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self.closed = threading.Event()
        """Set when the peer closed a connection before its answer was complete."""
        self.stop = threading.Event()
        self._handler = handler
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.authority = f"127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self.stop.is_set():
                connection.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.closing(connection):
            connection.settimeout(5)
            try:
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                received = b""
                while b"\r\n\r\n" not in received:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    received += piece
                self.requests.append(received.decode("latin-1"))
                self._handler(self, connection)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                self.closed.set()
            finally:
                connection.close()

    def close(self) -> None:
        self.stop.set()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass
        for thread in list(self._threads):
            thread.join(5)
        self._socket.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    listeners: list[Listener] = []

    def start(handler: Handler, tls: ssl.SSLContext | None = None) -> Listener:
        listeners.append(Listener(handler, tls))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def answer(body: bytes = b"hello", status: str = "200 OK", headers: str = "", length: int | None = None) -> Handler:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n{headers}\r\n"

    def handle(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(head.encode("latin-1") + body)

    return handle


def raw(data: bytes) -> Handler:
    return lambda listener, connection: connection.sendall(data)


def drip(head: bytes, piece: bytes) -> Handler:
    """Send `head`, then `piece` every 10 ms for ever."""

    def handle(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(head)
        while not listener.stop.wait(0.01):
            connection.sendall(piece)

    return handle


def pour(head: bytes, piece: bytes) -> Handler:
    """Send `head`, then `piece` as fast as it is read, for ever."""

    def handle(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(head)
        while not listener.stop.is_set():
            connection.sendall(piece)

    return handle


def pull(fetcher: Fetcher, url: str, colour: str) -> Fetched:
    return fetcher.fetch(url) if colour == "sync" else asyncio.run(fetcher.afetch(url))


def resolving_to(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


def everything_said(error: BaseException | None) -> str:
    """The text of an error and of all that is chained to it."""
    said = ""
    while error is not None:
        said += f"{error!r} {error} "
        error = error.__cause__ or error.__context__
    return said


# What a fetch sends and returns


@both_colours
def test_a_fetch_returns_bytes_media_type_and_url(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(answer(b"picture", headers="Content-Type: Image/PNG; charset=x\r\n"))
    fetched = pull(Fetcher(allow_hosts=["127.0.0.1"]), f"{server.url}/a%20b?q=1&r=ü#part", colour)
    assert fetched == Fetched(b"picture", "image/png", f"{server.url}/a%20b?q=1&r=%C3%BC")
    head, *lines = server.requests[0].split("\r\n")
    assert head == "GET /a%20b?q=1&r=%C3%BC HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in lines if line}
    assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}


@both_colours
def test_the_content_type_is_only_advice(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(answer(b"\x89PNG", headers="Content-Type: text/html\r\n"))
    fetched = pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)
    assert fetched.data == b"\x89PNG"
    assert fetched.media_type == "text/html"


@both_colours
def test_the_name_is_resolved_once_and_its_address_dialled_with_the_host_header_kept(
    listen: Callable[..., Listener], colour: str
) -> None:
    server = listen(answer())
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    fetcher = Fetcher(allow_hosts=["pictures.test"], resolver=resolve)
    assert pull(fetcher, f"http://Pictures.test.:{server.port}/x", colour).data == b"hello"
    assert asked == [("pictures.test", server.port)]
    assert f"Host: pictures.test:{server.port}\r\n" in server.requests[0]


@both_colours
def test_the_next_address_is_tried_when_one_does_not_answer(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(answer())
    fetcher = Fetcher(allow_hosts=["pictures.test"], resolver=resolving_to("127.0.0.2", "127.0.0.1"))
    assert pull(fetcher, f"http://pictures.test:{server.port}/", colour).data == b"hello"


@both_colours
def test_tls_checks_the_name_not_the_address(listen: Callable[..., Listener], colour: str) -> None:
    authority = trustme.CA()
    serving, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("pictures.test").configure_cert(serving)
    authority.configure_trust(trusting)
    names: list[str | None] = []
    serving.sni_callback = lambda connection, name, context: names.append(name)
    server = listen(answer(b"secret"), serving)
    hosts, resolve = ["pictures.test", "other.test"], resolving_to("127.0.0.1")
    fetcher = Fetcher(allow_hosts=hosts, resolver=resolve, ssl_context=trusting)

    assert pull(fetcher, f"https://pictures.test:{server.port}/", colour).data == b"secret"
    assert names == ["pictures.test"]
    with pytest.raises(ImageError, match="TLS"):
        pull(fetcher, f"https://other.test:{server.port}/", colour)
    assert len(server.requests) == 1


@both_colours
def test_a_certificate_of_an_unknown_authority_is_refused(listen: Callable[..., Listener], colour: str) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("pictures.test").configure_cert(serving)
    server = listen(answer(), serving)
    fetcher = Fetcher(allow_hosts=["pictures.test"], resolver=resolving_to("127.0.0.1"))
    with pytest.raises(ImageError, match="TLS"):
        pull(fetcher, f"https://pictures.test:{server.port}/", colour)
    assert server.requests == []


@both_colours
def test_proxies_of_the_environment_are_ignored(
    listen: Callable[..., Listener], colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = listen(answer()), listen(answer(b"from the proxy"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour).data == b"hello"
    assert proxy.connections == 0


def test_a_sync_fetch_works_inside_a_running_loop(listen: Callable[..., Listener]) -> None:
    server = listen(answer())

    async def main() -> bytes:
        return Fetcher(allow_hosts=["127.0.0.1"]).fetch(server.url).data

    assert asyncio.run(main()) == b"hello"


def test_one_fetcher_serves_several_loops_and_threads(listen: Callable[..., Listener]) -> None:
    server, found = listen(answer()), []
    fetcher = Fetcher(allow_hosts=["127.0.0.1"])
    threads = [
        threading.Thread(target=lambda colour=colour: found.append(pull(fetcher, server.url, colour).data))
        for colour in COLOURS * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"hello"] * 6


def test_an_async_fetch_takes_an_async_resolver_and_a_sync_fetch_refuses_it(listen: Callable[..., Listener]) -> None:
    server = listen(answer())

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    fetcher = Fetcher(allow_hosts=["pictures.test"], resolver=resolve)
    url = f"http://pictures.test:{server.port}/"
    assert pull(fetcher, url, "async").data == b"hello"
    with pytest.raises(InputTypeError, match="afetch"):
        fetcher.fetch(url)


# Addresses and hosts

PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254"),
    *("192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("192.0.0.192", "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "198.19.255.255", "192.88.99.1"),
    *("168.63.129.16", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1", "5f00::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "2001:2::1"),
    *("", "localhost", "1.2.3", "not an address"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255"),
    *("172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_public(address: str) -> None:
    assert is_public(address)


@both_colours
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_with_a_private_address_is_refused_before_anything_is_sent(
    listen: Callable[..., Listener], colour: str, address: str
) -> None:
    server = listen(answer())
    with pytest.raises(FetchBlocked) as caught:
        pull(Fetcher(resolver=resolving_to(address)), f"http://pictures.test:{server.port}/a?token=t0ken", colour)
    assert server.connections == 0
    said = everything_said(caught.value)
    assert "pictures.test" in said
    assert address not in said
    assert "t0ken" not in said


@both_colours
def test_one_private_address_among_public_ones_is_enough_to_refuse(
    listen: Callable[..., Listener], colour: str
) -> None:
    server = listen(answer())
    with pytest.raises(FetchBlocked):
        pull(Fetcher(resolver=resolving_to("8.8.8.8", "127.0.0.1")), f"http://x.test:{server.port}/", colour)
    assert server.connections == 0


@both_colours
def test_the_system_resolver_is_asked_and_its_answer_checked(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(answer())
    url = f"http://localhost:{server.port}/"
    with pytest.raises(FetchBlocked):
        pull(Fetcher(), url, colour)
    assert server.connections == 0
    assert pull(Fetcher(allow_hosts=["localhost"]), url, colour).data == b"hello"


SPELLINGS = [
    *("127.0.0.1", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "0177.1", "127.1", "127.0.1"),
    *("127.0.0.01", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "0", "0.0.0.0", "127。0。0。1"),
    *(
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "127.0.0.1%00.example.com",
        "127.0.0.1%20",
        "%31%32%37.0.0.1",
        "[::1%25lo]",
        "[127.0.0.1]",
    ),
    *("localhost\\@8.8.8.8", "8.8.8.8 @127.0.0.1", "127.0.0.1\t", "-", "a..b", "a" * 300),
]


@both_colours
@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_loopback_address_passes(listen: Callable[..., Listener], colour: str, host: str) -> None:
    server = listen(answer())
    with pytest.raises(ImageError):
        pull(Fetcher(resolver=resolving_to("127.0.0.1")), f"http://{host}:{server.port}/", colour)
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "gopher://127.0.0.1:6379/x",
        "//example.com/a",
        "example.com",
        "",
    ],
)
def test_only_http_and_https_are_fetched(url: str) -> None:
    with pytest.raises(FetchBlocked, match="only http and https"):
        Fetcher(resolver=resolving_to("8.8.8.8")).fetch(url)


@pytest.mark.parametrize(
    "url", ["http://user@example.com/", "https://user:pass@example.com/", "http://a%40b:c@example.com"]
)
def test_user_names_in_urls_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(FetchBlocked, match="user name") as caught:
        Fetcher(resolver=resolving_to("8.8.8.8")).fetch(url)
    assert "pass@" not in everything_said(caught.value)


@pytest.mark.parametrize("url", ["http://x.test:0/", "http://x.test:99999/", "http://x.test:abc/", "http://x\r\ny/"])
def test_malformed_urls_are_image_errors(url: str) -> None:
    with pytest.raises(ImageError):
        Fetcher(resolver=resolving_to("8.8.8.8")).fetch(url)


@given(
    st.one_of(
        st.text(), st.text().map("http://".__add__), st.text(alphabet="0123456789.:[]@/\\%axf").map("http://".__add__)
    )
)
def test_any_text_is_a_target_or_one_of_our_errors(text: str) -> None:
    try:
        target = read_target(text)
    except HBError:
        return
    assert target.scheme in ("http", "https")
    assert target.host.isascii()
    assert "@" not in target.authority


@both_colours
def test_allowed_hosts_are_exact(listen: Callable[..., Listener], colour: str) -> None:
    server, other = listen(answer()), listen(answer())
    resolve = resolving_to("127.0.0.1")
    allowed = Fetcher(allow_hosts=[f"Pictures.test:{server.port}", "[::1]:80"], resolver=resolve)
    assert pull(allowed, f"http://pictures.test:{server.port}/", colour).data == b"hello"
    for refused in (
        f"pictures.test:{other.port}",
        f"x.pictures.test:{server.port}",
        f"pictures.test.evil:{server.port}",
    ):
        with pytest.raises(FetchBlocked):
            pull(allowed, f"http://{refused}/", colour)
    assert (server.connections, other.connections) == (1, 0)


@pytest.mark.parametrize(
    "entry", ["*.example.com", "http://example.com", "example.com/path", "", "a b", "bücher.example"]
)
def test_an_allowed_host_that_is_no_host_is_an_input_error(entry: str) -> None:
    with pytest.raises(InputError, match="allow_hosts"):
        Fetcher(allow_hosts=[entry])


# Redirects


@both_colours
def test_a_redirect_is_refused_by_default(listen: Callable[..., Listener], colour: str) -> None:
    other = listen(answer())
    server = listen(answer(b"", "302 Found", f"Location: {other.url}/secret\r\n"))
    with pytest.raises(FetchBlocked, match="redirects") as caught:
        pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)
    assert caught.value.status == 302
    assert "secret" not in everything_said(caught.value)
    assert (server.connections, other.connections) == (1, 0)


@both_colours
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_followed_when_asked_for(listen: Callable[..., Listener], colour: str, status: str) -> None:
    other = listen(answer(b"end"))
    server = listen(answer(b"", status, f"Location: http://end.test:{other.port}/x\r\n"))
    fetcher = Fetcher(allow_hosts=["127.0.0.1", "end.test"], resolver=resolving_to("127.0.0.1"), follow_redirects=True)
    assert pull(fetcher, server.url, colour) == Fetched(b"end", "", f"http://end.test:{other.port}/x")


@both_colours
@pytest.mark.parametrize("target", ["http://127.0.0.1:{}/", "http://internal.test:{}/", "http://2130706433:{}/"])
def test_a_redirect_to_a_blocked_host_is_refused(listen: Callable[..., Listener], colour: str, target: str) -> None:
    inner = listen(answer(b"secret"))
    server = listen(answer(b"", "302 Found", f"Location: {target.format(inner.port)}\r\n"))
    fetcher = Fetcher(allow_hosts=[server.authority], resolver=resolving_to("127.0.0.1"), follow_redirects=True)
    with pytest.raises(FetchBlocked):
        pull(fetcher, server.url, colour)
    assert (server.connections, inner.connections) == (1, 0)


@both_colours
@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x.test/", "http://u:p@x.test/"])
def test_a_redirect_to_another_scheme_or_a_user_name_is_refused(
    listen: Callable[..., Listener], colour: str, location: str
) -> None:
    server = listen(answer(b"", "302 Found", f"Location: {location}\r\n"))
    with pytest.raises(FetchBlocked):
        pull(Fetcher(allow_hosts=["127.0.0.1"], follow_redirects=True), server.url, colour)


@both_colours
def test_a_redirect_from_https_to_http_is_refused(listen: Callable[..., Listener], colour: str) -> None:
    authority = trustme.CA()
    serving, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("pictures.test").configure_cert(serving)
    authority.configure_trust(trusting)
    plain = listen(answer(b"plain"))
    server = listen(answer(b"", "302 Found", f"Location: {plain.url}\r\n"), serving)
    fetcher = Fetcher(
        allow_hosts=["pictures.test", "127.0.0.1"],
        resolver=resolving_to("127.0.0.1"),
        follow_redirects=True,
        ssl_context=trusting,
    )
    with pytest.raises(FetchBlocked, match="https to http"):
        pull(fetcher, f"https://pictures.test:{server.port}/", colour)
    assert plain.connections == 0


@both_colours
def test_redirects_end_at_the_hop_limit(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(answer(b"", "302 Found", "Location: /again\r\n"))
    with pytest.raises(FetchTooLarge, match="more than 3 times"):
        pull(Fetcher(allow_hosts=["127.0.0.1"], follow_redirects=True), server.url, colour)
    assert len(server.requests) == 4
    assert server.requests[-1].startswith("GET /again ")


# Sizes


@both_colours
def test_the_limit_itself_is_allowed_and_one_byte_more_is_not(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(raw(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1000)))
    assert len(pull(Fetcher(max_bytes=1000, allow_hosts=["127.0.0.1"]), server.url, colour).data) == 1000
    with pytest.raises(FetchTooLarge):
        pull(Fetcher(max_bytes=999, allow_hosts=["127.0.0.1"]), server.url, colour)


@both_colours
def test_a_declared_length_above_the_limit_is_refused_at_once(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", b"a"))
    with pytest.raises(FetchTooLarge):
        pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)
    assert server.closed.wait(1)


@both_colours
@pytest.mark.parametrize("framing", ["", "Transfer-Encoding: chunked\r\n"])
def test_an_endless_body_ends_at_the_limit_and_the_connection_is_closed(
    listen: Callable[..., Listener], colour: str, framing: str
) -> None:
    piece = b"2000\r\n" + bytes(0x2000) + b"\r\n" if framing else bytes(0x2000)
    server = listen(pour(f"HTTP/1.1 200 OK\r\n{framing}\r\n".encode(), piece))
    with pytest.raises(FetchTooLarge):
        pull(Fetcher(max_bytes=200_000, allow_hosts=["127.0.0.1"]), server.url, colour)
    assert server.closed.wait(1)


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


@both_colours
def test_a_packed_body_is_unpacked(listen: Callable[..., Listener], colour: str) -> None:
    data = os.urandom(50_000)
    server = listen(answer(gzipped(data), headers="Content-Encoding: GZIP\r\n"))
    assert pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour).data == data


@both_colours
def test_a_gzip_bomb_stops_at_the_limit_in_little_memory(listen: Callable[..., Listener], colour: str) -> None:
    server = listen(answer(gzipped(bytes(100 << 20)), headers="Content-Encoding: gzip\r\n"))
    fetcher = Fetcher(allow_hosts=["127.0.0.1"])
    with contextlib.suppress(ImageError):
        pull(fetcher, "http://127.0.0.1:1/", colour)  # imports what a fetch needs
    tracemalloc.start()
    try:
        with pytest.raises(FetchTooLarge):
            pull(fetcher, server.url, colour)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MAX_BYTES + (16 << 20)


@both_colours
def test_packed_data_that_unpacks_to_nothing_counts_as_received(listen: Callable[..., Listener], colour: str) -> None:
    packer = zlib.compressobj(wbits=31)
    head = packer.compress(b"x") + packer.flush(zlib.Z_SYNC_FLUSH)
    empty_block = b"\x00\x00\x00\xff\xff"
    server = listen(pour(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + head, empty_block * 2000))
    with pytest.raises(FetchTooLarge):
        pull(Fetcher(max_bytes=100_000, allow_hosts=["127.0.0.1"]), server.url, colour)


@both_colours
@pytest.mark.parametrize("body", [b"not gzip at all", gzipped(b"x" * 1000)[:-9]])
def test_broken_or_cut_packed_data_is_an_image_error(listen: Callable[..., Listener], colour: str, body: bytes) -> None:
    server = listen(answer(body, headers="Content-Encoding: gzip\r\n"))
    with pytest.raises(ImageError, match=r"gzip|cut off"):
        pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)


@both_colours
@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused(listen: Callable[..., Listener], colour: str, encoding: str) -> None:
    server = listen(answer(headers=f"Content-Encoding: {encoding}\r\n"))
    with pytest.raises(ImageError, match="content encoding"):
        pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)


# Time


@both_colours
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(drip(b"", b""), id="no answer"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX: ", b"a"), id="dripping header"),
        pytest.param(drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), id="informational answers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"a"), id="dripping body"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f", b""), id="silent packed body"),
    ],
)
def test_the_time_limit_covers_everything(listen: Callable[..., Listener], colour: str, handler: Handler) -> None:
    server = listen(handler)
    fetcher = Fetcher(timeout=0.2, allow_hosts=["127.0.0.1"])
    with contextlib.suppress(ImageError):
        pull(fetcher, "http://127.0.0.1:1/", colour)
    start = time.monotonic()
    with pytest.raises(FetchTimeout, match=r"not fetched within 0\.2 s") as caught:
        pull(fetcher, server.url, colour)
    assert time.monotonic() - start < 2
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.retryable


@both_colours
def test_the_time_limit_covers_the_tls_handshake(listen: Callable[..., Listener], colour: str) -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog, and never says a word
    fetcher = Fetcher(timeout=0.2, allow_hosts=["127.0.0.1"], ssl_context=ssl.create_default_context())
    with contextlib.closing(silent), pytest.raises(FetchTimeout):
        pull(fetcher, f"https://127.0.0.1:{silent.getsockname()[1]}/", colour)


@both_colours
def test_the_injected_clock_decides_between_reads(listen: Callable[..., Listener], colour: str) -> None:
    ticks = iter(range(0, 1000, 10))
    server = listen(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"a"))
    fetcher = Fetcher(timeout=60, allow_hosts=["127.0.0.1"], clock=lambda: float(next(ticks)))
    with pytest.raises(FetchTimeout):
        pull(fetcher, server.url, colour)


def test_the_time_limit_covers_an_async_resolver() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(FetchTimeout):
        pull(Fetcher(timeout=0.05, resolver=resolve), "http://x.test/", "async")


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": float("inf")}, {"max_bytes": 0}, {"max_hops": -1}])
def test_limits_that_limit_nothing_are_input_errors(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Fetcher(**options)


# Failures


@both_colours
@pytest.mark.parametrize(
    ("status", "retryable"),
    [("404 Not Found", False), ("403 Forbidden", False), ("429 Slow", True), ("503 Busy", True)],
)
def test_an_error_answer_gives_its_status_and_never_its_body(
    listen: Callable[..., Listener], colour: str, status: str, retryable: bool
) -> None:
    server = listen(answer(b"internal secret", status))
    with pytest.raises(ImageError, match=status[:3]) as caught:
        pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)
    assert (caught.value.status, caught.value.retryable) == (int(status[:3]), retryable)
    assert caught.value.body is None
    assert "secret" not in everything_said(caught.value)


@both_colours
@pytest.mark.parametrize("status", ["304 Not Modified", "300 Choices", "302 Found"])
def test_a_redirect_that_leads_nowhere_is_an_image_error(
    listen: Callable[..., Listener], colour: str, status: str
) -> None:
    server = listen(answer(b"", status))
    with pytest.raises(ImageError) as caught:
        pull(Fetcher(allow_hosts=["127.0.0.1"], follow_redirects=True), server.url, colour)
    assert caught.value.status == int(status[:3])


@both_colours
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"220 smtp.example.com ready\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", id="cut body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, id="endless headers"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="upgrade"),
    ],
)
def test_an_answer_that_is_no_http_is_an_image_error(listen: Callable[..., Listener], colour: str, data: bytes) -> None:
    server = listen(raw(data))
    with pytest.raises(ImageError):
        pull(Fetcher(allow_hosts=["127.0.0.1"]), server.url, colour)


@both_colours
def test_a_refused_connection_names_the_host_and_not_the_address(colour: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    fetcher = Fetcher(allow_hosts=["pictures.test"], resolver=resolving_to("127.0.0.1"))
    with pytest.raises(ImageError, match=r"no connection to 'pictures\.test'") as caught:
        pull(fetcher, f"http://pictures.test:{port}/", colour)
    assert "127.0.0.1" not in everything_said(caught.value)
    assert caught.value.retryable


@both_colours
@pytest.mark.parametrize("failure", [OSError("no such name at 10.1.1.1"), TimeoutError(), None])
def test_a_name_that_does_not_resolve_is_an_image_error(colour: str, failure: OSError | None) -> None:
    def resolve(host: str, port: int) -> list[str]:
        if failure is not None:
            raise failure
        return []

    with pytest.raises(ImageError, match=r"'pictures\.test' was not found") as caught:
        pull(Fetcher(resolver=resolve), "http://pictures.test/", colour)
    assert "10.1.1.1" not in everything_said(caught.value)


@both_colours
def test_a_url_that_is_no_text_is_a_type_error(colour: str) -> None:
    with pytest.raises(InputTypeError):
        pull(Fetcher(), b"http://example.com", colour)  # type: ignore[arg-type]


# Sockets and loops


@pytest.mark.skipif(sys.platform != "linux", reason="counts file descriptors in /proc")
@both_colours
def test_no_socket_stays_open(colour: str) -> None:
    fetcher = Fetcher(allow_hosts=["127.0.0.1"], max_bytes=1000)
    cut = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")

    def open_files_afterwards() -> int:
        for handler in (answer(), answer(bytes(100_000)), answer(bytes(100_000), "500 Broken"), cut):
            server = Listener(handler)
            with contextlib.suppress(ImageError):
                pull(fetcher, server.url, colour)
            server.close()
        return len(os.listdir("/proc/self/fd"))

    assert open_files_afterwards() == open_files_afterwards()


@pytest.mark.parametrize("tls", [False, True])
def test_a_cancelled_fetch_closes_its_socket_at_once(listen: Callable[..., Listener], tls: bool) -> None:
    if tls:
        silent = socket.create_server(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
    else:
        server = listen(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"a"))
        url = server.url
    fetcher = Fetcher(allow_hosts=["127.0.0.1"], ssl_context=ssl.create_default_context())

    async def main() -> None:
        task = asyncio.create_task(fetcher.afetch(url))
        for _ in range(200):
            await asyncio.sleep(0.01)
            if tls or server.requests:
                break
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    gc.collect()  # a socket left open would warn here
    if tls:
        with contextlib.closing(silent), contextlib.closing(silent.accept()[0]) as connection:
            connection.settimeout(1)
            while connection.recv(65536):
                pass
    else:
        assert server.closed.wait(1)


@pytest.mark.parametrize("packed", [False, True])
def test_an_async_fetch_never_holds_the_loop_for_long(listen: Callable[..., Listener], packed: bool) -> None:
    data = bytes(MAX_BYTES)
    body, headers = (gzipped(data), "Content-Encoding: gzip\r\n") if packed else (data, "")
    server = listen(answer(body, headers=headers))
    fetcher = Fetcher(timeout=60, allow_hosts=["127.0.0.1"])
    pull(fetcher, server.url, "sync")
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        # Time of this thread alone, so that a busy machine does not count.
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    async def main() -> int:
        watcher = asyncio.create_task(watch())
        fetched = await fetcher.afetch(server.url)
        watcher.cancel()
        return len(fetched.data)

    assert asyncio.run(main()) == MAX_BYTES
    assert longest < 0.05
