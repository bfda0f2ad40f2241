"""What Bedrock's wire can do to a caller: frames that break, exceptions in streams, refusals, slow and live streams."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from typing import Any

import pytest

from hb_provider_bedrock.frames import LARGEST as FRAME_LIMIT
from hb_provider_bedrock.frames import FrameReader
from hb_testing.server import LoopbackServer, Pause, RawServer, Reply, Stream, event_frames
from hb_testing.server.bedrock_answers import STREAM_TYPE, event
from heavenbase import errors

from .support import CLAUDE, COLOURS, NOVA, TOKEN, ask, llm_of

TEXT = "Grüße, schöne Welt 🌍!"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("fault", ["E20.lengths", "E20.prelude", "E20.payload", "E20.checksum", "E20.cut"])
def test_a_broken_frame_never_ends_in_success(colour: str, fault: str) -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock", fault=fault)) as llm:
        with pytest.raises((errors.StreamError, errors.ResponseError)) as caught:
            ask(llm, colour, "stream", "hi")
        assert caught.value.maybe_billed
        assert caught.value.partial is None or caught.value.partial.text == "Grüße"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_frame_beyond_all_limits_is_refused_before_it_is_read(colour: str) -> None:
    with (
        LoopbackServer() as server,
        llm_of(base_url=server.url("bedrock", fault="E7.event")) as llm,
        pytest.raises(errors.EventTooLarge),
    ):
        ask(llm, colour, "stream", "hi")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("fault", ["E20.slow", "E20.unknown"])
def test_frames_in_bytes_and_events_of_later_versions_are_read(colour: str, fault: str) -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock", fault=fault)) as llm:
        chunks = ask(llm, colour, "stream", "hi")
    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].usage is not None
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("exception", "kind", "status", "retryable"),
    [
        ("throttlingException", errors.RateLimitError, 429, True),
        ("internalServerException", errors.ServerError, 500, True),
        ("modelStreamErrorException", errors.ServerError, 424, True),
        ("validationException", errors.RequestRejected, 400, False),
        ("serviceUnavailableException", errors.Overloaded, 503, True),
        ("modelTimeoutException", errors.ServerError, 408, True),
    ],
)
def test_exceptions_in_a_stream_are_typed(
    colour: str, exception: str, kind: type[errors.HBError], status: int, retryable: bool
) -> None:
    payload = b'{"message":"told so","originalStatusCode":503,"originalMessage":"deep down"}'
    frame = event_frames.exception(exception, payload)
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.script(lambda request: Stream(opening=[frame], content=[], closing=[], content_type=STREAM_TYPE))
        with pytest.raises(kind) as caught:
            ask(llm, colour, "stream", "hi")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert caught.value.code == exception[0].upper() + exception[1:]
    assert "told so" in str(caught.value)
    assert "deep down" in str(caught.value)
    assert caught.value.request_id


@pytest.mark.parametrize("colour", COLOURS)
def test_an_exception_after_content_interrupts_with_what_came(colour: str) -> None:
    with (
        LoopbackServer() as server,
        llm_of(base_url=server.url("bedrock", fault="E3.after.429")) as llm,
        pytest.raises(errors.StreamInterrupted) as caught,
    ):
        ask(llm, colour, "stream", "hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == TEXT
    assert caught.value.code == "ThrottlingException"
    with (
        LoopbackServer() as server,
        llm_of(base_url=server.url("bedrock", fault="E20.error")) as llm,
        pytest.raises(errors.StreamInterrupted, match="An internal server error"),
    ):
        ask(llm, colour, "stream", "hi")


def test_a_stream_that_ends_after_its_reason_is_whole_without_usage() -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock", fault="E1.no-done")) as llm:
        chunks = ask(llm, "sync", "stream", "hi")
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert not any(chunk.usage for chunk in chunks)


@pytest.mark.parametrize("colour", COLOURS)
def test_an_answer_that_is_no_stream_is_one_chunk(colour: str) -> None:
    whole = {"output": {"message": {"content": [{"text": "whole"}]}}, "stopReason": "end_turn"}
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.reply(body=whole)
        [chunk] = ask(llm, colour, "stream", "hi")
    assert (chunk.text, chunk.finish_reason) == ("whole", "stop")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("status", "name", "message", "kind"),
    [
        (400, "ValidationException", "The provided model identifier is invalid.", errors.ModelNotFound),
        (400, "ValidationException", "Input is too long for requested model.", errors.ContextOverflow),
        (400, "ValidationException", "messages.0.content is empty", errors.RequestRejected),
        (400, "ServiceQuotaExceededException", "Your account has no more", errors.QuotaExhausted),
        (403, "AccessDeniedException", "You don't have access to the model with this ID.", errors.AuthError),
        (403, "ExpiredTokenException", "The security token included in the request is expired", errors.AuthError),
        (404, "ResourceNotFoundException", "Could not find it", errors.ModelNotFound),
        (408, "ModelTimeoutException", "Model has timed out", errors.ServerError),
        (424, "ModelErrorException", "The model failed", errors.ServerError),
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.", errors.RateLimitError),
        (429, "ModelNotReadyException", "Model is not ready", errors.Overloaded),
        (500, "InternalServerException", "oops", errors.ServerError),
        (503, "ServiceUnavailableException", "busy", errors.Overloaded),
    ],
)
def test_g24_bedrock_errors_have_their_types(
    colour: str, status: int, name: str, message: str, kind: type[errors.HBError]
) -> None:
    headers = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/", "x-amzn-requestid": "req-7"}
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock"), api_key=TOKEN) as llm:
        server.reply(status=status, body={"message": message}, headers=headers)
        with pytest.raises(kind) as caught:
            ask(llm, colour, "complete", "hi")
        assert server.request_count == 1
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert caught.value.code == name
    assert caught.value.provider == "bedrock"
    assert caught.value.model == NOVA


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("verb", "model"), [("complete", NOVA), ("embed", "amazon.titan-embed-text-v2:0")])
def test_g24_bedrock_throttling_says_how_long_to_wait(colour: str, verb: str, model: str) -> None:
    with LoopbackServer() as server, llm_of(model, base_url=server.url("bedrock")) as llm:
        server.reply("Too many requests", status=429, headers={"retry-after": "7"})
        with pytest.raises(errors.RateLimitError) as caught:
            ask(llm, colour, verb, "hi")
    assert caught.value.retry_after == 7
    assert caught.value.code == "ThrottlingException"


def test_an_on_demand_refusal_names_the_inference_profile() -> None:
    said = "Invocation of model ID x with on-demand throughput isn’t supported. Retry with an inference profile."
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.reply(said, status=400)
        with pytest.raises(errors.RequestRejected, match=r'such as "us\."'):
            llm.chat("hi")


def test_g21_bedrock_is_asked_once_when_hb_does_not_retry() -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock", fault="S5.503")) as llm:
        with pytest.raises(errors.Overloaded):
            llm.chat("hi")
        assert server.request_count == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_h02_bedrock_streams_are_live(colour: str) -> None:
    """The first piece is here while the server still waits for leave to send the rest."""
    leave = threading.Event()
    pieces = [event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in ("one ", "two")]
    closing = [event("messageStop", {"stopReason": "end_turn"}), event("metadata", {"usage": {"inputTokens": 1}})]

    def steps() -> Any:
        from hb_testing.server import LAST_CHUNK, Action, chunk, head

        yield head(200, {"content-type": STREAM_TYPE, "transfer-encoding": "chunked"}) + chunk(pieces[0])
        while not leave.is_set():
            yield Pause(0.005)
        yield chunk(pieces[1]) + b"".join(map(chunk, closing)) + LAST_CHUNK
        yield Action.KEEP_OPEN

    def first(text: str) -> None:
        assert text == "one "
        assert not leave.is_set()
        leave.set()

    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.script(lambda request: steps())
        if colour == "sync":
            texts = llm.stream("hi")
            first(next(texts))
            rest = list(texts)
        else:

            async def consume() -> list[str]:
                found: Any = llm.astream("hi")
                first(await anext(found))
                return [text async for text in found]

            rest = asyncio.run(consume())
    assert rest == ["two"]


def test_a_cancelled_async_call_frees_its_connection_at_once() -> None:
    async def scenario(server: LoopbackServer, llm: Any) -> float:
        task = asyncio.create_task(llm.achat("hi"))
        await server.await_for(lambda s: s.request_count == 1)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.await_for(lambda s: s.connections == 0)
        return time.monotonic() - began

    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock", fault="E9.a")) as llm:
        assert asyncio.run(scenario(server, llm)) < 1.0


def test_many_async_calls_do_not_wait_for_threads() -> None:
    """More calls at a time than the pool has threads are all on the wire."""
    count = 150

    async def scenario(server: LoopbackServer, llm: Any) -> list[str]:
        await llm.achat("warm")
        tasks = [asyncio.create_task(llm.achat(f"n{i}")) for i in range(count)]
        await server.await_for(lambda s: s.request_count == count + 1, timeout=20)
        return list(await asyncio.gather(*tasks))

    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.script(lambda request: Reply("yes", delay=0.0 if b"warm" in request.body else 0.04))
        assert asyncio.run(scenario(server, llm)) == ["yes"] * count


def test_four_runs_of_a_loop_send_four_requests() -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        for _ in range(4):
            assert asyncio.run(llm.achat("hi")) == "echo: hi"
        assert server.request_count == 4


def test_thoughts_go_back_with_their_signatures() -> None:
    with LoopbackServer() as server, llm_of(CLAUDE, base_url=server.url("bedrock")) as llm:
        server.reply(reasoning="because", tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
        from .support import TOOL

        first = llm.complete("hi", tools=[TOOL], think=True)
        assert first.reasoning == "because"
        result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "rain"}
        llm.complete([*first.messages, result], tools=[TOOL], think=True)
        blocks = server.requests[1].json["messages"][1]["content"]
    assert list(blocks[0]) == ["reasoningContent"]
    assert blocks[0]["reasoningContent"]["reasoningText"]["signature"]
    assert server.requests[1].json["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


def test_pictures_and_citations_in_an_answer_are_read() -> None:
    from base64 import b64encode

    from hb_testing.conformance.samples import IMAGES

    data = b64encode(IMAGES["png"]).decode()
    content = [
        {"citationsContent": {"content": [{"text": "cited"}], "citations": [{"title": "t"}]}},
        {"image": {"format": "png", "source": {"bytes": data}}},
        {"toolUse": {"toolUseId": "s1", "name": "search", "input": {}, "type": "server_tool_use"}},
        {"text": " end"},
    ]
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.reply(body={"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn"})
        answer = llm.complete("hi")
    assert answer.text == "cited end"
    assert [image.to_bytes() for image in answer.images] == [IMAGES["png"]]
    assert answer.tool_calls == []
    assert answer.usage is None


PIECE = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}})


def streamed(*frames: bytes) -> bytes:
    """The answer of a stream of these frames, which then breaks off."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {STREAM_TYPE}\r\ntransfer-encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames)


