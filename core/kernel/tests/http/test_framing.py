"""The rules of HTTP/1.1 for what comes on a connection: what is passed on, what is refused, what is dropped."""

from __future__ import annotations

import itertools
import time

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.errors import ProtocolError
from heavenbase.http.transport.exchange import Exchange
from heavenbase.http.transport.framing import FIELD_LIMIT, HEAD_LIMIT, Framing
from heavenbase.spec import Timeouts

OK = b"HTTP/1.1 200 OK\r\n"
GOOD = {
    "length": OK + b"Content-Length: 5\r\n\r\nhello",
    "length of nothing": OK + b"Content-Length: 0\r\n\r\n",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
    "chunks and trailers": OK + b"transfer-encoding: Chunked\r\n\r\n5 \r\nhello\r\n00\r\nx: 1\r\ny:2\r\n\r\n",
    "informational first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    + OK
    + b"Content-Length: 2\r\n\r\nok",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "bare line ends": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bytes above ASCII": OK + b"x: caf\xe9 \t\xff\r\ncontent-length: 2\r\n\r\nok",
    "many headers": OK + b"x: 1\r\n" * (FIELD_LIMIT - 1) + b"content-length: 2\r\n\r\nok",
}
OPEN = {
    "to the end": OK + b"\r\nhello",
    "the old version": b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nhello",
}
BAD = {
    "lengths that differ": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "lengths in one header": OK + b"content-length: 5, 6\r\n\r\nhello!",
    "a length and chunks": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below nothing": OK + b"content-length: -1\r\n\r\n",
    "a length with a sign": OK + b"content-length: +5\r\n\r\nhello",
    "a length in words": OK + b"content-length: five\r\n\r\nhello",
    "an endless length": OK + b"content-length: 99999999999999999999\r\n\r\n",
    "an empty length": OK + b"content-length:\r\n\r\n",
    "two encodings": OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
    "chunks in the old version": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": OK + b"transfer-encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    "a chunk of a negative size": OK + b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a sign": OK + b"transfer-encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size as Python writes it": OK + b"transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "a blank before an extension": OK + b"transfer-encoding: chunked\r\n\r\n5 ;x\r\nhello\r\n0\r\n\r\n",
    "NUL in an extension": OK + b"transfer-encoding: chunked\r\n\r\n5;\0\r\nhello\r\n0\r\n\r\n",
    "an endless chunk": OK + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    "an endless line of a chunk": OK + b"transfer-encoding: chunked\r\n\r\n5;" + b"x" * 9000,
    "a chunk that is too long": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    "a chunk behind a bare line end": OK + b"transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "trailers that are none": OK + b"transfer-encoding: chunked\r\n\r\n0\r\nwhat\r\n\r\n",
    "endless trailers": OK + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x: 123\r\n" * 9000,
    "a folded header": OK + b"x: one\r\n two\r\ncontent-length: 0\r\n\r\n",
    "a header folded by a tab": OK + b"x: one\r\n\ttwo\r\ncontent-length: 0\r\n\r\n",
    "NUL": OK + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
    "a bare CR": OK + b"x: a\rb: c\r\ncontent-length: 0\r\n\r\n",
    "an escape": OK + b"x: \x1b[31m\r\ncontent-length: 0\r\n\r\n",
    "NUL in the status line": b"HTTP/1.1 200 O\0K\r\ncontent-length: 0\r\n\r\n",
    "a blank in a name": OK + b"content length: 0\r\n\r\n",
    "a blank behind a name": OK + b"content-length : 0\r\n\r\n",
    "a header without a name": OK + b": x\r\n\r\n",
    "a header without a colon": OK + b"content-length\r\n\r\n",
    "too many headers": OK + b"x: 1\r\n" * (FIELD_LIMIT + 1) + b"\r\n",
    "a huge header": OK + b"x: " + b"y" * HEAD_LIMIT + b"\r\n\r\n",
    "a head without an end": OK + b"x: 1\r\n" * 20_000,
    "informational for ever": b"HTTP/1.1 102 Processing\r\n\r\n" * 4000,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "a version without a part": b"HTTP/1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "a blank line first": b"\r\n" + OK + b"content-length: 0\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
    "a status above all": b"HTTP/1.1 999 No\r\ncontent-length: 0\r\n\r\n",
    "a status below all": b"HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n",
}


def framing(**options: bool) -> Framing:
    made = Framing()
    made.begin(Exchange("acme/m", Timeouts()), **options)
    return made


