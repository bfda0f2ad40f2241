"""From answers to completions: finish reasons, blocked prompts, usage, images, errors, in every mode."""

from __future__ import annotations

from typing import Any

import pytest

import heavenbase as hb
from hb_provider_gemini.usage import content_usage, searches_of
from hb_testing.conformance.samples import IMAGES
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.types import Usage

from .support import KEY, Replay, answering, ask, events, kernel, saying

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])


def given(mode: str, answer: dict[str, Any]) -> Replay:
    return Replay(events(answer) if "stream" in mode else answering(answer))


@MODES
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("OTHER", "other"),
    ],
)
def test_g03_finish_reasons_are_one_vocabulary(mode: str, raw: str, reason: str) -> None:
    answer = ask(mode, given(mode, saying({"text": "x"}, finish=raw)))
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


@MODES
def test_g03_an_answer_that_was_cut_before_it_began_is_empty(mode: str) -> None:
    cut = {"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}], "usageMetadata": {"promptTokenCount": 3}}
    answer = ask(mode, given(mode, cut))
    assert (answer.text, answer.finish_reason) == ("", "length")
    assert answer.usage is not None
    assert answer.usage.input == 3


@MODES
def test_a_blocked_prompt_is_an_error_that_says_why(mode: str) -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}}
    with pytest.raises(errors.ContentFiltered, match="PROHIBITED_CONTENT") as caught:
        ask(mode, given(mode, blocked))
    assert caught.value.code == "PROHIBITED_CONTENT"


def test_usage_is_told_apart() -> None:
    counted = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 157,
    }
    usage = ask("chat", Replay(answering(saying({"text": "x"}, usageMetadata=counted)))).usage
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (67, 40, 30, 20)
    assert usage.total_tokens == 157


@MODES
def test_g04_a_tool_call_ends_with_tool_calls_and_gets_an_id(mode: str) -> None:
    made = [{"functionCall": {"name": "f", "args": {"a": 1}}}, {"functionCall": {"name": "f", "args": {"a": 2}}}]
    answer = ask(mode, given(mode, saying(*made)))
    assert answer.finish_reason == "tool_calls"
    assert [call.parse() for call in answer.tool_calls] == [{"a": 1}, {"a": 2}]
    assert len({call.id for call in answer.tool_calls}) == 2


def test_g04_every_stream_ends_with_a_finish_reason_and_usage() -> None:
    replay = Replay(
        events(
            saying({"text": "one "}, finish=None),
            saying({"text": "two"}, usageMetadata={"promptTokenCount": 1, "candidatesTokenCount": 2}),
        )
    )
    with kernel(replay) as made:
        llm = hb.LLM(model="gemini-2.5-flash", provider="gemini", kernel=made)
        chunks = list(llm.stream("hi", include="chunk"))
    assert [chunk.text for chunk in chunks] == ["one ", "two"]
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].usage is not None


def test_a_stream_that_comes_as_an_array_is_read() -> None:
    replay = Replay(answering([saying({"text": "one "}, finish=None), saying({"text": "two"})]))
    assert ask("stream", replay).text == "one two"


def test_thoughts_are_left_out_when_they_are_not_wanted() -> None:
    answer = ask("chat", Replay(answering(saying({"text": "hm", "thought": True}, {"text": "x"}))), think=False)
    assert (answer.reasoning, answer.text) == ("", "x")


# Errors


def refused(code: int, **error: Any) -> HTTPResponse:
    return answering({"error": {"code": code, "message": "no", **error}}, code)


