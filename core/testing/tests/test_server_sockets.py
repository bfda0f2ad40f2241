"""Ports that misbehave, and certificates that must not be trusted."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading

import pytest

from hb_testing.server import black_hole, refused_port, resetting_port, tls_server
from heavenbase.errors import UnknownNameError

CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def drain(client: socket.socket) -> None:
    with client:
        while client.recv(4096):
            pass


def read_to_end(port: int) -> None:
    drain(socket.create_connection(("127.0.0.1", port), timeout=5))


def test_a_refused_port_refuses_and_stays_reserved() -> None:
    with refused_port() as port:
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
        with socket.socket() as rival, pytest.raises(OSError):
            rival.bind(("127.0.0.1", port))


def test_a_black_hole_never_connects() -> None:
    with black_hole() as port:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.1", port), timeout=0.02)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_resetting_port_resets_before_anything_is_sent() -> None:
    threads = threading.active_count()
    with resetting_port() as port:
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                read_to_end(port)
    assert threading.active_count() == threads


def ask(port: int, context: ssl.SSLContext) -> str:
    client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    try:
        client.request("POST", "/openai/v1/chat/completions", CHAT)
        return str(json.loads(client.getresponse().read())["choices"][0]["message"]["content"])
    finally:
        client.close()


def test_a_good_certificate_is_accepted_by_who_trusts_the_authority() -> None:
    with tls_server() as server:
        assert server.url("openai").startswith("https://127.0.0.1:")
        assert ask(server.port, server.client_context()) == "echo: hi"
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server.port, ssl.create_default_context())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("self-signed", "self-signed certificate"),
        ("expired", "certificate has expired"),
        ("wrong-host", "IP address mismatch"),
    ],
)
def test_a_bad_certificate_is_refused_for_its_reason(kind: str, reason: str) -> None:
    with tls_server(kind) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            ask(server.port, server.client_context())
        assert server.requests == []


def test_a_tls_server_can_reset_and_takes_the_options_of_the_loopback_server() -> None:
    with tls_server("good", require_key="k") as server:
        with pytest.raises(KeyError):
            ask(server.port, server.client_context())
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        client = server.client_context().wrap_socket(plain, server_hostname="127.0.0.1")
        client.sendall(b"POST /f/N2.b/v1/chat/completions HTTP/1.1\r\n\r\n")
        # Below TLS, since the ssl module shows a RST as an end of file.
        below = socket.socket(fileno=client.detach())
        below.settimeout(5)
        with pytest.raises(ConnectionResetError):
            drain(below)


def test_an_unknown_kind_of_certificate_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'expired'"), tls_server("expire"):
        pass


def test_a_handshake_that_never_ends_does_not_outlive_its_server() -> None:
    with tls_server() as server:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        client.sendall(b"\x16\x03\x01")
    received = b"nothing"
    with client, contextlib.suppress(ConnectionResetError):
        received = client.recv(1)
    # Closed with FIN or RST, whichever the handshake had come to.
    assert received in (b"", b"nothing")
