"""Edges of HTTP on every native wire, in both colours: one request, a typed error, and nothing of an answer before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.conformance.rig import environment
from hb_testing.server import RawServer
from heavenbase.config.config import Config
from heavenbase.errors import AuthError, HBError, ProtocolError, RateLimitError, RedirectRefused, StatusError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from tests.matrix import EVERY, INSTALLED, WAYS, Row, opened

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SAID = b'{"error": {"message": "no"}}'
BROKEN = {
    "a success that nobody knows": b"HTTP/1.1 299 Odd\r\ncontent-length: 2\r\n\r\n{}",
    "a status above all": b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}",
    "ten thousand headers": OK + b"x-y: z\r\n" * 10_000 + b"content-length: 2\r\n\r\n{}",
    "a huge header": OK + b"x-y: " + b"z" * 1_000_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "a folded header": OK + b"x-y: z\r\n and more\r\ncontent-length: 2\r\n\r\n{}",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 20\r\n\r\n{}",
    "a length and chunks": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    "a bad chunk": OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "NUL": OK + b"x-y: \0\r\ncontent-length: 2\r\n\r\n{}",
    "a bare CR": OK + b"x-y: a\rb\r\ncontent-length: 2\r\n\r\n{}",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
    "no HTTP": b"220 mail.example ESMTP\r\n",
}
BOTH = pytest.mark.parametrize("colour", [*COLOURS], indirect=True)


@pytest.fixture
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Sync and async."""
    with opened(request.param) as made:
        yield made


@contextmanager
def aimed(row: Row, colour: Colour, server: RawServer) -> Iterator[LLM]:
    """An LLM of the provider that asks the server, with retries that wait for nothing."""

    async def asleep(seconds: float) -> None:
        pass

    config = Config.from_dict(
        {"heavenbase.llm.cache.enabled": False},
        environ=environment(**{row.address: server.url(""), row.keys[0]: row.key}),
    )
    with Kernel(config, sleep=lambda seconds: None, asleep=asleep) as kernel:
        yield LLM(model=f"{row.name}/{row.model}", kernel=kernel, max_retries=2)


def failure(llm: LLM, colour: Colour, way: str) -> HBError:
    with pytest.raises(HBError) as caught:
        colour.chat(llm, "hi") if way == "complete" else colour.stream(llm, "hi")
    return caught.value


@EVERY
@BOTH
@WAYS
@pytest.mark.parametrize("name", BROKEN)
def test_b17_what_breaks_http_is_asked_for_once(row: Row, colour: Colour, way: str, name: str) -> None:
    with RawServer([BROKEN[name], None]) as server, aimed(row, colour, server) as llm:
        error = failure(llm, colour, way)
        assert type(error) is ProtocolError, repr(error)
        assert error.provider == row.name
        assert error.maybe_billed
        assert len(server.requests) == 1


@EVERY
@BOTH
@WAYS
@pytest.mark.parametrize(
    "rest",
    [
        b"content-length: 500\r\n\r\n" + SAID,
        b"transfer-encoding: chunked\r\n\r\n1c\r\n" + SAID + b"\r\nzz\r\n",
        b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nno!",
    ],
    ids=["cut", "bad chunk", "no gzip"],
)
def test_b17_the_status_decides_what_a_broken_refusal_is(row: Row, colour: Colour, way: str, rest: bytes) -> None:
    with RawServer([b"HTTP/1.1 401 No\r\n" + rest, None]) as server, aimed(row, colour, server) as llm:
        error = failure(llm, colour, way)
        assert type(error) is AuthError, repr(error)
        assert len(server.requests) == 1


@EVERY
@BOTH
@WAYS
def test_b17_neither_cookies_nor_what_follows_an_answer_meet_the_next_call(row: Row, colour: Colour, way: str) -> None:
    refused = b"HTTP/1.1 400 No\r\nset-cookie: a=\xe9; Path=/\r\nset-cookie: b=c\r\ncontent-length: 28\r\n\r\n" + SAID
    stranger = b"HTTP/1.1 401 No\r\ncontent-length: 28\r\n\r\n" + SAID
    with RawServer(refused + stranger) as server, aimed(row, colour, server) as llm:
        errors: list[Any] = [failure(llm, colour, way) for _ in range(3)]
        assert [error.status for error in errors] == [400] * 3
        assert all(isinstance(error, StatusError) for error in errors)
        assert len(server.requests) == 3
        assert not [request for request in server.requests if b"\r\ncookie:" in request.lower()]


@EVERY
@BOTH
@WAYS
@pytest.mark.parametrize("status", [301, 307, 308])
def test_b17_no_key_goes_where_a_redirect_leads(row: Row, colour: Colour, way: str, status: int) -> None:
    with RawServer(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n") as other:
        told = f"HTTP/1.1 {status} There\r\nlocation: {other.url()}\r\ncontent-length: 0\r\n\r\n".encode()
        with RawServer(told) as server, aimed(row, colour, server) as llm:
            assert type(failure(llm, colour, way)) is RedirectRefused
            assert (len(server.requests), other.accepted) == (1, 0)


@EVERY
@BOTH
def test_b17_informational_answers_come_before_the_answer(row: Row, colour: Colour) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    limited = b"HTTP/1.0 429 Slow\r\nretry-after: 3600\r\n\r\n" + SAID
    with RawServer([early, limited, None]) as server, aimed(row, colour, server) as llm:
        error = failure(llm, colour, "complete")
        assert type(error) is RateLimitError
        assert error.retry_after == 3600


@EVERY
@BOTH
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error": ' * 1000 + b"1" + b"}" * 1000], ids=["list", "error"])
def test_b17_the_status_decides_where_a_body_is_too_much_for_an_sdk(row: Row, colour: Colour, body: bytes) -> None:
    refused = b"HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    with RawServer(refused) as server, aimed(row, colour, server) as llm:
        assert type(failure(llm, colour, "complete")) is AuthError
        assert len(server.requests) == 1


@BOTH
def test_b17_a_stream_whose_end_is_proved_is_whole_though_its_last_chunk_is_broken(colour: Colour) -> None:
    row = next(row for row in INSTALLED if row.name == "gemini")
    said = {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}]}
    data = b"data: " + json.dumps(said).encode() + b"\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    with (
        RawServer(head + b"%x\r\n" % len(data) + data + b"\r\nzz\r\n") as server,
        aimed(row, colour, server) as llm,
    ):
        assert "".join(chunk.text for chunk in colour.stream(llm, "hi")) == "Hi"