QUOTA = "You exceeded your current quota, please check your plan and billing details."
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}
DAILY = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDayFree"}]}
REASON = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@MODES
@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refused(400, status="INVALID_ARGUMENT"), errors.RequestRejected),
        (refused(400, status="INVALID_ARGUMENT", details=[REASON]), errors.AuthError),
        (refused(401, status="UNAUTHENTICATED"), errors.AuthError),
        (refused(403, status="PERMISSION_DENIED"), errors.AuthError),
        (
            refused(404, status="NOT_FOUND", message="models/x is not found for API version v1beta"),
            errors.ModelNotFound,
        ),
        (refused(404, status="NOT_FOUND", message="No such cached content"), errors.RequestRejected),
        (refused(429, status="RESOURCE_EXHAUSTED", message=QUOTA, details=[RETRY]), errors.RateLimitError),
        (refused(429, status="RESOURCE_EXHAUSTED", message=QUOTA, details=[RETRY, DAILY]), errors.QuotaExhausted),
        (refused(500, status="INTERNAL"), errors.ServerError),
        (refused(503, status="UNAVAILABLE"), errors.Overloaded),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_g24_an_error_of_google_has_its_class(mode: str, response: HTTPResponse, kind: type[errors.HBError]) -> None:
    with pytest.raises(errors.HBError) as caught:
        ask(mode, Replay(response))
    assert type(caught.value) is kind
    assert caught.value.status == response.status
    assert caught.value.code


def test_g24_the_time_to_wait_is_taken_from_the_details() -> None:
    with pytest.raises(errors.RateLimitError) as caught:
        ask("chat", Replay(refused(429, status="RESOURCE_EXHAUSTED", message=QUOTA, details=[RETRY])))
    assert caught.value.retry_after == 17.5


def test_h26_no_error_shows_the_key() -> None:
    with pytest.raises(errors.AuthError) as caught:
        ask("chat", Replay(refused(401, message=f"bad key {KEY}")))
    assert KEY not in str(caught.value)
    assert KEY not in str(caught.value.body)


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_h11_an_error_inside_a_stream_is_never_a_success(mode: str) -> None:
    broken = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    with pytest.raises(errors.StreamInterrupted) as caught:
        ask(mode, Replay(events(saying({"text": "one"}, finish=None), broken)))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"
    with pytest.raises(errors.StreamTruncated):
        ask(mode, Replay(events(saying({"text": "one"}, finish=None))))


# Images and vectors


def test_images_out_of_a_chat_and_of_imagen() -> None:
    from base64 import b64encode

    data = b64encode(IMAGES["png"]).decode()
    chat = answering(saying({"text": "here"}, {"inlineData": {"mimeType": "image/png", "data": data}}))
    predicted = answering({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": data}]})
    for model, response in (("gemini-2.5-flash-image", chat), ("imagen-4.0-generate-001", predicted)):
        with kernel(Replay(response)) as made:
            image = hb.LLM(model=model, provider="gemini", kernel=made).imagen("a dot")
        assert image.to_bytes() == IMAGES["png"]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("imagen-4.0-generate-001", {"predictions": [{"raiFilteredReason": "not this"}]}),
        ("imagen-4.0-generate-001", {}),
        ("gemini-2.5-flash-image", {"candidates": [{"finishReason": "IMAGE_SAFETY"}]}),
    ],
)
def test_an_image_that_the_filter_refused_is_an_error(model: str, answer: Any) -> None:
    with kernel(Replay(answering(answer))) as made, pytest.raises(errors.ContentFiltered):
        hb.LLM(model=model, provider="gemini", kernel=made).imagen("a dot")


def test_references_of_imagen_are_refused_before_sending() -> None:
    replay = Replay(answering({}))
    with kernel(replay) as made, pytest.raises(errors.UnsupportedError, match="reference"):
        hb.LLM(model="imagen-4.0-generate-001", provider="gemini", kernel=made).imagen("x", images=[IMAGES["png"]])
    assert replay.sent == []


# Clients


def test_g25_the_key_travels_in_googles_header_and_a_new_one_is_used() -> None:
    replay = Replay(answering(saying({"text": "x"})))
    with kernel(replay) as made:
        llm = hb.LLM(model="gemini-2.5-flash", provider="gemini", kernel=made)
        llm.chat("hi")
        llm.chat("hi", api_key="AIza-another")
    keys = [request.header("x-goog-api-key") for request in replay.sent]
    assert keys == [KEY, "AIza-another"]
    assert all("key=" not in request.url for request in replay.sent)


