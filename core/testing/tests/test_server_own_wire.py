"""A wire that is not OpenAI's: paths with words in them, lines of JSON, no request ids, keep-alives or error events."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from hb_testing.server import (
    FAULT_TOKENS,
    Answer,
    Exchange,
    LoopbackServer,
    Reply,
    Stream,
    Wire,
    body_faults,
    fault_names,
    route,
)
from heavenbase.errors import UnknownNameError

TYPE = "application/x-ndjson"


class LinesWire(Wire):
    name = "lines-test"
    base = "/v2"
    request_id_header = ""
    framing = "lines"
    stream_type = TYPE
    keepalive = b""
    end_marker = False

    @route("POST", "/models/{model}/versions/{version}:say")
    def say(self, exchange: Exchange) -> Answer:
        exchange.json()
        reply = exchange.reply()
        if reply.raw:
            return reply
        if self.streams(exchange):
            return self.stream(exchange, reply)
        return Reply(body={**exchange.params, "said": reply.text})

    def streams(self, exchange: Exchange) -> bool:
        return b"live" in exchange.request.body

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        lines = [self.event(json.dumps({"said": piece}).encode()) for piece in reply.chunks]
        return Stream(opening=[], content=lines, closing=[self.event(b'{"end":true}')], content_type=self.stream_type)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        return Reply(status=status, body={"oops": message})


class EventsWire(LinesWire):
    """The same with errors inside of streams."""

    name = family = "events-test"

    def error_event(self, status: int, message: str) -> bytes:
        return self.event(json.dumps({"oops": message, "status": status}).encode())


body_faults(
    "lines-test",
    malformed={"said-null": ({"said": None}, {"said": None, "of": "stream"})},
    good=({"said": "x", "tokens": "@@"}, {"said": "x", "count": "@@"}),
)
body_faults("events-test", malformed={}, errors=(429,))


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[LinesWire(), EventsWire()]) as running:
        yield running


def post(
    server: LoopbackServer, path: str, payload: Mapping[str, Any], fault: str = "", wire: str = "lines-test"
) -> tuple[http.client.HTTPResponse, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        base = server.url(wire, fault=fault or None).removeprefix(server.origin)
        client.request("POST", f"{base}{path}", json.dumps(payload).encode())
        answer = client.getresponse()
        return answer, answer.read()
    finally:
        client.close()


SAY = "/models/large/versions/1:say"
LIVE = {"live": True}


def test_words_of_a_path_are_given_decoded(server: LoopbackServer) -> None:
    answer, body = post(server, "/models/an%2Fodd%20one:x/versions/1.5:say", {})
    assert answer.status == 200
    assert json.loads(body) == {"model": "an/odd one:x", "version": "1.5", "said": None}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/models/large:say", 404), ("/models/a/b/versions/1:say", 404), ("/models//versions/1:say", 404)],
)
def test_a_path_that_does_not_fit_is_not_found(server: LoopbackServer, path: str, status: int) -> None:
    answer, body = post(server, path, {})
    assert answer.status == status
    assert "oops" in json.loads(body)


def test_another_method_on_a_path_with_words_is_not_allowed(server: LoopbackServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    client.request("GET", f"/lines-test/v2{SAY}")
    assert client.getresponse().status == 405
    client.close()


def test_a_wire_without_request_ids_sends_none(server: LoopbackServer) -> None:
    answer, _ = post(server, SAY, {})
    assert [name.lower() for name, _ in answer.getheaders()] == ["content-type", "content-length"]


def test_streams_have_the_wires_type_and_lines(server: LoopbackServer) -> None:
    server.reply(chunks=("one", "two"))
    answer, body = post(server, SAY, LIVE)
    assert answer.getheader("content-type") == TYPE
    assert [json.loads(line) for line in body.splitlines()] == [{"said": "one"}, {"said": "two"}, {"end": True}]


@pytest.mark.parametrize("fault", ["E1.after", "E1.no-done"])
def test_the_general_faults_cut_it(server: LoopbackServer, fault: str) -> None:
    _, body = post(server, SAY, LIVE, fault)
    assert [json.loads(line)["said"] for line in body.splitlines()] == list(FAULT_TOKENS)


@pytest.mark.parametrize(("payload", "expected"), [({}, {"said": None}), (LIVE, {"said": None, "of": "stream"})])
def test_malformed_examples_become_faults(
    server: LoopbackServer, payload: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    answer, body = post(server, SAY, payload, "B1.said-null")
    assert answer.status == 200
    assert json.loads(body) == expected
    assert answer.getheader("content-type") == (TYPE if payload else "application/json")


@pytest.mark.parametrize(
    ("fault", "literal"), [("B3.nan", b"NaN"), ("B3.infinity", b"Infinity"), ("B3.1e400", b"1e400")]
)
def test_a_good_example_gets_hostile_numbers(server: LoopbackServer, fault: str, literal: bytes) -> None:
    assert post(server, SAY, {}, fault)[1] == b'{"said":"x","tokens":%b}' % literal
    assert post(server, SAY, LIVE, fault)[1] == b'{"said":"x","count":%b}\n' % literal


def test_errors_with_the_status_of_a_success_are_in_the_wires_shape(server: LoopbackServer) -> None:
    whole, body = post(server, SAY, {}, "B2.429", "events-test")
    assert (whole.status, json.loads(body)) == (200, {"oops": "Rate limit reached for requests."})
    streamed, body = post(server, SAY, LIVE, "B2.429", "events-test")
    assert (streamed.status, json.loads(body)["status"]) == (200, 429)
    assert "B2.429" not in fault_names("lines-test")


@pytest.mark.parametrize("fault", ["B1.invalid-json", "B3.depth-5"])
def test_the_general_malformed_bodies_are_framed_by_the_wire(server: LoopbackServer, fault: str) -> None:
    answer, body = post(server, SAY, LIVE, fault)
    assert answer.getheader("content-type") == TYPE
    assert body.startswith(b'{"id":"x"')
    assert body.endswith(b"\n")


def test_an_error_inside_a_stream_comes_where_the_wire_has_such(server: LoopbackServer) -> None:
    _, body = post(server, SAY, LIVE, "E3.b", "events-test")
    assert json.loads(body.splitlines()[-1]) == {
        "oops": "The engine is currently overloaded, please try again later.",
        "status": 503,
    }


def test_without_error_events_the_error_is_the_answer_or_the_stream_only_ends(server: LoopbackServer) -> None:
    assert post(server, SAY, LIVE, "E3.a")[0].status == 503
    answer, body = post(server, SAY, LIVE, "E3.b")
    assert answer.status == 200
    assert json.loads(body.splitlines()[-1]) == {"said": FAULT_TOKENS[-1]}


def test_without_keepalives_the_stream_is_silent_instead(server: LoopbackServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.05)
    client.request("POST", f"/f/E6/lines-test/v2{SAY}", json.dumps(LIVE).encode())
    answer = client.getresponse()
    with answer, pytest.raises(TimeoutError):
        answer.read()
    client.close()


def test_a_wire_of_binary_frames_says_how_it_frames() -> None:
    class FramesWire(Wire):
        name = "frames-test"
        framing = "frames"

    with pytest.raises(NotImplementedError):
        FramesWire().event(b"payload")


def test_a_fault_may_strike_all_requests_until_it_ends(server: LoopbackServer) -> None:
    server.strike("S3.number", "lines-test")
    assert [post(server, SAY, {})[0].status for _ in range(2)] == [429, 200]
    server.strike("N2.a", "lines-test")
    with pytest.raises(ConnectionError):
        post(server, SAY, {})
    assert post(server, SAY, LIVE, "E3.a")[0].status == 503
    server.strike(None)
    assert post(server, SAY, {})[0].status == 200
    with pytest.raises(UnknownNameError, match="S3"):
        server.strike("S3.numbers-of-it", "lines-test")
    server.strike("S5.500", "lines-test")
    server.clear()
    assert post(server, SAY, {})[0].status == 200