def events(answer: bytes) -> list[object]:
    """What another parser makes of bytes: the heads, the body in one piece, the trailers."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(answer)
    found: list[object] = []
    body = b""
    while (event := reader.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
        if isinstance(event, h11.Data):
            body += event.data
        else:
            found.append(event)
        if isinstance(event, h11.EndOfMessage):
            break
    return [*found, body]


@pytest.mark.parametrize("name", GOOD)
def test_b17_an_answer_that_keeps_the_rules_passes_as_it_came(name: str) -> None:
    followed = framing()
    passed = followed.feed(GOOD[name])
    assert passed == GOOD[name] if "chunks" not in name else events(passed) == events(GOOD[name])
    assert not followed.is_spent
    assert followed.feed(b"x") == b""
    assert followed.is_spent


@pytest.mark.parametrize("name", OPEN)
def test_b17_an_answer_without_a_length_ends_with_the_connection(name: str) -> None:
    followed = framing()
    assert followed.feed(OPEN[name]) == OPEN[name]
    assert followed.feed(b"x" * 1000) == b"x" * 1000
    assert not followed.is_spent


@pytest.mark.parametrize("name", BAD)
def test_b17_what_breaks_the_rules_is_a_protocol_error(name: str) -> None:
    followed = framing()
    followed.feed(BAD[name])
    error = followed.failure
    assert type(error) is ProtocolError
    assert not error.retryable
    assert error.kind == "protocol"
    assert "acme/m: the answer" in str(error)


@pytest.mark.parametrize("name", [*GOOD, *OPEN])
@given(data=st.data())
def test_b17_where_the_bytes_are_cut_makes_no_difference(name: str, data: st.DataObject) -> None:
    answer = (GOOD | OPEN)[name]
    whole = answer + (b"HTTP/1.1 200 OK\r\n" if name in GOOD else b"")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    followed = framing()
    pieces = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)])]
    passed = b"".join(followed.feed(piece) for piece in pieces)
    assert passed == answer if "chunks" not in name else events(passed) == events(answer)
    assert followed.is_spent == (name in GOOD)


@pytest.mark.parametrize("name", BAD)
def test_b17_what_breaks_the_rules_does_so_byte_by_byte(name: str) -> None:
    followed = framing()
    for place in range(len(BAD[name])):
        followed.feed(BAD[name][place : place + 1])
        if followed.failure is not None:
            break
    assert type(followed.failure) is ProtocolError


def test_b17_no_part_of_a_head_is_passed_on_before_it_is_whole() -> None:
    followed = framing()
    first = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert followed.feed(first + OK + b"content-le") == first
    assert followed.feed(b"ngth: 1\r\n") == b""
    assert followed.feed(b"\r\nx") == OK + b"content-length: 1\r\n\r\nx"


def test_b17_the_answer_to_a_head_request_has_no_body() -> None:
    followed = framing(is_bare=True)
    head = OK + b"content-length: 5\r\n\r\n"
    assert followed.feed(head + b"hello") == head
    assert followed.is_spent


def test_b17_one_connection_carries_many_answers() -> None:
    followed = Framing()
    for answer in GOOD.values():
        followed.begin(Exchange("acme/m", Timeouts()))
        assert events(followed.feed(answer)) == events(answer)
    assert not followed.is_spent


def test_chunks_that_come_together_are_passed_on_as_one() -> None:
    followed = framing()
    head = OK + b"transfer-encoding: chunked\r\n\r\n"
    assert followed.feed(head + b"2\r\nab\r\n003;x\r\ncde\r\n4\r\nf") == head + b"5\r\nabcde\r\n4\r\nf"
    assert followed.feed(b"ghi\r") == b"ghi\r"
    assert followed.feed(b"\n1\r\n1\r\n1\r\n2\r\n0\r\n\r\nHTTP") == b"\n2\r\n12\r\n0\r\n\r\n"
    assert followed.is_spent


@pytest.mark.parametrize("bad", [b"zz\r\n", b"\r\n", b"5\r\nhello!\r\n"])
def test_chunks_before_a_bad_one_are_passed_on(bad: bytes) -> None:
    followed = framing()
    head = OK + b"transfer-encoding: chunked\r\n\r\n"
    passed = followed.feed(head + b"2\r\nab\r\n3\r\ncde\r\n" + bad)
    assert passed.startswith(head + b"5\r\nabcde\r\n")
    assert isinstance(followed.failure, ProtocolError)
    assert followed.feed(b"1\r\n1\r\n") == b""


EXTENSIONS = [b"", b" ", b";a=b", b";", b"; q=1", b";\xe9", b';a="', b";" + b"x" * 3_990]


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from(EXTENSIONS)), max_size=9),
    st.sampled_from([b"", b"x: 1\r\n"]),
    st.data(),
)
def test_b17_joined_chunks_hold_the_same_body_and_no_parser_sees_an_extension(
    parts: list[tuple[bytes, bytes]], trailer: bytes, data: st.DataObject
) -> None:
    head, end = OK + b"transfer-encoding: chunked\r\n\r\n", b"0\r\n" + trailer + b"\r\n"
    plain = head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part, _ in parts) + end
    answer = head + b"".join(b"%X%s\r\n%s\r\n" % (len(part), said, part) for part, said in parts) + end
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1), max_size=12)))
    followed = framing()
    passed = b"".join(followed.feed(answer[a:b]) for a, b in itertools.pairwise([0, *cuts, len(answer)]))
    assert followed.failure is None
    assert events(passed) == events(plain)
    assert len(passed) <= len(plain)


@pytest.mark.parametrize("step", [1, 60, 5_000, 10_000])
def test_b17_an_extension_that_is_too_long_is_refused_however_it_comes(step: int) -> None:
    followed = framing()
    answer = OK + b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 5_000 + b"\r\na\r\n0\r\n\r\n"
    for place in range(0, len(answer), step):
        followed.feed(answer[place : place + step])
    assert isinstance(followed.failure, ProtocolError)


def test_b17_bytes_before_any_request_are_nobodys() -> None:
    followed = Framing()
    assert followed.feed(b"220 mail.example\r\n") == b""
    assert followed.is_spent


def test_b17_small_pieces_take_linear_time() -> None:
    def seconds(size: int) -> float:
        answer = OK + b"x: " + b"y" * size
        best = 60.0
        for _ in range(3):
            followed = framing()
            started = time.process_time()
            for place in range(len(answer)):
                followed.feed(answer[place : place + 1])
            best = min(best, time.process_time() - started)
        return best

    assert seconds(60_000) < 4 * seconds(30_000) + 0.05