def test_the_exported_client_is_the_sdks_and_reaches_the_endpoint() -> None:
    replay = Replay(answering(saying({"text": "x"})))
    with kernel(replay) as made:
        llm = hb.LLM(model="gemini-2.5-flash", provider="gemini", kernel=made, temperature=0.5)
        client = llm.to_client()
        assert client is llm.to_client()
        answer = client.models.generate_content(contents="hi", **llm.to_args(max_tokens=7))
    assert answer.text == "x"
    assert replay.body()["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 7}
    assert replay.sent[0].header("x-goog-api-key") == KEY


def test_the_async_client_of_the_sdk_reaches_the_endpoint() -> None:
    import asyncio

    replay = Replay(answering(saying({"text": "x"})))

    async def main(llm: hb.LLM) -> str:
        answer = await llm.to_aclient().models.generate_content(contents="hi", **llm.to_args())
        return str(answer.text)

    with kernel(replay) as made:
        assert asyncio.run(main(hb.LLM(model="gemini-2.5-flash", provider="gemini", kernel=made))) == "x"


def test_tokens_are_counted_by_the_provider() -> None:
    replay = Replay(answering({"totalTokens": 31}))
    with kernel(replay) as made:
        counted = hb.LLM(model="gemini-2.5-flash", provider="gemini", kernel=made).count_tokens("hi")
        assert (int(counted), counted.method) == (31, "endpoint")
    assert replay.sent[0].url.endswith("/models/gemini-2.5-flash:countTokens")
    assert replay.body()["generateContentRequest"]["model"] == "models/gemini-2.5-flash"


def test_events_that_bring_grounding_or_counts_alone_are_no_error() -> None:
    replay = Replay(
        events(
            saying({"text": "one"}, finish=None),
            {"candidates": [{"index": 0, "groundingMetadata": {"webSearchQueries": ["x"]}}]},
            {"usageMetadata": {"promptTokenCount": 3}},
            {"candidates": [{"index": 0, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 4}},
        )
    )
    answer = ask("stream", replay)
    assert (answer.text, answer.finish_reason) == ("one", "stop")
    assert answer.usage is not None
    assert answer.usage.input == 4


def test_what_googles_own_tools_did_is_kept_for_the_next_turn() -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"text": "One."},
    ]
    answer = ask("chat", Replay(answering(saying(*parts))))
    assert answer.text == "One."
    assert answer.reasoning_parts[0]["value"] == parts


def test_g25_what_the_sdk_finds_in_the_environment_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "AIza-of-another-process")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://elsewhere.example")
    replay = Replay(answering(saying({"text": "x"})))
    ask("chat", replay)
    assert replay.sent[0].header("x-goog-api-key") == KEY
    assert replay.sent[0].url.startswith("https://generativelanguage.googleapis.com/v1beta/models/")
    assert "API_KEY" not in caplog.text


@MODES
def test_g02_an_answer_has_all_its_fields(mode: str) -> None:
    answer = ask(mode, given(mode, saying({"text": "x"}, responseId="r1", modelVersion="gemini-2.5-flash-001")))
    assert (answer.text, answer.id, answer.model) == ("x", "r1", "gemini-2.5-flash-001")
    assert (answer.provider, answer.gateway) == ("gemini", "gemini")
    assert answer.raw
    assert [attempt.error for attempt in answer.attempts] == [None]


def test_g10_a_model_of_pydantic_is_answered_as_one() -> None:
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    replay = Replay(answering(saying({"text": '{"name": "Paris"}'})))
    with kernel(replay) as made:
        llm = hb.LLM(model="gemini-2.5-flash", provider="gemini", kernel=made)
        assert llm.chat("hi", response_format=City, include="structured") == City(name="Paris")
    assert replay.body()["generationConfig"]["responseJsonSchema"]["properties"]["name"]["type"] == "string"


def test_sounds_pictures_searches_and_the_service_are_told_apart() -> None:
    raw = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 30,
        "candidatesTokenCount": 1300,
        "totalTokenCount": 1400,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        "trafficType": "ON_DEMAND_FLEX",
    }
    usage = Usage(45, 10, cache_read=30, audio=25, output_image=1290, tier="flex", web_searches=2)
    assert content_usage(raw, 2) == usage
    assert usage.prompt_tokens == 100
    assert content_usage({"promptTokenCount": 5, "promptTokensDetails": ["odd", {"modality": "AUDIO"}]}) == Usage(5)
    assert searches_of({"groundingMetadata": {"webSearchQueries": ["a", "b"]}}) == 2
    assert searches_of({"groundingMetadata": None}) == 0