def bent(frame: bytes, place: int) -> bytes:
    """A frame with another bit at a place."""
    return frame[:place] + bytes([frame[place] ^ 1]) + frame[place + 1 :]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("place", [0, 5, 9, 14, -20, -1], ids=lambda place: f"byte {place}")
def test_b17_a_frame_that_is_not_as_it_was_sent_is_asked_for_once(colour: str, place: int) -> None:
    with (
        RawServer([streamed(bent(PIECE, place % len(PIECE))), None]) as server,
        llm_of(base_url=server.url(""), max_retries=2) as llm,
    ):
        with pytest.raises(errors.ProtocolError) as caught:
            ask(llm, colour, "stream", "hi")
        assert caught.value.maybe_billed
        assert not caught.value.retryable
        assert len(server.requests) == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_b17_behind_content_such_a_frame_interrupts_the_stream(colour: str) -> None:
    with (
        RawServer([streamed(PIECE, bent(PIECE, len(PIECE) - 1)), None]) as server,
        llm_of(base_url=server.url(""), max_retries=2) as llm,
    ):
        with pytest.raises(errors.StreamInterrupted) as caught:
            ask(llm, colour, "stream", "hi")
        assert caught.value.partial is not None
        assert caught.value.partial.text == "Hi"
        assert len(server.requests) == 1


@pytest.mark.parametrize("size", [FRAME_LIMIT, FRAME_LIMIT + 1024 * 1024])
def test_b17_a_large_frame_that_is_broken_costs_its_limit_at_most(size: int) -> None:
    frame = event_frames.prelude(size, 0) + bytes(size - 12)
    pieces = [frame[place : place + 65536] for place in range(0, size, 65536)]
    reader = FrameReader()

    def read() -> None:
        for piece in pieces:
            list(reader.feed(piece))

    tracemalloc.start()
    try:
        with pytest.raises((errors.ProtocolError, errors.EventTooLarge)):
            read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * FRAME_LIMIT
