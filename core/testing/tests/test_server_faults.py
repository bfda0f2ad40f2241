"""The loopback server's faults of status, body and connection, seen from the other end of the socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from hb_testing.server import FAULT_TOKENS, LoopbackServer, fault_names
from heavenbase.errors import InputError

NOW = 1_800_000_000.25
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(clock=lambda: NOW) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(server: LoopbackServer) -> None:
    server.clear()


def connect(server: LoopbackServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def request(fault: str, body: bytes = json.dumps(CHAT).encode(), key: str = "k") -> bytes:
    lines = (f"POST /f/{fault}/v1/chat/completions HTTP/1.1", f"Authorization: Bearer {key}")
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


def get(server: LoopbackServer, fault: str, *, stream: bool = False) -> tuple[http.client.HTTPResponse, bytes]:
    body = json.dumps({**CHAT, "stream": stream}).encode()
    with connect(server) as client:
        client.sendall(request(fault, body, "canary-key"))
        answer = http.client.HTTPResponse(client, method="POST")
        answer.begin()
        return answer, answer.read()


def error(server: LoopbackServer, fault: str) -> tuple[int, Any]:
    answer, body = get(server, fault)
    return answer.status, json.loads(body)["error"]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code"),
    [
        ("S1.400", 400, "invalid_request_error", None),
        ("S1.401", 401, "invalid_request_error", "invalid_api_key"),
        ("S1.403", 403, "request_forbidden", "unsupported_country_region_territory"),
        ("S1.404", 404, "invalid_request_error", "model_not_found"),
        ("S1.422", 422, "invalid_request_error", None),
        ("S2.402", 402, "billing_error", "insufficient_balance"),
        ("S2.429", 429, "insufficient_quota", "insufficient_quota"),
        ("S5.500", 500, "server_error", None),
        ("S5.503", 503, "server_error", None),
        ("S5.504", 504, "server_error", None),
        ("S5.529", 529, "overloaded_error", None),
    ],
)
def test_status_faults_answer_for_ever_in_openais_shape(
    server: LoopbackServer, fault: str, status: int, kind: str, code: str | None
) -> None:
    for _ in range(3):
        found, shown = error(server, fault)
        assert (found, shown["type"], shown["code"]) == (status, kind, code)


def test_s1_401_repeats_the_key(server: LoopbackServer) -> None:
    assert "canary-key" in error(server, "S1.401")[1]["message"]


def test_s5_502_is_a_page(server: LoopbackServer) -> None:
    answer, body = get(server, "S5.502")
    assert (answer.status, answer.getheader("content-type")) == (502, "text/html")
    assert body.startswith(b"<html>")


@pytest.mark.parametrize(
    ("fault", "header", "value"),
    [
        ("S3.number", "retry-after", "2"),
        ("S3.number-5", "retry-after", "5"),
        ("S3.date", "retry-after", "Fri, 15 Jan 2027 08:00:03 GMT"),
        ("S3.date-60", "retry-after", "Fri, 15 Jan 2027 08:01:01 GMT"),
        ("S3.ms", "retry-after-ms", "2000"),
        ("S3.ms-15", "retry-after-ms", "15"),
    ],
)
def test_s3_limits_the_first_request_and_then_succeeds(
    server: LoopbackServer, fault: str, header: str, value: str
) -> None:
    answer, body = get(server, fault)
    assert (answer.status, answer.getheader(header)) == (429, value)
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    answer, body = get(server, fault)
    assert json.loads(body)["choices"][0]["message"]["content"] == "echo: hi"
    assert get(server, fault, stream=True)[1].endswith(b"data: [DONE]\n\n")


def test_s3_its_date_is_never_too_early() -> None:
    assert math.ceil(NOW) + 2 - NOW >= 2


@pytest.mark.parametrize(
    ("fault", "status", "header", "value"),
    [("S4.retry-after", 429, "retry-after", "3600"), ("S4.should-retry", 503, "x-should-retry", "false")],
)
def test_s4_says_no_every_time(server: LoopbackServer, fault: str, status: int, header: str, value: str) -> None:
    for _ in range(2):
        answer, _ = get(server, fault)
        assert (answer.status, answer.getheader(header)) == (status, value)


def test_s6_points_to_the_other_listener(server: LoopbackServer) -> None:
    with LoopbackServer() as other:
        server.redirect_to = other.origin
        answer, _ = get(server, "S6.302")
        assert (answer.status, answer.getheader("location")) == (302, f"{other.origin}/v1/chat/completions")
        assert get(server, "S6.307")[0].status == 307
        assert other.request_count == 0


def test_s6_without_a_target_says_what_to_do() -> None:
    with pytest.raises(InputError, match="redirect_to"), LoopbackServer() as server:
        assert get(server, "S6.302")[0].status == 500


@pytest.mark.parametrize(
    ("fault", "kind", "body"),
    [("B1.html", "text/html", b"<!DOCTYPE html>"), ("B1.empty", "application/json", b"")],
)
def test_b1_bodies_that_are_no_json(server: LoopbackServer, fault: str, kind: str, body: bytes) -> None:
    answer, got = get(server, fault)
    assert (answer.status, answer.getheader("content-type")) == (200, kind)
    assert got[: len(body) or 1] == body


def test_b1_invalid_json_and_invalid_utf8(server: LoopbackServer) -> None:
    for stream in (False, True):
        with pytest.raises(json.JSONDecodeError):
            json.loads(payload(get(server, "B1.invalid-json", stream=stream)[1]))
        with pytest.raises(UnicodeDecodeError):
            payload(get(server, "B1.invalid-utf8", stream=stream)[1]).decode()


def payload(body: bytes) -> bytes:
    """The JSON of an answer: the body, or the data of the one event of a stream."""
    return body.removeprefix(b"data: ").strip()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "choices"),
    [("B1.choices-null", None), ("B1.choices-empty", []), ("B1.choices-missing", "missing")],
)
def test_b1_choices_of_the_wrong_shape(server: LoopbackServer, fault: str, choices: Any, stream: bool) -> None:
    assert json.loads(payload(get(server, fault, stream=stream)[1])).get("choices", "missing") == choices


def test_b1_message_null(server: LoopbackServer) -> None:
    for stream, field in ((False, "message"), (True, "delta")):
        choice = json.loads(payload(get(server, "B1.message-null", stream=stream)[1]))["choices"][0]
        assert choice[field] is None


@pytest.mark.parametrize("status", [429, 502])
def test_b2_is_an_error_inside_a_200(server: LoopbackServer, status: int) -> None:
    for stream in (False, True):
        answer, body = get(server, f"B2.{status}", stream=stream)
        assert (answer.status, json.loads(payload(body))["error"]["code"]) == (200, status)


def test_b3_depth_defeats_a_recursive_parser(server: LoopbackServer) -> None:
    _, body = get(server, "B3.depth")
    assert body.count(b"[") == body.count(b"]") == 100_000
    with pytest.raises(RecursionError):
        json.loads(body)
    assert json.loads(get(server, "B3.depth-2")[1])["choices"] == [[]]


@pytest.mark.parametrize(("fault", "literal"), [("nan", b"NaN"), ("infinity", b"Infinity"), ("1e400", b"1e400")])
def test_b3_numbers_that_are_none(server: LoopbackServer, fault: str, literal: bytes) -> None:
    _, body = get(server, f"B3.{fault}")
    assert b'"total_tokens":%b}' % literal in body
    assert not math.isfinite(json.loads(body)["usage"]["total_tokens"])


@pytest.mark.parametrize(
    ("fault", "text", "sent"),
    [("B3.surrogate", "half \ud800 pair", rb"half \ud800 pair"), ("B3.nul", "a \x00 b", rb"a \u0000 b")],
)
def test_b3_text_that_is_hard_to_print(server: LoopbackServer, fault: str, text: str, sent: bytes) -> None:
    for stream in (False, True):
        assert sent in get(server, fault, stream=stream)[1]
    assert json.loads(get(server, fault)[1])["choices"][0]["message"]["content"] == text


def test_b4_gzip_grows_a_thousandfold(server: LoopbackServer) -> None:
    answer, body = get(server, "B4.gzip-5")
    assert answer.getheader("content-encoding") == "gzip"
    assert len(body) < 6_000
    assert zlib.decompress(body, 31) == bytes(5_000_000)


@pytest.mark.parametrize("stream", [False, True])
def test_b4_endless_goes_on_until_the_client_leaves(server: LoopbackServer, stream: bool) -> None:
    with connect(server) as client:
        client.sendall(request("B4.endless", json.dumps({**CHAT, "stream": stream}).encode()))
        answer = http.client.HTTPResponse(client)
        answer.begin()
        for _ in range(8):
            assert len(answer.read(1_000_000)) == 1_000_000
        answer.close()
    server.wait_for(lambda s: s.connections == 0)


def test_b5_has_huge_arguments_in_one_piece_or_many(server: LoopbackServer) -> None:
    whole = json.loads(get(server, "B5.one-2")[1])["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert len(json.loads(whole)["text"]) == 2_000_000
    for fault, pieces in (("B5.one-2", 1), ("B5.deltas-50-2", 50)):
        body = get(server, fault, stream=True)[1]
        data = [json.loads(event[6:]) for event in body.split(b"\n\n") if event.startswith(b"data: {")]
        calls = [call for event in data for call in event["choices"][0]["delta"].get("tool_calls", ())]
        assert len(calls) == pieces + 1
        assert "".join(call["function"]["arguments"] for call in calls) == whole
        assert data[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_n2_a_resets_a_client_that_is_still_sending(server: LoopbackServer) -> None:
    with connect(server) as client, pytest.raises(ConnectionError):
        client.sendall(request("N2.a", bytes(64_000_000)))
    assert [(seen.path, seen.complete, seen.body) for seen in server.requests] == [
        ("/f/N2.a/v1/chat/completions", False, b"")
    ]


def test_n2_b_resets_after_the_whole_request(server: LoopbackServer) -> None:
    with connect(server) as client:
        client.sendall(request("N2.b"))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert server.requests[0].complete


def test_n2_c_promises_fifty_bytes_more(server: LoopbackServer) -> None:
    for stream, content in ((False, b"echo: hi"), (True, b'"role":"assistant"')):
        with pytest.raises(http.client.IncompleteRead) as caught:
            get(server, "N2.c", stream=stream)
        assert caught.value.expected == 50
        assert content in caught.value.partial


def test_e9_a_reads_and_says_nothing(server: LoopbackServer) -> None:
    with connect(server) as client:
        client.settimeout(0.03)
        client.sendall(request("E9.a"))
        with pytest.raises(TimeoutError):
            client.recv(1)
    server.wait_for(lambda s: s.connections == 0)
    assert server.requests[0].closed_at is not None


@pytest.mark.parametrize(("stream", "kind"), [(True, "text/event-stream; charset=utf-8"), (False, "application/json")])
def test_e9_b_sends_headers_and_nothing_else(server: LoopbackServer, stream: bool, kind: str) -> None:
    with connect(server) as client:
        client.sendall(request("E9.b", json.dumps({**CHAT, "stream": stream}).encode()))
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.getheader("content-type")) == (200, kind)
        client.settimeout(0.03)
        with pytest.raises(TimeoutError):
            answer.read1(1)
        answer.close()


def test_e9_c_stops_after_the_first_token(server: LoopbackServer) -> None:
    for stream, seen, unseen in ((True, "Grüße", "schöne"), (False, "choices", "total_tokens")):
        with connect(server) as client:
            client.sendall(request("E9.c", json.dumps({**CHAT, "stream": stream}).encode()))
            client.settimeout(0.03)
            got = b""
            with contextlib.suppress(TimeoutError):
                while received := client.recv(65536):
                    got += received
                raise AssertionError("the server closed")
        assert seen in got.decode()
        assert unseen not in got.decode()


def test_every_fault_of_the_matrix_is_registered() -> None:
    families = {name.partition(".")[0] for name in fault_names()}
    assert families >= {"N2", *(f"S{n}" for n in range(1, 7)), *(f"B{n}" for n in range(1, 6))}
    assert families >= {f"E{n}" for n in range(1, 10)}


def test_faults_for_openai_shapes_do_not_exist_on_other_wires() -> None:
    assert "B1.choices-null" in fault_names("openai")
    assert "B1.choices-null" not in fault_names("anthropic")
    assert "S5.503" in fault_names("anthropic")


def test_the_sdk_meets_faults_by_base_url_alone(server: LoopbackServer) -> None:
    with openai.OpenAI(api_key="k", base_url=server.url(fault="E2.3"), max_retries=0, timeout=5) as client:
        stream = client.chat.completions.create(**CHAT, stream=True)  # type: ignore[call-overload]
        seen = [next(stream).choices[0].delta.content for _ in range(4)]
        with pytest.raises(openai.APIConnectionError):
            next(stream)
    assert "".join(seen) == "".join(FAULT_TOKENS[:3])
