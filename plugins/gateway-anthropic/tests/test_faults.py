"""What only this wire can do wrong; what every wire can is in the contract of gateways."""

from __future__ import annotations

import time
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import FAULT_TEXT, AnthropicWire, LoopbackServer
from heavenbase import errors

from .support import CANARY, Caller, assert_clean, make_spec


def failure(caller: Caller, mode: str, base_url: str, **options: Any) -> errors.HBError:
    with pytest.raises(errors.HBError) as caught:
        caller.run(mode, make_spec(base_url), **options)
    assert_clean(caught.value)
    assert caught.value.provider == "anthropic"
    return caught.value


@pytest.mark.parametrize(
    ("fault", "kind", "code", "retryable"),
    [
        ("S1.400", errors.RequestRejected, "invalid_request_error", False),
        ("S1.401", errors.AuthError, "authentication_error", False),
        ("S1.403", errors.AuthError, "permission_error", False),
        ("S1.404", errors.ModelNotFound, "not_found_error", False),
        ("S2.402", errors.QuotaExhausted, "billing_error", False),
        ("S3.number", errors.RateLimitError, "rate_limit_error", True),
        ("S5.500", errors.ServerError, "api_error", True),
        ("S5.504", errors.ServerError, "timeout_error", True),
        ("S5.529", errors.Overloaded, "overloaded_error", True),
    ],
)
def test_g24_h14_statuses_in_the_shape_of_this_wire(
    caller: Caller, server: LoopbackServer, fault: str, kind: type[errors.HBError], code: str, retryable: bool
) -> None:
    error = failure(caller, "chat", server.url("anthropic", fault=fault))
    assert type(error) is kind
    assert (error.code, error.retryable, error.maybe_billed) == (code, retryable, False)
    assert error.request_id
    assert server.request_count == 1


def test_h26_a_key_in_the_refusal_does_not_show(caller: Caller, server: LoopbackServer, mode: str) -> None:
    error = failure(caller, mode, server.url("anthropic", fault="S1.401"))
    assert "***" in str(error)
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", errors.ContextOverflow),
        ("Your credit balance is too low to access the Anthropic API.", errors.QuotaExhausted),
        ("max_tokens: Field required", errors.RequestRejected),
    ],
)
def test_what_the_message_of_a_400_means(
    caller: Caller, server: LoopbackServer, message: str, kind: type[errors.HBError]
) -> None:
    server.reply(status=400, text=message)
    error = failure(caller, "chat", server.url("anthropic"))
    assert type(error) is kind
    assert message in str(error)


def test_a_limit_says_when_it_is_free_again(server: LoopbackServer) -> None:
    caller = Caller(wall=lambda: 1_800_000_000.0)  # 2027-01-15T08:00:00Z
    headers = {
        "anthropic-ratelimit-requests-remaining": "9",
        "anthropic-ratelimit-requests-reset": "2027-01-15T09:00:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:00:07Z",
    }
    server.reply(status=429, text="slow", headers=headers)
    assert failure(caller, "chat", server.url("anthropic")).retry_after == 7.0
    server.reply(status=429, text="slow", headers={**headers, "retry-after": "2"})
    assert failure(caller, "chat", server.url("anthropic")).retry_after == 2.0
    server.reply(status=429, text="slow", headers={**headers, "anthropic-ratelimit-input-tokens-reset": "soon"})
    assert failure(caller, "chat", server.url("anthropic")).retry_after is None
    caller.clients.close()


@pytest.mark.parametrize(
    "fault", ["html", "empty", "invalid-json", "invalid-utf8", "content-null", "content-text", "block-null", "array"]
)
def test_b1_bodies_that_are_no_answer(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    error = failure(caller, mode, server.url("anthropic", fault=f"B1.{fault}"))
    assert isinstance(error, errors.ResponseShapeError | errors.ResponseDecodeError)
    assert (error.retryable, error.maybe_billed, error.status) == (True, True, 200)
    assert bool(error.body) is (fault != "empty")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthError),
        (429, errors.RateLimitError),
        (502, errors.ServerError),
        (503, errors.Overloaded),
        (529, errors.Overloaded),
    ],
)
def test_b2_errors_inside_a_success(
    caller: Caller, server: LoopbackServer, mode: str, status: int, kind: type[errors.HBError]
) -> None:
    error = failure(caller, mode, server.url("anthropic", fault=f"B2.{status}"))
    assert type(error) is kind
    assert not error.maybe_billed


