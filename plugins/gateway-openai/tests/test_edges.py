"""Edges of HTTP through the openai SDK: its client must add nothing of its own to what the connections hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.server import RawServer
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse

from .support import Caller, make_spec

ASKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def answer(text: str, *headers: str) -> bytes:
    """A whole chat completion."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    said = json.dumps(body).encode()
    lines = "".join(f"{line}\r\n" for line in headers).encode("latin-1")
    return ASKED + lines + b"content-length: %d\r\n\r\n" % len(said) + said


def several(caller: Caller, mode: str, server: RawServer, count: int) -> list[str]:
    """The texts of several calls, of async ones on one loop."""
    spec = make_spec(server.url())
    if not mode.startswith("a"):
        return [caller.run(mode, spec).text for _ in range(count)]

    async def work() -> list[str]:
        try:
            return [(await caller.arun(mode, spec)).text for _ in range(count)]
        finally:
            await caller.clients.aclose()

    return asyncio.run(work())


@pytest.mark.parametrize("behind", [answer("stranger"), answer("stranger")[:50], b"\r\n", b"\0" * 100_000])
def test_b17_the_answer_to_a_request_is_its_own(caller: Caller, mode: str, behind: bytes) -> None:
    with RawServer(answer("one") + behind, answer("two") + behind, answer("three")) as server:
        assert several(caller, mode, server, 3) == ["one", "two", "three"]
        assert server.accepted == 3


def test_b17_a_connection_that_kept_to_its_answers_serves_again(caller: Caller, mode: str) -> None:
    with RawServer(answer("same")) as server:
        assert several(caller, mode, server, 3) == ["same"] * 3
        assert server.accepted == 1


@pytest.mark.parametrize("cookie", ["id=1; Path=/", "id=\xe9\xff", "id=1; Domain=127.0.0.1; Max-Age=99999"])
def test_b17_what_a_server_would_have_kept_is_told_to_nobody(caller: Caller, mode: str, cookie: str) -> None:
    with RawServer(answer("same", f"set-cookie: {cookie}", "Set-Cookie: other=2")) as server:
        assert several(caller, mode, server, 3) == ["same"] * 3
        assert not [request for request in server.requests if b"\r\ncookie:" in request.lower()]


REFUSED: Any = pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "context_length_exceeded", errors.ContextOverflow),
        (401, "invalid_api_key", errors.AuthError),
        (429, "insufficient_quota", errors.QuotaExhausted),
        (500, "", errors.ServerError),
    ],
)


@REFUSED
@pytest.mark.parametrize("rest", ["length", "half a body", "chunks", "bad chunk"])
def test_b17_a_refusal_that_breaks_off_is_what_its_status_says(
    caller: Caller, mode: str, rest: str, status: int, code: str, kind: type[errors.HBError]
) -> None:
    said = json.dumps({"error": {"message": "no", "code": code}}).encode()
    if rest in ("length", "half a body"):
        body = b"content-length: 9999\r\n\r\n" + (said if rest == "length" else said[:-1] + b', "param": "mess')
    else:
        body = b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(said) + said + b"\r\n"
        body += b"?\r\n" if rest == "bad chunk" else b"5\r\n  "
    head = b"HTTP/1.1 %d No\r\nx-request-id: r-1\r\n" % status
    with RawServer([head + body, None]) as server, pytest.raises(errors.HBError) as caught:
        caller.run(mode, make_spec(server.url()))
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.request_id) == (status, "r-1")
    assert caught.value.__cause__ is None


def test_b17_an_exported_client_keeps_no_cookies(caller: Caller) -> None:
    with RawServer(answer("same", "set-cookie: id=\xe9")) as server:
        client = caller.gateway.to_client(make_spec(server.url()))
        for _ in range(2):
            client.chat.completions.create(model="m", messages=[])
        assert not [request for request in server.requests if b"\r\ncookie:" in request.lower()]


class Given:
    """A kernel's own transport that gives one answer."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.answer = answer
        self.count = 0

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.count += 1
        return self.answer

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


def broken_off() -> Iterator[bytes]:
    yield b'{"error": {"message": "no", "code": "invalid_api_key"}}'
    raise ConnectionResetError("the peer is gone")


@pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (HTTPResponse(999, (), b"{}"), errors.ProtocolError),
        (HTTPResponse(299, (), b"{}"), errors.ProtocolError),
        (HTTPResponse(0, (), b"{}"), errors.ProtocolError),
        (HTTPResponse(200, [("x", "y")] * 10_000, b"{}"), errors.ProtocolError),
        (HTTPResponse(401, (), broken_off()), errors.AuthError),
        (HTTPResponse(308, [("location", "https://else.test")], b""), errors.RedirectRefused),
    ],
    ids=["999", "299", "0", "many headers", "broken off", "redirect"],
)
def test_b17_the_kernels_own_transport_keeps_the_same_rules(mode: str, answer: HTTPResponse, kind: type) -> None:
    transport = Given(answer)
    with pytest.raises(errors.HBError) as caught:
        Caller(transport=transport).run(mode, make_spec())
    assert type(caught.value) is kind
    assert transport.count == 1


WRONG: Any = [
    None,
    HTTPResponse("200", (), b"{}"),  # type: ignore[arg-type]
    HTTPResponse(200, [("x", "\u2603")], b"{}"),
    HTTPResponse(200, [(1, 2)], b"{}"),  # type: ignore[list-item]
    HTTPResponse(200, (), "text"),  # type: ignore[arg-type]
    HTTPResponse(200, (), [1]),  # type: ignore[list-item]
    HTTPResponse(200, (), None),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])
@pytest.mark.parametrize("answer", WRONG, ids=repr)
def test_b17_a_transport_that_answers_with_something_else_is_named(mode: str, answer: Any) -> None:
    transport = Given(answer)
    with pytest.raises(errors.PluginContractError, match="the kernel's transport"):
        Caller(transport=transport).run(mode, make_spec())
    assert transport.count == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_b17_a_deletion_may_have_nothing_to_say_and_an_answer_may_not(is_async: bool) -> None:
    import heavenbase as hb

    transport = Given(HTTPResponse(204))
    settings = {"heavenbase.llm.cache.enabled": False}
    with hb.Kernel(settings, transport=transport) as kernel:
        llm = hb.LLM(provider="openai", model="gpt-4o", api_key="sk-key-000", kernel=kernel)
        asyncio.run(llm.files.adelete("file-1")) if is_async else llm.files.delete("file-1")
        with pytest.raises(errors.ProtocolError, match="204"):
            asyncio.run(llm.achat("hi")) if is_async else llm.chat("hi")
    assert transport.count == 2
