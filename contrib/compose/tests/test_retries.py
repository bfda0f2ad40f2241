"""RetryingProvider over the wires of both providers: what is tried again, when, and what is told."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

import hb_compose as c
from hb_compose.backoff import Backoff
from hb_testing.server import LAST_CHUNK, Action, Exchange, Pause, Reply, Step, chunk, head, refused_port
from heavenbase.errors import (
    AuthError,
    ConnectError,
    HBError,
    InputError,
    InputTypeError,
    Overloaded,
    RateLimitError,
    ResponseError,
    StreamError,
)

from .support import BOTH, CANARY, WAYS, Stack

TRANSIENT = {
    429: "rate_limited",
    500: "server_error_500",
    502: "server_error_502",
    503: "server_error_503",
    529: "overloaded",
}


@BOTH
@WAYS
@pytest.mark.parametrize("status", TRANSIENT)
def test_h14_h17_what_may_pass_is_tried_again_and_told(stack: Stack, name: str, way: str, status: int) -> None:
    stack.fail(status, times=2)
    stack.server.reply("so it is")
    response = stack.ask(stack.retrying(stack.direct(name)), way)
    assert (response.text, len(stack.requests)) == ("so it is", 3)
    kind = TRANSIENT[status]
    assert stack.told == [(1, 3, stack.clock.slept[0], kind), (2, 3, stack.clock.slept[1], kind)]
    assert [attempt.status for attempt in response.attempts] == [status, status, None]


@BOTH
@WAYS
def test_h14_a_refused_connection_is_tried_again(stack: Stack, name: str, way: str) -> None:
    with refused_port() as port:
        provider = stack.retrying(stack.direct(name, base_url=f"http://127.0.0.1:{port}"))
        with pytest.raises(ConnectError) as caught:
            stack.ask(provider, way)
    assert [told[3] for told in stack.told] == ["network_error"] * 3
    assert len(caught.value.attempts) == 4


def _relay(listener: socket.socket, port: int) -> None:
    """Hand one connection on to the server, both ways, until a side ends it."""
    accepted, _ = listener.accept()
    with accepted, socket.create_connection(("127.0.0.1", port)) as served:
        other = {accepted: served, served: accepted}
        while True:
            for end in select.select([*other], [], [])[0]:
                try:
                    piece = end.recv(65_536)
                except OSError:
                    return
                if not piece:
                    return
                other[end].sendall(piece)


@BOTH
@WAYS
def test_h14_a_connection_refused_twice_and_then_taken_is_three_attempts(stack: Stack, name: str, way: str) -> None:
    stack.server.reply("so it is")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # and nobody listens yet
        port = listener.getsockname()[1]
        relay = threading.Thread(target=_relay, args=(listener, stack.server.port), daemon=True)

        def told(*args: Any) -> None:
            stack.told.append(args)
            if len(stack.told) == 2:
                listener.listen()
                relay.start()

        url = stack.server.url(name).replace(f":{stack.server.port}", f":{port}")
        response = stack.ask(stack.retrying(stack.direct(name, base_url=url), on_retry=told), way)
        stack.colour.close_kernel(stack.kernel)  # and so the connection, which the relay waits for
        relay.join()
    assert (response.text, len(stack.requests)) == ("so it is", 1)
    assert [told[3] for told in stack.told] == ["network_error"] * 2
    assert [attempt.error for attempt in response.attempts] == ["connect", "connect", None]


@BOTH
@WAYS
def test_h14_a_connection_that_is_cut_is_tried_again_each_time(stack: Stack, name: str, way: str) -> None:
    cuts = iter(range(3))

    def script(request: Any) -> Any:
        if next(cuts, None) is not None:
            return [Action.RESET]
        return Reply("so it is")

    stack.server.script(script)
    response = stack.ask(stack.retrying(stack.direct(name)), way)
    assert (response.text, len(stack.requests)) == ("so it is", 4)
    assert [told[3] for told in stack.told] == ["network_error"] * 3


@BOTH
@WAYS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 504])
def test_h14_what_is_refused_for_good_is_asked_once(stack: Stack, name: str, way: str, status: int) -> None:
    stack.fail(status)
    with pytest.raises(HBError) as caught:
        stack.ask(stack.retrying(stack.direct(name)), way)
    assert (caught.value.status, len(stack.requests), stack.told) == (status, 1, [])


@BOTH
@WAYS
def test_h14_bad_json_is_asked_once(stack: Stack, name: str, way: str) -> None:
    stack.server.reply(body=b'{"id": "x", ', headers={"content-type": "application/json"})
    with pytest.raises((ResponseError, StreamError)):
        stack.ask(stack.retrying(stack.direct(name)), way)
    assert (len(stack.requests), stack.told) == (1, [])


def test_h13_an_answer_without_choices_counts_as_a_502(stack: Stack) -> None:
    stack.server.reply(body={"id": "gen-1", "object": "chat.completion", "model": "m", "choices": []})
    stack.server.reply("so it is")
    assert stack.ask(stack.retrying(stack.direct("openrouter"))).text == "so it is"
    assert [told[3] for told in stack.told] == ["server_error_502"]


@BOTH
@WAYS
@pytest.mark.parametrize("status", [*TRANSIENT, 400])
def test_without_a_retrying_provider_nothing_is_tried_again(stack: Stack, name: str, way: str, status: int) -> None:
    stack.fail(status)
    with pytest.raises(HBError):
        stack.ask(stack.direct(name), way)
    assert (len(stack.requests), stack.clock.slept) == (1, [])


@WAYS
def test_h15_the_waits_double_within_their_bounds_and_are_capped(stack: Stack, way: str) -> None:
    stack.fail(503, times=8)
    provider = stack.retrying(stack.direct(), max_retries=7)
    with pytest.raises(Overloaded) as caught:
        stack.ask(provider, way)
    # Half of the bound, as the random number is 0.5.
    assert stack.clock.slept == [0.25, 0.5, 1, 2, 4, 8, 15]
    assert (caught.value.status, len(stack.requests), len(caught.value.attempts)) == (503, 8, 8)


def test_h15_the_defaults_are_three_half_a_second_and_thirty(stack: Stack) -> None:
    made = c.RetryingProvider.with_defaults(stack.direct())
    rule = made.backoff
    assert (rule.max_retries, rule.base_delay_ms, rule.max_delay_ms) == (3, 500, 30_000)
    stack.fail(500, times=4)
    with pytest.raises(HBError) as caught:
        stack.ask(stack.retrying(stack.direct()))
    assert (caught.value.status, len(stack.requests)) == (500, 4)


@WAYS
def test_h15_no_retries_are_one_request(stack: Stack, way: str) -> None:
    stack.fail(429)
    with pytest.raises(RateLimitError):
        stack.ask(stack.retrying(stack.direct(), 0), way)
    assert len(stack.requests) == 1


def test_h15_every_call_has_all_its_retries(stack: Stack) -> None:
    provider = stack.retrying(stack.direct())
    for _ in range(8):
        stack.fail(503, times=3)
        stack.server.reply("so it is")
        assert stack.ask(provider).text == "so it is"
    assert len(stack.requests) == 32


@BOTH
@WAYS
def test_h16_retry_after_in_seconds_wins_over_backoff(stack: Stack, name: str, way: str) -> None:
    stack.fail(429, headers={"retry-after": "7"})
    stack.ask(stack.retrying(stack.direct(name)), way)
    [waited] = stack.clock.slept
    assert 7 <= waited <= 7 * 1.25


@WAYS
def test_h16_retry_after_as_a_date_wins_over_backoff(stack: Stack, way: str) -> None:
    stack.fail(503, headers={"retry-after": formatdate(stack.kernel.wall() + 9, usegmt=True)})
    stack.ask(stack.retrying(stack.direct()), way)
    [waited] = stack.clock.slept
    assert 7 <= waited <= 9 * 1.25


@WAYS
@pytest.mark.parametrize(("most", "longest"), [(30_000, 30), (2_000, 2)])
def test_h16_retry_after_is_capped(stack: Stack, way: str, most: int, longest: float) -> None:
    stack.fail(429, headers={"retry-after": "3600"})
    stack.ask(stack.retrying(stack.direct(), max_delay_ms=most), way)
    assert stack.clock.slept == [longest]
    assert len(stack.requests) == 2


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("fault", [RuntimeError("the callback is broken"), Unspeakable(), SystemExit(3)])
def test_h17_what_the_callback_raises_costs_nothing(
    stack: Stack, fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*told: Any) -> None:
        raise fault

    stack.fail(429)
    stack.server.reply("so it is")
    assert stack.ask(stack.retrying(stack.direct(), on_retry=broken)).text == "so it is"
    assert "on_retry" in caplog.text
    assert Backoff(3, 500, 30_000, broken).delay(RateLimitError("no", status=429), 1, lambda: 0.5) == 0.25


def _stream(stack: Stack, name: str, *, cut: int, error: bool, first: bool = False) -> None:
    """Queue streams: the first breaks after so many events of content, the second is whole."""
    wire, broken = stack.server.wires[name], iter(range(1))

    def script(request: Any) -> Iterator[Step]:
        whole = wire.stream(
            Exchange(stack.server, request, wire, request.path), Reply(chunks=["one ", "two ", "three"])
        )
        yield head(200, {"content-type": whole.content_type, "transfer-encoding": "chunked"})
        if next(broken, None) is None:
            for event in whole.events:
                yield chunk(event)
            yield LAST_CHUNK
            yield Action.KEEP_OPEN
            return
        for event in [*whole.opening, *whole.content[:cut]] if not first else []:
            yield chunk(event)
        if not error:
            yield Action.RESET
            return
        told = {"type": "overloaded_error", "message": "Overloaded", "code": 529}
        if name == "anthropic":
            yield chunk(b"event: error\ndata: " + json.dumps({"type": "error", "error": told}).encode() + b"\n\n")
        else:
            yield chunk(b"data: " + json.dumps({"error": told, "choices": []}).encode() + b"\n\n")
        yield LAST_CHUNK
        yield Action.KEEP_OPEN

    stack.server.script(script)


@BOTH
@pytest.mark.parametrize("error", [False, True], ids=["cut", "error event"])
def test_h18_a_failure_before_the_first_token_is_retried_and_streams_live(stack: Stack, name: str, error: bool) -> None:
    _stream(stack, name, cut=0, error=error)
    response = stack.ask(stack.retrying(stack.direct(name)), "stream_complete")
    assert stack.pieces == ["one ", "two ", "three"]
    assert (response.text, len(stack.requests)) == ("one two three", 2)
    assert [told[3] for told in stack.told] == ["overloaded" if error else "network_error"]


@BOTH
def test_h02_h18_the_second_stream_is_delivered_while_it_goes_on(stack: Stack, name: str) -> None:
    wire, release, broken = stack.server.wires[name], threading.Event(), iter(range(1))

    def script(request: Any) -> Iterator[Step]:
        whole = wire.stream(
            Exchange(stack.server, request, wire, request.path), Reply(chunks=["one ", "two ", "three"])
        )
        yield head(200, {"content-type": whole.content_type, "transfer-encoding": "chunked"})
        if next(broken, None) is not None:
            yield Action.RESET
            return
        early = [*whole.opening, whole.content[0]]
        for event in early:
            yield chunk(event)
        while not release.is_set():
            yield Pause(0.001)
        for event in whole.events[len(early) :]:
            yield chunk(event)
        yield LAST_CHUNK
        yield Action.KEEP_OPEN

    stack.server.script(script)
    provider = stack.retrying(stack.direct(name))

    def hear(text: str) -> None:
        stack.pieces.append(text)
        release.set()  # nothing but the first piece releases the others

    async def asynchronously() -> Any:
        return await provider.astream_complete("hi", on_text=hear)

    response = stack.colour.run(lambda: provider.stream_complete("hi", on_text=hear), asynchronously)
    assert (stack.pieces, response.text, len(stack.requests)) == (["one ", "two ", "three"], "one two three", 2)


@BOTH
@pytest.mark.parametrize("error", [False, True], ids=["cut", "error event"])
def test_h11_h18_after_the_first_token_nothing_is_repeated_and_the_failure_is_raised(
    stack: Stack, name: str, error: bool
) -> None:
    _stream(stack, name, cut=2, error=error)
    with pytest.raises(StreamError) as caught:
        stack.ask(stack.retrying(stack.direct(name)), "stream_complete")
    assert stack.pieces[0] == "one "
    assert (len(stack.requests), stack.told) == (1, [])
    assert caught.value.partial is not None
    assert caught.value.partial.text == "".join(stack.pieces)


@BOTH
@WAYS
def test_h26_a_401_that_repeats_the_key_does_not_show_it(stack: Stack, name: str, way: str) -> None:
    stack.fail(401, body={"error": {"message": f"Incorrect API key provided: {CANARY}", "type": "auth"}})
    with pytest.raises(AuthError) as caught:
        stack.ask(stack.retrying(stack.direct(name, key=CANARY)), way)
    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in f"{error!s}{error!r}{vars(error)}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_retries": None}, "max_retries"),
        ({"base_delay_ms": -1}, "base_delay_ms"),
        ({"base_delay_ms": 50, "max_delay_ms": 10}, "base_delay_ms .50. is more than max_delay_ms .10."),
        ({"base_delay_ms": 10**5000}, "base_delay_ms must be at least 0 and less than"),
        ({"max_delay_ms": float("inf")}, "max_delay_ms must be at least 0 and less than"),
        ({"on_retry": "tell me"}, "on_retry"),
        ({"sleep": 5}, "sleep must be callable, not int"),
        ({"asleep": "x"}, "asleep must be callable"),
        ({"random": 0.5}, "random must be callable"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(stack: Stack, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        c.RetryingProvider(stack.direct(), **fields)
    for wrong in ("claude", 10**5000, c.AnthropicProvider):
        with pytest.raises(InputTypeError, match="no provider"):
            c.RetryingProvider(wrong)  # type: ignore[arg-type]
