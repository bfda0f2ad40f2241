"""Behaviours of the gateways and libraries that hb replaces, each proved on Bedrock's wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hb_testing.conformance.parameters import CHAT, EMBED, IMAGEN, Sample
from hb_testing.conformance.samples import IMAGES
from hb_testing.server import LoopbackServer
from heavenbase import errors
from heavenbase.image.image import LLMImage

from .support import CLAUDE, COLOURS, NOVA, TOKEN, TOOL, TOOLS, ask, body, llm_of, make_kernel, prepared
from .test_bedrock_messages import CALL, PNG, check

NAMED = {"type": "function", "function": {"name": "get_time"}}
USAGE = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 20, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 2}
ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"
FAMILIES = [
    NOVA,
    CLAUDE,
    "us.meta.llama3-3-70b-instruct-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "openai.gpt-oss-20b-1:0",
]


@pytest.mark.parametrize("colour", COLOURS)
def test_h01_h08_bedrock_answers_have_text_calls_reason_and_counts(colour: str) -> None:
    with LoopbackServer() as server, llm_of(CLAUDE, base_url=server.url("bedrock")) as llm:
        call = {"name": "get_weather", "arguments": {"city": "Köln"}}
        server.reply(text="so", reasoning="hm", tool_calls=[call], usage=USAGE)
        answer = ask(llm, colour, "complete", "hi", tools=[TOOL])
        server.reply(text="so", reasoning="hm", tool_calls=[call], usage=USAGE)
        chunks = ask(llm, colour, "stream", "hi", tools=[TOOL])
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("so", "hm", "tool_calls")
    assert [(c.name, c.parse()) for c in answer.tool_calls] == [("get_weather", {"city": "Köln"})]
    last = next(chunk.usage for chunk in reversed(chunks) if chunk.usage is not None)
    for usage in (answer.usage, last):
        assert usage is not None
        assert (usage.input, usage.output, usage.cache_read, usage.cache_write) == (3, 5, 10, 2)
        assert usage.reasoning is None
        assert usage.total_tokens == 20
    assert answer.request_id


@pytest.mark.parametrize("colour", COLOURS)
def test_h02_g04_bedrock_streams_join_to_the_whole(colour: str) -> None:
    with LoopbackServer() as server, llm_of(CLAUDE, base_url=server.url("bedrock")) as llm:
        reply: dict[str, Any] = {
            "text": "Grüße aus Köln 🌍",
            "reasoning": "so said",
            "tool_calls": [{"name": "get_time", "arguments": {}}],
        }
        server.reply(**reply)
        whole = ask(llm, colour, "complete", "hi", tools=TOOLS)
        server.reply(**reply)
        chunks = ask(llm, colour, "stream", "hi", tools=TOOLS)
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert "".join(chunk.reasoning for chunk in chunks) == whole.reasoning
    assert any(chunk.tool_calls for chunk in chunks)
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == [whole.finish_reason]
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["complete", "stream"])
def test_h03_bedrock_gets_everything_in_both_calls(colour: str, verb: str) -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": "hi"}]
        ask(llm, colour, verb, messages, tools=[TOOL], tool_choice="auto", max_tokens=9, temperature=0.25)
        sent = server.requests[0].json
    assert sent["system"] == [{"text": "rules"}]
    assert sent["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
    assert sent["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.25}
    assert sent["toolConfig"]["toolChoice"] == {"auto": {}}
    assert sent["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["required"] == ["city"]


@pytest.mark.parametrize("colour", COLOURS)
def test_h10_bedrock_fragments_of_parallel_calls_are_assembled(colour: str) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": "Köln " * 9}}, {"name": "get_time", "arguments": {}}]
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.reply(tool_calls=calls)
        if colour == "sync":
            answer: Any = list(llm.stream("hi", tools=TOOLS, include="tool_calls"))
        else:
            answer = ask(llm, colour, "stream", "hi", tools=TOOLS, include="tool_calls")
        server.reply(tool_calls=calls)
        whole = ask(llm, colour, "complete", "hi", tools=TOOLS)
    assert answer
    assert [(call.name, call.parse()) for call in whole.tool_calls] == [(c["name"], c["arguments"]) for c in calls]
    assert len({call.id for call in whole.tool_calls}) == 2


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("fault", ["E3.after", "E1.after", "E1.after-eof", "E2.2", "E20.cut"])
def test_h11_bedrock_streams_that_fail_raise(colour: str, fault: str) -> None:
    with (
        LoopbackServer() as server,
        llm_of(base_url=server.url("bedrock", fault=fault)) as llm,
        pytest.raises(errors.StreamError),
    ):
        ask(llm, colour, "stream", "hi")


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("model_context_window_exceeded", "context_overflow"),
        ("a_later_word", "other"),
    ],
)
def test_h13_g03_bedrock_reasons_are_of_one_vocabulary(raw: str, finish: str) -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.reply("x", finish_reason=raw)
        answer = llm.complete("hi")
        assert (answer.finish_reason, answer.raw_finish_reason) == (finish, raw)
        server.reply("x", finish_reason=raw)
        found = [(c.finish_reason, c.raw_finish_reason) for c in llm.stream("hi", include="chunk") if c.finish_reason]
    assert found == [(finish, raw)]


def test_h13_bedrock_calls_in_a_turn_that_only_ended_are_calls() -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        server.reply(tool_calls=[{"name": "get_time", "arguments": {}}], finish_reason="end_turn")
        assert llm.complete("hi", tools=TOOLS).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ("any", {"any": {}}),
        ("get_time", {"tool": {"name": "get_time"}}),
        (NAMED, {"tool": {"name": "get_time"}}),
        ({"type": "tool", "name": "get_time"}, {"tool": {"name": "get_time"}}),
        ({"tool": {"name": "get_time"}}, {"tool": {"name": "get_time"}}),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
def test_g06_h24_bedrock_tool_choice(choice: Any, config: Any, stream: bool) -> None:
    for model in (NOVA, CLAUDE):
        options = {} if choice is None else {"tool_choice": choice}
        request, report = prepared(model=model, tools=TOOLS, stream=stream, **options)
        check(dict(request.body))
        assert request.body["toolConfig"].get("toolChoice") == config
        assert choice is None or report.entries["tool_choice"].outcome == "renamed"


def test_g06_h24_bedrock_tool_choice_none_sends_no_tools() -> None:
    request, report = prepared(tools=TOOLS, tool_choice="none")
    assert "toolConfig" not in request.body
    assert {name: report.entries[name].outcome for name in ("tools", "tool_choice")} == dict.fromkeys(
        ("tools", "tool_choice"), "emulated"
    )


def test_g05_g07_bedrock_results_of_a_turn_are_one_message() -> None:
    second = {**CALL, "id": "call_2", "function": {"name": "get_time", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "both"},
        {"role": "assistant", "content": "well", "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "noon"}]},
        {"role": "user", "content": "and?"},
    ]
    sent = check(body(messages, tools=TOOLS))
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    uses = [block["toolUse"] for block in sent["messages"][1]["content"][1:]]
    assert [(use["name"], use["input"]) for use in uses] == [("get_weather", {"city": "Köln"}), ("get_time", {})]
    last = sent["messages"][2]["content"]
    assert [block["toolResult"]["content"] for block in last[:2]] == [[{"text": "rain"}], [{"text": "noon"}]]
    assert last[2] == {"text": "and?"}
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        llm.chat(messages, tools=TOOLS)  # the server, which is strict, takes it


@pytest.mark.parametrize(
    "said", ['```json\n{"n": 4}\n```', 'Sure {really}: {"n": 4} – done', '{"n": 4}'], ids=["fence", "braces", "plain"]
)
def test_g09_g10_bedrock_structured_answers_are_found(said: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "N", "schema": schema}}
    with LoopbackServer() as server, llm_of(NOVA, base_url=server.url("bedrock")) as llm:
        server.reply(said)
        messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": "hi"}]
        assert llm.chat(messages, response_format=wanted, include="structured") == {"n": 4}
        system = server.requests[0].json["system"]
    assert system[0] == {"text": "rules"}
    assert json.dumps(schema, separators=(",", ":"))[:40] in system[1]["text"]


@pytest.mark.parametrize("colour", COLOURS)
def test_g11_bedrock_embeddings_keep_their_order_and_limits(colour: str) -> None:
    texts = [f"text {number}" for number in range(200)]
    with LoopbackServer() as server, llm_of("cohere.embed-v4:0", base_url=server.url("bedrock")) as llm:
        found = ask(llm, colour, "embed", texts, dimensions=4, input_type="search_query", truncate="end")
        sent = [request.json for request in server.requests]
        assert sorted(len(each["texts"]) for each in sent) == [8, 96, 96]
        assert sent[0]["output_dimension"] == 4
        assert (sent[0]["input_type"], sent[0]["truncate"]) == ("search_query", "RIGHT")
        assert len(found) == 200
        assert found[150] == pytest.approx(ask(llm, colour, "embed", texts[150], dimensions=4))
    with LoopbackServer() as server, llm_of("amazon.titan-embed-text-v2:0", base_url=server.url("bedrock")) as llm:
        ask(llm, colour, "embed", ["a", "b"], dimensions=256, normalize=False)
        assert sorted(request.json["inputText"] for request in server.requests) == ["a", "b"]
        assert server.requests[0].json == {**server.requests[0].json, "dimensions": 256, "normalize": False}
        assert server.requests[0].path.endswith("/model/amazon.titan-embed-text-v2%3A0/invoke")


@pytest.mark.parametrize(
    ("model", "options", "sent"),
    [
        ("amazon.titan-embed-text-v1", {}, {"inputText": "x"}),
        (
            "amazon.titan-embed-image-v1",
            {"dimensions": 384},
            {"inputText": "x", "embeddingConfig": {"outputEmbeddingLength": 384}},
        ),
        (
            "amazon.nova-2-multimodal-embeddings-v1:0",
            {"dimensions": 256, "input_type": "search_query", "truncate": "none"},
            {
                "taskType": "SINGLE_EMBEDDING",
                "singleEmbeddingParams": {
                    "embeddingPurpose": "GENERIC_RETRIEVAL",
                    "embeddingDimension": 256,
                    "text": {"truncationMode": "NONE", "value": "x"},
                },
            },
        ),
        (
            "cohere.embed-multilingual-v3",
            {"task_type": "RETRIEVAL_QUERY", "truncate": "left"},
            {"texts": ["x"], "input_type": "search_query", "truncate": "START", "embedding_types": ["float"]},
        ),
    ],
)
def test_g11_bedrock_embedding_families_have_their_bodies(model: str, options: Any, sent: Any) -> None:
    assert prepared(model=model, verb="embed", inputs=["x"], **options)[0].body == sent
    with LoopbackServer() as server, llm_of(model, base_url=server.url("bedrock")) as llm:
        assert len(llm.embed("x", **options)) >= 8


def test_g12_bedrock_models_without_embeddings_say_so() -> None:
    with llm_of(NOVA) as llm, pytest.raises(errors.EmbeddingsNotSupported):
        llm.embed("x")
    with pytest.raises(errors.EmbeddingsNotSupported, match="titan-embed"):
        prepared(model="somebody.model-v1", verb="embed", inputs=["x"])


@pytest.mark.parametrize("colour", COLOURS)
def test_g13_bedrock_images_travel_as_bytes(colour: str) -> None:
    part = {"image": {"format": "png", "source": {"bytes": PNG}}}
    with LoopbackServer() as files, LoopbackServer() as server:
        from hb_testing.server import Action, response

        files.script(lambda request: [response(200, IMAGES["png"], "image/jpeg"), Action.KEEP_OPEN])
        by_url = LLMImage.from_url(f"{files.origin}/a.jpg", detail="high", allow_hosts="127.0.0.1")
        data_url = {"type": "image_url", "image_url": {"url": f"data:image/webp;base64,{PNG}", "detail": "high"}}
        raw = {"type": "image_bytes", "image_bytes": {"data": PNG, "mime_type": "image/gif"}}
        content = [{"type": "text", "text": "What?"}, by_url, data_url, raw]
        with llm_of(base_url=server.url("bedrock")) as llm:
            ask(llm, colour, "complete", [{"role": "user", "content": content}])
        sent = check(server.requests[0].json)
    assert sent["messages"][0]["content"] == [{"text": "What?"}, part, part, part]
    assert "high" not in json.dumps(sent)


def test_g14_bedrock_image_that_cannot_be_fetched_is_an_error_of_hb() -> None:
    with LoopbackServer() as files, LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        image = LLMImage.from_url(f"{files.origin}/gone.png", allow_hosts="127.0.0.1")
        with pytest.raises(errors.HBError):
            llm.chat([{"role": "user", "content": [image]}])
        with pytest.raises(errors.FetchBlocked):
            llm.chat([{"role": "user", "content": [LLMImage.from_url("http://169.254.169.254/latest")]}])
        assert server.request_count == 0


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("sample", CHAT, ids=lambda sample: sample.id)
def test_every_field_alone_is_on_the_wire_or_in_the_report(model: str, sample: Sample) -> None:
    _accounted("complete", sample, model=model)


@pytest.mark.parametrize(
    "model", ["amazon.titan-embed-text-v2:0", "cohere.embed-v4:0", "amazon.nova-2-multimodal-embeddings-v1:0"]
)
@pytest.mark.parametrize("sample", EMBED, ids=lambda sample: sample.id)
def test_every_field_of_embeddings_is_on_the_wire_or_in_the_report(model: str, sample: Sample) -> None:
    _accounted("embed", sample, model=model, inputs=["x"])


@pytest.mark.parametrize(
    "model", ["amazon.nova-canvas-v1:0", "stability.sd3-5-large-v1:0", "stability.stable-diffusion-xl-v1"]
)
@pytest.mark.parametrize("sample", IMAGEN, ids=lambda sample: sample.id)
def test_every_field_of_images_is_on_the_wire_or_in_the_report(model: str, sample: Sample) -> None:
    _accounted("imagen", sample, model=model, prompt="a cat")


def _accounted(verb: str, sample: Sample, **given: Any) -> None:
    without, _ = prepared(verb=verb, **given, **sample.others)
    try:
        request, report = prepared(verb=verb, **given, **sample.others, **{sample.name: sample.value})
    except (errors.InputError, errors.UnsupportedError):
        return  # refused by name, before anything is sent
    entry = report.entries[sample.name]
    changed = (request.url, request.body, request.headers) != (without.url, without.body, without.headers)
    if entry.outcome in ("sent", "renamed", "unknown"):
        assert changed, entry
    else:
        assert entry.reason
        assert not changed or entry.outcome in ("clamped", "emulated")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("model", "options", "sent"),
    [
        (
            "amazon.nova-canvas-v1:0",
            {"n": 2, "size": "512x768", "quality": "hd", "negative_prompt": "dogs", "seed": 5},
            {
                "taskType": "TEXT_IMAGE",
                "textToImageParams": {"text": "a cat", "negativeText": "dogs"},
                "imageGenerationConfig": {
                    "numberOfImages": 2, "width": 512, "height": 768, "quality": "premium", "seed": 5
                },
            },
        ),
        (
            "stability.sd3-5-large-v1:0",
            {"aspect_ratio": "16:9", "output_format": "png"},
            {"prompt": "a cat", "aspect_ratio": "16:9", "output_format": "png"},
        ),
        (
            "stability.stable-diffusion-xl-v1",
            {"size": "512x512", "steps": 9},
            {"text_prompts": [{"text": "a cat"}], "width": 512, "height": 512, "steps": 9},
        ),
    ],
)  # fmt: skip
def test_images_are_asked_for_as_each_family_has_it(colour: str, model: str, options: Any, sent: Any) -> None:
    with LoopbackServer() as server, llm_of(model, base_url=server.url("bedrock")) as llm:
        found = ask(llm, colour, "imagen", "a cat", include="images", **options)
        assert server.requests[0].json == sent
    assert all(image.format == "png" for image in (found if isinstance(found, list) else [found]))


def test_reference_images_and_refusals_of_the_filter() -> None:
    image = LLMImage.from_bytes(IMAGES["png"])
    with LoopbackServer() as server, llm_of("amazon.nova-canvas-v1:0", base_url=server.url("bedrock")) as llm:
        llm.imagen("a cat", images=[image])
        assert server.requests[0].json["imageVariationParams"] == {"images": [PNG], "text": "a cat"}
        server.reply(body={"images": [], "error": "The prompt was blocked by our content filters"})
        with pytest.raises(errors.ContentFiltered, match="blocked"):
            llm.imagen("no")
    with LoopbackServer() as server, llm_of("stability.sd3-5-large-v1:0", base_url=server.url("bedrock")) as llm:
        llm.imagen("a cat", images=[image])
        assert server.requests[0].json["image"] == PNG
        server.reply(body={"images": [None], "finish_reasons": ["Filter reason: prompt"]})
        with pytest.raises(errors.ContentFiltered, match="Filter reason"):
            llm.imagen("no")
        with pytest.raises(errors.InputError, match="one reference image"):
            llm.imagen("a cat", images=[image, image])


@pytest.mark.parametrize(
    ("names", "model_id"),
    [
        ({"model": "bedrock/amazon.nova-pro-v1:0"}, "amazon.nova-pro-v1:0"),
        ({"model": "eu.anthropic.claude-haiku-4-5-20251001-v1:0"}, "eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ({"model": "somebody.model", "provider": "bedrock"}, "somebody.model"),
        (
            {"model": "arn:aws:bedrock:eu-west-1:1:inference-profile/x"},
            "arn:aws:bedrock:eu-west-1:1:inference-profile/x",
        ),
        ({"model": "nova-lite"}, "amazon.nova-lite-v1:0"),
        ({"preset": "bedrock"}, "amazon.nova-lite-v1:0"),
    ],
    ids=str,
)
def test_g01_bedrock_is_chosen_by_its_prefixes_and_names(names: dict[str, str], model_id: str) -> None:
    with make_kernel() as kernel:
        spec = kernel.resolve(**names)
    assert (spec.provider, spec.gateway, spec.model_id) == ("bedrock", "bedrock", model_id)


def test_g02_bedrock_answers_name_their_model_and_keep_what_came() -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        answer = llm.complete("hi")
    assert (answer.provider, answer.model, answer.gateway) == ("bedrock", NOVA, "bedrock")
    assert answer.raw["output"]["message"]["content"] == [{"text": "echo: hi"}]
    assert answer.attempts[0].status in (200, None)
    assert answer.report is not None


def test_g05_bedrock_runs_the_tools_of_a_conversation() -> None:
    def get_weather(city: str) -> str:
        """The weather."""
        return f"rain in {city}"

    for colour in COLOURS:
        with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
            server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
            server.reply("take an umbrella")
            answer = ask(llm, colour, "complete", "hi", tools=[get_weather])
            assert answer.text == "take an umbrella"
            sent = check(server.requests[1].json)["messages"][-1]["content"]
        assert sent[0]["toolResult"]["content"][0]["text"].find("rain in Köln") >= 0


def test_h26_bedrock_errors_do_not_repeat_the_key() -> None:
    with (
        LoopbackServer() as server,
        llm_of(base_url=server.url("bedrock", fault="S1.401"), api_key=TOKEN) as llm,
        pytest.raises(errors.AuthError) as caught,
    ):
        llm.chat("hi")
    assert TOKEN not in str(caught.value)
    assert TOKEN not in str(caught.value.body)