@pytest.mark.parametrize("fault", ["one-1", "deltas-1000-1"])
def test_b5_large_inputs_of_tools(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    [call] = caller.run(mode, make_spec(server.url("anthropic", fault=f"B5.{fault}"))).tool_calls
    assert len(call.arguments) > 1_000_000
    assert call.parse().keys() == {"text"}


def test_b5_takes_linear_time(caller: Caller, server: LoopbackServer) -> None:
    def seconds(megabytes: int) -> float:
        started = time.process_time()
        caller.run("stream", make_spec(server.url("anthropic", fault=f"B5.deltas-1000-{megabytes}")))
        return time.process_time() - started

    seconds(1)
    once, double = min(seconds(1) for _ in range(2)), min(seconds(2) for _ in range(2))
    assert double < 2.5 * once + 0.05


@pytest.mark.parametrize(("status", "kind"), [(529, errors.Overloaded), (429, errors.RateLimitError)])
def test_e3_h11_an_error_event(
    caller: Caller, server: LoopbackServer, stream_mode: str, status: int, kind: type[errors.HBError]
) -> None:
    before = failure(caller, stream_mode, server.url("anthropic", fault=f"E3.a-{status}"))
    assert type(before) is kind
    assert (before.retryable, before.maybe_billed) == (True, False)
    after = failure(caller, stream_mode, server.url("anthropic", fault=f"E3.b-{status}"))
    assert type(after) is errors.StreamInterrupted
    assert type(after.__cause__) is kind
    assert (after.retryable, after.maybe_billed) == (False, True)


def test_e3_what_had_come_is_on_the_error(server: LoopbackServer) -> None:
    with hb.Kernel() as kernel:
        url = server.url("anthropic", fault="E3.b-529")
        llm = hb.LLM(
            model="claude-sonnet-4-5", provider="anthropic", base_url=url, api_key="k", cache=False, kernel=kernel
        )
        seen: list[str] = []
        with pytest.raises(errors.StreamInterrupted) as caught:
            seen.extend(llm.stream("hi"))
    partial = caught.value.partial
    assert partial is not None
    assert partial.text == "".join(seen) != ""
    assert server.request_count == 1


def test_hb36_either_shape_of_the_closing_usage_counts_alike() -> None:
    wires = [AnthropicWire(name="short", cumulative=False), AnthropicWire(name="long", cumulative=True)]
    found = []
    with LoopbackServer(wires=wires) as server:
        caller = Caller()
        for name in ("short", "long"):
            for mode in ("chat", "stream", "astream"):
                server.reply(text="one two three", reasoning="hm hm")
                answer = caller.run(mode, make_spec(server.url(name)), think=True)
                assert answer.usage is not None
                found.append(answer.usage.to_dict())
        caller.clients.close()
    assert found == [found[0]] * 6
    assert (found[0]["input"], found[0]["output"], found[0]["reasoning"]) == (1, 3, 2)


@pytest.mark.parametrize("fault", ["E4.lf-bytes", "E4.cr-bytes", "E4.crlf-bytes"])
def test_h09_pieces_and_line_ends_do_not_matter(
    caller: Caller, server: LoopbackServer, stream_mode: str, fault: str
) -> None:
    answer = caller.run(stream_mode, make_spec(server.url("anthropic", fault=fault)))
    assert (answer.text, answer.finish_reason) == (FAULT_TEXT, "stop")


def test_h09_comments_names_and_several_data_lines(caller: Caller, server: LoopbackServer, stream_mode: str) -> None:
    body = (
        ': hello\n\nevent: message_start\nretry: 5\ndata: {"type": "message_start",\n'
        'data: "message": {"id": "m", "content": []}}\n\n'
        'event: x\ndata:{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Grüße"}}\n\n'
        'data: {"type": "message_stop"}\n\n'
    )
    server.reply(body=body, headers={"content-type": "text/event-stream"})
    assert caller.run(stream_mode, make_spec(server.url("anthropic"))).text == "Grüße"


def test_a_server_that_does_not_stream_is_read_too(caller: Caller, server: LoopbackServer, stream_mode: str) -> None:
    blocks = [{"type": "text", "text": "hi"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}]
    server.reply(body={"id": "m", "content": blocks, "stop_reason": "tool_use", "usage": {"input_tokens": 1}})
    answer = caller.run(stream_mode, make_spec(server.url("anthropic")))
    assert (answer.text, answer.finish_reason, answer.tool_calls[0].parse()) == ("hi", "tool_calls", {"x": 1})


def test_h14_h15_g21_only_what_may_be_retried_is(server: LoopbackServer) -> None:
    for fault, requests in (("S5.529", 3), ("S5.500", 3), ("S1.400", 1), ("S1.404", 1), ("B1.content-null", 2)):
        server.clear()
        before = server.request_count
        with hb.Kernel(sleep=lambda seconds: None) as kernel, pytest.raises(errors.HBError):
            hb.LLM(
                model="claude-sonnet-4-5",
                provider="anthropic",
                base_url=server.url("anthropic", fault=fault),
                api_key="k",
                cache=False,
                kernel=kernel,
            ).chat("hi")
        assert server.request_count - before == requests, fault
