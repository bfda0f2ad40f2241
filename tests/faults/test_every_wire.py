"""The rows of the fault matrix that are of a wire, on each native wire, in both colours.

Rows of caches (C1 to C4), plugins, processes, configuration (G1, G2) and pictures (U2) are of the kernel, and no wire
changes them; names of hosts (N1) are looked up below the wires; calls that are cancelled (E11) the conformance kit
checks for every gateway.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.server import (
    FAULT_TEXT,
    FAULT_TOKENS,
    SEPARATORS_TEXT,
    LoopbackServer,
    Stream,
    black_hole,
    event_frames,
    fault_names,
    refused_port,
    resetting_port,
    tls_server,
)
from heavenbase import errors
from tests.faults.wires import BOTH, Bench, bench, on_every
from tests.fuzz import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bench"]
LIMIT = 0.1
every = on_every()


def elsewhere(made: Bench, origin: str, **options: Any) -> Any:
    """An LLM whose requests go to another place than the server."""
    base = made.server.url(made.rig.wire).removeprefix(made.server.origin)
    return made.rig.llm(**made.rig._connect(f"{origin}{base}"), max_retries=2, **options)


# Network


@every
def test_n1_a_refused_port_is_tried_three_times_and_named(bench: Bench) -> None:
    with refused_port() as port:
        llm = elsewhere(bench, f"http://127.0.0.1:{port}")
        for verb in BOTH:
            error = bench.error(verb, kinds=errors.ConnectError, requests=3, llm=llm)
            assert f"127.0.0.1:{port}" in str(error)
            assert not error.maybe_billed


@every
def test_n1_a_port_that_swallows_packets_ends_at_the_connect_limit(bench: Bench) -> None:
    with black_hole() as port:
        llm = elsewhere(bench, f"http://127.0.0.1:{port}")
        kinds = errors.ConnectTimeout
        error = bench.error("chat", kinds=kinds, requests=1, llm=llm, timeout={"connect": LIMIT}, max_retries=0)
    assert not error.maybe_billed


@every
def test_n2_a_connection_that_closes_is_tried_again(bench: Bench) -> None:
    with resetting_port() as port:
        llm = elsewhere(bench, f"http://127.0.0.1:{port}")
        error = bench.error("chat", kinds=errors.TransportError, llm=llm)
        assert len(error.attempts) in (2, 3)  # the kernel may take the whole request first
    for fault in ("N2.b", "N2.c"):
        for verb in BOTH:
            assert bench.error(verb, fault, kinds=errors.TransportClosed, requests=2).maybe_billed


@pytest.fixture(scope="module")
def bad_certificates() -> Iterator[dict[str, LoopbackServer]]:
    with ExitStack() as stack:
        yield {kind: stack.enter_context(tls_server(kind)) for kind in ("self-signed", "expired", "wrong-host")}


@every
def test_n3_bad_certificates_are_refused_at_once(bench: Bench, bad_certificates: dict[str, LoopbackServer]) -> None:
    for server in bad_certificates.values():
        llm = elsewhere(bench, server.origin)
        for verb in BOTH:
            bench.error(verb, kinds=errors.TLSVerifyError, requests=1, llm=llm)
        assert server.request_count == 0


# Statuses


@every
def test_s1_s2_refusals_are_asked_once(bench: Bench) -> None:
    kinds = {
        "S1.400": errors.RequestRejected,
        "S1.422": errors.RequestRejected,
        "S1.404": errors.ModelNotFound,
        "S1.401": errors.AuthError,
        "S1.403": errors.AuthError,
        "S2.402": errors.QuotaExhausted,
        "S2.429": errors.QuotaExhausted,
    }
    for fault, kind in kinds.items():
        for verb in BOTH:
            error = bench.error(verb, fault, kinds=kind, requests=1)
            assert error.status == int(fault[-3:])
            assert not error.retryable
            assert len(str(error)) < 1000


@every
def test_s3_h16_retry_after_is_obeyed_in_every_form(bench: Bench) -> None:
    for fault in ("S3.number", "S3.date", "S3.ms"):
        for verb in BOTH:
            ran = bench.run(verb, fault)
            assert ran.error is None, ran.error
            assert ran.requests == 2
            [wait] = ran.slept
            # A date has whole seconds, by the server's clock.
            assert (2.0 <= wait <= 2.5) if fault != "S3.date" else (1.0 <= wait <= 3.75), f"{verb} {fault}: {wait}"


@every
def test_s3_other_calls_to_the_same_target_pause_too(bench: Bench) -> None:
    for verb in BOTH:
        llm = bench.rig.llm("S4.retry-after-20", max_retries=0)
        began = bench.rig.clock()
        with pytest.raises(errors.RateLimitError):
            bench.rig.call(verb, llm=llm)
        ran = bench.run(verb, llm=llm)
        assert isinstance(ran.error, errors.RateLimitError)
        assert sum(ran.slept) >= 19
        assert bench.rig.clock() - began >= 20


@every
def test_s4_a_server_that_says_no_is_asked_once(bench: Bench) -> None:
    for verb in BOTH:
        ran = bench.run(verb, "S4.retry-after")
        assert isinstance(ran.error, errors.RateLimitError)
        assert (ran.requests, ran.slept, ran.error.retry_after) == (1, [], 3600)
        assert not bench.error(verb, "S4.should-retry", kinds=errors.Overloaded, requests=1).retryable


@every
def test_s5_failing_servers_get_three_attempts(bench: Bench) -> None:
    kinds = dict.fromkeys(("S5.500", "S5.502", "S5.504"), errors.ServerError)
    for fault, kind in {**kinds, "S5.503": errors.Overloaded, "S5.529": errors.Overloaded}.items():
        for verb in BOTH:
            ran = bench.run(verb, fault)
            assert type(ran.error) is kind
            assert ran.error is not None
            assert [attempt.status for attempt in ran.error.attempts] == [int(fault[-3:])] * 3
            assert ran.requests == 3
            assert ran.slept == [0.25, 0.5]  # half of 0.5 and of 1.0: full jitter with a random of 0.5


@every
def test_s5_a_budget_bounds_a_storm(bench: Bench) -> None:
    with bench.wire.rig(bench.rig.colour) as rig:
        llm = rig.llm("S5.503", max_retries=2)
        for _ in range(60):
            with pytest.raises(errors.Overloaded):
                rig.call("chat", llm=llm)
        assert rig.server.request_count <= 60 * 1.2


@every
def test_s6_a_redirect_is_refused_and_the_other_origin_sees_nothing(bench: Bench) -> None:
    with LoopbackServer() as other:
        bench.server.redirect_to = other.origin
        for status in (301, 302, 303, 307, 308):
            for verb in BOTH:
                bench.error(verb, f"S6.{status}", kinds=errors.RedirectRefused, requests=1)
        assert other.request_count == 0


# Bodies


def faults(made: Bench, *beginnings: str) -> list[str]:
    return [name for name in fault_names(made.speaker.family) if name.startswith(beginnings)]


@every
def test_b1_a_wrong_body_is_a_typed_error_with_an_excerpt(bench: Bench) -> None:
    for fault in faults(bench, "B1."):
        for verb in BOTH:
            kinds = (errors.ResponseError, errors.StreamTruncated) if verb == "stream" else errors.ResponseError
            ran = bench.run(verb, fault)
            assert isinstance(ran.error, kinds), f"{verb} under {fault}: {ran.error!r}, {ran.answer!r}"
            assert ran.requests == 2, f"{verb} under {fault}: {ran.requests} requests"
            assert ran.error.maybe_billed
            assert ran.error.body is not None
            assert len(ran.error.body) <= 200


@every
def test_b2_an_error_inside_a_200_is_that_error(bench: Bench) -> None:
    kinds: dict[str, type[errors.HBError]] = {
        "401": errors.AuthError,
        "429": errors.RateLimitError,
        "502": errors.ServerError,
        "503": errors.Overloaded,
        "529": errors.Overloaded,
    }
    for fault in faults(bench, "B2."):
        for verb in BOTH:
            error = bench.error(verb, fault, kinds=kinds[fault[3:]])
            assert len(error.attempts) == (3 if error.retryable else 1)


@every
def test_b3_hostile_numbers_and_depth_are_no_json(bench: Bench) -> None:
    for fault in ("B3.depth", "B3.nan", "B3.infinity", "B3.1e400"):
        for verb in BOTH:
            assert len(bench.error(verb, fault, kinds=errors.ResponseDecodeError).attempts) in (1, 2)


@every
def test_b3_odd_text_is_an_answer_that_can_be_printed(bench: Bench) -> None:
    for fault in ("B3.surrogate", "B3.nul"):
        for verb in BOTH:
            ran = bench.run(verb, fault)
            assert ran.error is None, ran.error
            assert ran.answer is not None
            assert ran.answer.text.encode() in (b"a \x00 b", "half \ufffd pair".encode())


@every
@pytest.mark.slow
def test_b4_a_body_without_measure_is_refused(bench: Bench) -> None:
    for fault in ("B4.gzip-70", "B4.endless"):
        bench.error("chat", fault, kinds=errors.ResponseTooLarge, requests=1)
    if bench.speaker.framing != "frames":  # where blanks are no frame
        bench.error("stream", "B4.endless", kinds=errors.ResponseTooLarge, requests=1)


@every
def test_b5_large_arguments_of_a_tool_are_read(bench: Bench) -> None:
    for verb in BOTH:
        text = "a" * 2_000_000
        bench.server.reply(tool_calls=[{"name": "write", "arguments": {"text": text}}])
        ran = bench.run(verb, tools=[TOOL])
        assert ran.error is None, ran.error
        assert ran.answer is not None
        [made] = ran.answer.tool_calls
        assert made.parse() == {"text": text}


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "write", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}},
}


# Streams


@every
def test_e1_a_stream_without_its_end_is_truncated(bench: Bench) -> None:
    for fault, requests in {"E1.before": 2, "E1.before-eof": 2, "E1.after": 1, "E1.after-eof": 1}.items():
        error = bench.error("stream", fault, kinds=errors.StreamTruncated, requests=requests)
        if requests == 1:
            assert error.partial is not None
            assert (error.partial.text, error.partial.finish_reason) == (FAULT_TEXT, "other")


@every
def test_e2_a_reset_after_tokens_keeps_what_came(bench: Bench) -> None:
    error = bench.error("stream", "E2.3", kinds=errors.StreamInterrupted, requests=1)
    assert error.partial is not None
    assert error.partial.text == "".join(FAULT_TOKENS[:3])


@every
def test_e3_an_error_event_is_its_class_before_content_and_interrupts_after(bench: Bench) -> None:
    if not bench.speaker.has_error_events:
        pytest.skip("streams of this wire carry no errors")
    error = bench.error("stream", "E3.a", kinds=errors.ServerError, requests=3)
    assert not isinstance(error, errors.StreamError)
    error = bench.error("stream", "E3.b", kinds=errors.StreamInterrupted, requests=1)
    assert isinstance(error.__cause__, errors.ServerError)
    assert error.partial is not None
    assert error.partial.text == FAULT_TEXT


@every
def test_e4_line_ends_and_single_bytes_change_nothing(bench: Bench) -> None:
    ends = ("lf", "cr", "crlf") if bench.speaker.framing == "sse" else ("lf",)  # others have no line ends to choose
    for fault in [f"E4.{end}{how}" for end in ends for how in ("", "-bytes")]:
        ran = bench.run("stream", fault)
        assert ran.error is None, ran.error
        assert ran.text == FAULT_TEXT


@every
def test_e5_separators_inside_data_survive(bench: Bench) -> None:
    assert bench.run("stream", "E5.text").text == SEPARATORS_TEXT


@every
def test_e6_what_only_keeps_alive_does_not_hold_off_the_stall_clock(bench: Bench) -> None:
    if not bench.speaker.keepalive:
        pytest.skip("this wire has nothing that keeps a stream alive")
    assert bench.error("stream", "E6", kinds=errors.StallTimeout, requests=2, timeout={"stall": LIMIT}).maybe_billed


@every
@pytest.mark.slow
def test_e7_an_event_without_measure_is_refused(bench: Bench) -> None:
    if bench.speaker.framing != "frames":  # which say how long they are
        bench.error("stream", "E7.line", kinds=errors.EventTooLarge, requests=1)
    bench.error("stream", "E7.event-70", kinds=errors.EventTooLarge, requests=1)


@every
def test_e8_tool_calls_are_told_apart_and_no_arguments_are_an_empty_object(bench: Bench) -> None:
    """How fragments are numbered is of OpenAI's wire and Mistral's, see test_stream.py; here what is of every wire."""
    calls = [{"name": "write", "arguments": {"text": "1"}}, {"name": "write", "arguments": {}}]
    for verb in BOTH:
        bench.server.reply(tool_calls=calls)
        ran = bench.run(verb, tools=[TOOL])
        assert ran.error is None, ran.error
        assert ran.answer is not None
        assert [made.parse() for made in ran.answer.tool_calls] == [{"text": "1"}, {}]
        assert len({made.id for made in ran.answer.tool_calls}) == 2


@every
def test_e9_each_silence_has_its_clock(bench: Bench) -> None:
    for verb, fault, clock, kind, requests in (
        ("chat", "E9.a", "first_token", errors.ResponseTimeout, 2),
        ("stream", "E9.b", "first_token", errors.FirstTokenTimeout, 2),
        ("stream", "E9.c", "idle", errors.IdleTimeout, 1),
    ):
        error = bench.error(verb, fault, kinds=kind, requests=requests, timeout={clock: LIMIT})
        assert error.maybe_billed
        if fault == "E9.c":
            assert error.partial is not None
            assert error.partial.text == FAULT_TOKENS[0]


@every
def test_e10_leaving_a_stream_closes_its_connection(bench: Bench) -> None:
    for drop in (False, True):
        bench.server.clear()
        bench.rig.colour.take(bench.rig.llm("E9.c"), "hi", drop=drop)
        bench.rig.colour.wait(bench.server, lambda server: server.requests[0].closed_at is not None, 3.0)


# Time, cache, credentials, tools


@every
def test_t2_the_deadline_beats_a_longer_retry_after(bench: Bench) -> None:
    for verb in BOTH:
        ran = bench.run(verb, "S4.retry-after-5", timeout={"total": 1.0})
        assert isinstance(ran.error, errors.DeadlineExceeded), ran.error
        assert (ran.requests, ran.slept) == (1, [])
        assert isinstance(ran.error.__cause__, errors.RateLimitError)


@every
def test_k3_an_llm_serves_threads_and_one_event_loop_after_another(bench: Bench) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    llm = bench.rig.llm()
    if bench.rig.colour.name == "sync":
        with ThreadPoolExecutor(2) as pool:
            assert all(answer.text for answer in pool.map(partial(llm.complete), ["hi"] * 6))
        return

    async def ask() -> str:
        try:
            return (await llm.acomplete("hi")).text
        finally:
            await bench.rig.kernel.clients.aclose()

    assert all(asyncio.run(ask()) for _ in range(2))


@every
def test_g3_a_key_that_cannot_be_sent_is_named_and_nothing_is_sent(bench: Bench) -> None:
    before = bench.server.request_count
    for key in ("sk-secret\nx: y", "sk-secret\r\n", "sk-sécret\u2028"):
        for verb in BOTH:
            with pytest.raises(errors.CredentialFormatError) as caught:
                bench.rig.call(verb, llm=bench.rig.llm(api_key=key))
            assert "secret" not in str(caught.value)
    assert bench.server.request_count == before


@on_every(
    without=("openai", "responses", "anthropic", "cohere", "mistral"), because="the wire takes URLs; hb fetches none"
)
def test_u1_an_image_at_an_address_that_is_not_public_is_not_fetched(bench: Bench) -> None:
    before = bench.server.request_count
    for url in (
        f"{bench.server.origin}/a.png",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://a.example/",
    ):
        content = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
        for verb in BOTH:
            with pytest.raises((errors.FetchBlocked, errors.InputError)):
                bench.rig.call(verb, llm=bench.rig.llm(), content=content)
    assert bench.server.request_count == before


@on_every(without=("gemini", "vertex", "ollama"), because="arguments are objects on this wire, so never cut off")
def test_u3_arguments_that_are_cut_off_run_no_tool(bench: Bench) -> None:
    ran: list[Any] = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        ran.append(city)
        return city

    if bench.wire.name in ("anthropic", "bedrock"):  # whose whole answers have objects too
        events = [cut_off(event) for event in next(iter(samples.built_in(bench.wire.name, "stream")))]
        kind = bench.speaker.stream_type
        bench.server.script(lambda request: Stream([], events, [], kind))
        answers = [bench.run("stream", tools=[get_weather], max_tool_turns=1)]
        bench.server.script(None)
    else:
        answers = []
        for verb in BOTH:
            bench.server.reply(tool_calls=[{"name": "get_weather", "arguments": '{"city": "Ul'}])
            answers.append(bench.run(verb, tools=[get_weather], max_tool_turns=1))
    assert ran == []
    for answer in answers:
        partial = answer.answer or (answer.error and answer.error.partial)
        assert partial is not None
        assert [made.name for made in partial.pending or partial.tool_calls] == ["get_weather"]


def cut_off(event: bytes) -> bytes:
    """The event with arguments that end in the middle."""
    if not event.startswith(b"\x00"):
        return event.replace(rb'"{\"city\": \"Ulm\"}"', rb'"{\"city\": \"Ul"')
    headers, payload = next(iter(event_frames.decode(event)))
    return event_frames.encode(headers, payload.replace(rb'"{\"city\": \"Ulm\"}"', rb'"{\"city\": \"Ul"'))


@every
def test_t1_a_full_pool_is_an_error_that_names_the_limit(bench: Bench) -> None:
    import asyncio
    import threading

    limits = {"timeout": {"pool": LIMIT}, "max_retries": 0}
    with bench.wire.rig(bench.rig.colour, gateways={bench.wire.gateway: {"max_connections": 2}}) as rig:
        hung, llm = rig.llm("E9.a"), rig.llm("E9.a", **limits)

        def sync() -> errors.HBError:
            threads = [threading.Thread(target=swallow, args=(hung,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            rig.server.wait_for(lambda server: len(server.requests) == 2)
            with pytest.raises(errors.PoolTimeout) as caught:
                llm.complete("hi")
            rig.server.close()
            for thread in threads:
                thread.join()
            return caught.value

        async def other() -> errors.HBError:
            tasks = [asyncio.ensure_future(hung.acomplete("hi")) for _ in range(2)]
            await rig.server.await_for(lambda server: len(server.requests) == 2)
            with pytest.raises(errors.PoolTimeout) as caught:
                await llm.acomplete("hi")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return caught.value

        error = rig.colour.run(sync, other)
    assert error.attempts == ()
    assert "2" in str(error)


def swallow(llm: Any) -> None:
    with suppress(errors.HBError):
        llm.complete("hi")


@every
def test_c5_only_a_complete_answer_is_stored(bench: Bench) -> None:
    words = {word: raw for raw, word in bench.speaker.finish_reasons.items()}
    with bench.wire.rig(bench.rig.colour, cache={"enabled": True, "backend": "memory"}) as rig:
        made = Bench(bench.wire, rig)
        for verb in BOTH:
            for word in ("length", "content_filter"):
                if word not in words:
                    continue
                for _ in range(2):
                    rig.server.reply("so", finish_reason=words[word])
                    assert made.run(verb, content=f"{verb} {word}", temperature=0).requests == 1
            for fault in ("S1.400", "B1.empty", *(("E1.after",) if verb == "stream" else ())):
                for _ in range(2):
                    assert made.run(verb, fault, content=verb, temperature=0).requests >= 1
            counts = [made.run(verb, content=verb, temperature=0).requests for _ in range(2)]
            assert counts == [1, 0]
