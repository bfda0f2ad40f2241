"""Messages, parts, tools and options as Converse wants them, judged by boto3's own model of the service as well."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from functools import lru_cache
from importlib import import_module
from typing import Any

import pytest

from hb_testing.conformance.samples import IMAGES
from heavenbase.errors import InputError, LossyRequestError, UnknownNameError, UnsupportedError, VisionNotSupported
from heavenbase.image.image import LLMImage

from .support import CLAUDE, NOVA, TOOL, TOOLS, body, llm_of, outcomes, prepared

PNG = b64encode(IMAGES["png"]).decode()
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Köln"}'}}


@lru_cache(maxsize=1)
def service() -> Any:
    return import_module("botocore.session").Session().get_service_model("bedrock-runtime")


def check(sent: dict[str, Any], operation: str = "Converse") -> dict[str, Any]:
    """The body, once boto3's model of the service accepts it."""
    shape = service().operation_model(operation).input_shape
    report = import_module("botocore.validate").ParamValidator().validate({"modelId": "m", **_with_bytes(sent)}, shape)
    assert not report.has_errors(), report.generate_report()
    return sent


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: b64decode(v) if k == "bytes" else _with_bytes(v) for k, v in value.items()}
    return [_with_bytes(item) for item in value] if isinstance(value, list) else value


def test_system_messages_are_lifted_and_all_are_kept() -> None:
    sent = check(
        body(
            [
                {"role": "system", "content": "one"},
                {"role": "user", "content": "hi"},
                {"role": "system", "content": "two"},
            ]
        )
    )
    assert sent["system"] == [{"text": "one"}, {"text": "two"}]
    assert sent["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]


def test_a_model_without_a_system_prompt_is_told_in_the_first_message() -> None:
    messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": "hi"}]
    sent = check(body(messages, model="amazon.titan-text-express-v1"))
    assert "system" not in sent
    assert sent["messages"] == [{"role": "user", "content": [{"text": "rules"}, {"text": "hi"}]}]


def test_messages_of_one_role_become_one_and_blank_text_is_left_out() -> None:
    parts = [{"type": "text", "text": " "}, {"type": "text", "text": "b"}]
    sent = body([{"role": "user", "content": "a"}, {"role": "user", "content": parts}])
    assert sent["messages"] == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]
    with pytest.raises(InputError, match="empty"):
        body([{"role": "user", "content": ""}])
    with pytest.raises(InputError, match="message of a user"):
        body([{"role": "system", "content": "only"}])


def test_documents_audio_and_video_have_their_formats() -> None:
    pdf = b64encode(b"%PDF-1.7").decode()
    parts = [
        {"type": "file", "file": {"filename": "Q3 report_(v2).pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
        {"type": "file", "file": {"filename": "table.csv", "file_data": b64encode(b"a,b").decode()}},
        {"type": "input_audio", "input_audio": {"data": pdf, "format": "wav"}},
        {"type": "video_url", "video_url": {"url": f"data:video/quicktime;base64,{pdf}"}},
        {"type": "video_url", "video_url": {"url": "s3://bucket/clip.mp4"}},
        {"type": "document", "document": {"format": "txt", "name": "raw", "source": {"bytes": b"raw bytes"}}},
        {"type": "text", "text": "read them"},
    ]
    blocks = check(body([{"role": "user", "content": parts}]))["messages"][0]["content"]
    assert blocks[0] == {"document": {"format": "pdf", "name": "Q3 report (v2)", "source": {"bytes": pdf}}}
    assert (blocks[1]["document"]["format"], blocks[1]["document"]["name"]) == ("csv", "table")
    assert blocks[2] == {"audio": {"format": "wav", "source": {"bytes": pdf}}}
    assert blocks[3]["video"]["format"] == "mov"
    assert blocks[4] == {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/clip.mp4"}}}}
    assert blocks[5]["document"]["source"] == {"bytes": b64encode(b"raw bytes").decode()}


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (
            {"type": "file", "file": {"filename": "a.exe", "file_data": "data:application/x-exe;base64,AAAA"}},
            InputError,
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, UnsupportedError),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": "no base64!"}}, InputError),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, UnsupportedError),
        ({"type": "hologram"}, UnsupportedError),
    ],
)
def test_parts_that_the_wire_has_not_are_refused(part: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        body([{"role": "user", "content": [part]}])


def test_cache_points_stand_where_the_next_turn_needs_them() -> None:
    turns = [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    sent = check(body(turns, model=CLAUDE, tools=TOOLS, prompt_caching="1h"))
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert sent["system"] == [{"text": "rules"}, point]
    assert sent["toolConfig"]["tools"][-1] == point
    assert sent["messages"][0]["content"] == [{"text": "one"}, point]
    assert sent["messages"][-1]["content"] == [{"text": "three"}]
    own = {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    assert body([own])["messages"][0]["content"] == [{"text": "x"}, {"cachePoint": {"type": "default"}}]
    assert outcomes(model="meta.llama3-1-8b-instruct-v1:0", prompt_caching=True)["prompt_caching"] == "dropped"
    assert "cachePoint" not in json.dumps(body(turns, model=CLAUDE, prompt_caching=False))


def test_foreign_ids_of_tool_calls_are_made_fit_and_unique() -> None:
    def turn(id_: str, text: str) -> list[dict[str, Any]]:
        call = {**CALL, "id": id_}
        return [
            {"role": "user", "content": text},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id_, "content": "done"},
        ]

    long = "x" * 80 + "|y"
    sent = check(body([*turn("a/b", "1"), *turn("a/b", "2"), *turn(long, "3")], tools=[TOOL]))
    uses = [b["toolUse"]["toolUseId"] for m in sent["messages"] for b in m["content"] if "toolUse" in b]
    results = [b["toolResult"]["toolUseId"] for m in sent["messages"] for b in m["content"] if "toolResult" in b]
    assert uses == results
    assert uses[:2] == ["a_b", "a_b_2"]
    assert len(set(uses)) == 3
    assert all(len(id_) <= 64 for id_ in uses)


def test_a_failed_result_says_so_and_arguments_that_are_no_object_travel_as_text() -> None:
    bad = {**CALL, "function": {"name": "get_weather", "arguments": "{broken"}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [bad]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"ok": false, "error": "no"}'},
    ]
    sent = check(body(messages, tools=[TOOL]))
    assert sent["messages"][1]["content"][0]["toolUse"]["input"] == {"arguments": "{broken"}
    assert sent["messages"][2]["content"][0]["toolResult"]["status"] == "error"


def test_without_tools_earlier_calls_are_told_in_words() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    for options in ({}, {"tools": [TOOL], "tool_choice": "none"}):
        sent = check(body(messages, **options))
        assert "toolConfig" not in sent
        assert "toolUse" not in json.dumps(sent)
        assert "rain" in sent["messages"][-1]["content"][0]["text"]


def test_a_model_that_only_knows_any_gets_the_named_tool_alone() -> None:
    model = "mistral.mistral-large-2402-v1:0"
    request, report = prepared(model=model, tools=TOOLS, tool_choice="get_time")
    config = request.body["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["get_time"]
    assert config["toolChoice"] == {"any": {}}
    assert report.entries["tool_choice"].outcome == "emulated"


def test_what_a_model_cannot_do_is_refused_with_a_reason() -> None:
    with pytest.raises(UnknownNameError, match="get_weather"):
        body(tools=TOOLS, tool_choice="get_wether")
    llama = "us.meta.llama3-3-70b-instruct-v1:0"
    with pytest.raises(UnsupportedError, match="streams no answers with tools"):
        prepared(model=llama, tools=TOOLS, stream=True)
    assert outcomes(model=llama, tools=TOOLS, tool_choice="required")["tool_choice"] == "dropped"
    with llm_of("deepseek.r1-v1:0") as llm, pytest.raises((LossyRequestError, UnsupportedError), match="tool"):
        llm.chat("hi", tools=TOOLS)
    with llm_of("amazon.titan-embed-text-v2:0") as llm, pytest.raises(UnsupportedError, match="embed"):
        llm.chat("hi")
    picture = {"type": "image", "image": LLMImage.from_bytes(IMAGES["png"])}
    with llm_of("amazon.nova-micro-v1:0") as llm, pytest.raises(VisionNotSupported):
        llm.chat([{"role": "user", "content": [picture]}])
    # The gateway knows too, where no record of the provider says so.
    encoded = {"type": "image", "image": {"format": "png", "source": {"bytes": PNG}}}
    with pytest.raises(VisionNotSupported, match="accepts no images"):
        body([{"role": "user", "content": [encoded]}], model="amazon.nova-micro-v1:0")


def test_options_of_sampling_land_where_each_family_has_them() -> None:
    sent = check(body(model=NOVA, temperature=0.5, top_p=0.9, top_k=20, max_tokens=77, stop="END"))
    assert sent["inferenceConfig"] == {"maxTokens": 77, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    assert sent["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 20}}
    assert body(model="mistral.mistral-large-2402-v1:0", top_k=5)["additionalModelRequestFields"] == {"top_k": 5}
    assert body(model="cohere.command-r-v1:0", top_k=5)["additionalModelRequestFields"] == {"k": 5}
    assert outcomes(model="meta.llama3-1-8b-instruct-v1:0", top_k=5) == {"top_k": "dropped"}
    assert outcomes(temperature=1.7) == {"temperature": "clamped"}
    both = prepared(model=CLAUDE, temperature=0.5, top_p=0.9)
    assert both[0].body["inferenceConfig"] == {"temperature": 0.5}
    assert both[1].entries["top_p"].outcome == "dropped"
    assert outcomes(model="anthropic.claude-opus-5", temperature=0.3) == {"temperature": "dropped"}


@pytest.mark.parametrize(
    ("model", "options", "fields"),
    [
        (CLAUDE, {"think": True}, {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        (CLAUDE, {"reasoning_max_tokens": 3000}, {"thinking": {"type": "enabled", "budget_tokens": 3000}}),
        (CLAUDE, {"think": True, "max_tokens": 4096}, {"thinking": {"type": "enabled", "budget_tokens": 3072}}),
        (
            "us.anthropic.claude-opus-4-6-v1",
            {"reasoning_effort": "low"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        ("anthropic.claude-opus-5", {"think": False}, {"thinking": {"type": "disabled"}}),
        (
            "us.amazon.nova-2-lite-v1:0",
            {"reasoning_effort": "high"},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
        ),
        ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        (NOVA, {"think": True}, None),
        ("deepseek.r1-v1:0", {"think": True}, None),
        (CLAUDE, {"think": False}, None),
    ],
)
def test_thinking_is_asked_for_as_each_family_has_it(model: str, options: dict[str, Any], fields: Any) -> None:
    assert check(body(model=model, **options)).get("additionalModelRequestFields") == fields


def test_guardrails_and_other_fields_of_the_wire_pass() -> None:
    guard = {"guardrailIdentifier": "g1", "guardrailVersion": "1", "trace": "enabled"}
    sent = check(
        body(
            guardrailConfig=guard,
            performance_config={"latency": "optimized"},
            metadata={"team": "red"},
            user="somebody",
            service_tier="flex",
            additionalModelResponseFieldPaths=["/stop_sequence"],
            extra_body={"additionalModelRequestFields": {"x": 1}, "promptVariables": {"a": {"text": "b"}}},
        )
    )
    assert sent["guardrailConfig"] == guard
    assert sent["performanceConfig"] == {"latency": "optimized"}
    assert sent["requestMetadata"] == {"team": "red", "user": "somebody"}
    assert sent["serviceTier"] == {"type": "flex"}
    assert sent["additionalModelRequestFields"] == {"x": 1}
    assert body(guardrail=guard)["guardrailConfig"] == guard
    assert outcomes(never_heard_of_it=1, allow_unknown=True) == {"never_heard_of_it": "unknown"}


def test_a_schema_is_kept_to_or_told() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "N", "schema": schema}}
    native = check(body(model=CLAUDE, response_format=wanted))
    written = json.loads(native["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    assert written["additionalProperties"] is False
    assert "minimum" not in written["properties"]["n"]
    assert "minimum: 3" in written["properties"]["n"]["description"]
    told = check(
        body([{"role": "system", "content": "rules"}, {"role": "user", "content": "hi"}], response_format=wanted)
    )
    assert "outputConfig" not in told
    assert told["system"][0] == {"text": "rules"}
    assert '"minimum":3' in told["system"][1]["text"]
    open_schema = {"type": "json_schema", "json_schema": {"name": "M", "schema": {"type": "object"}}}
    assert "outputConfig" not in body(model=CLAUDE, response_format=open_schema)
    assert "JSON object" in body(model=CLAUDE, response_format={"type": "json_object"})["system"][0]["text"]


@pytest.mark.parametrize(
    ("model_id", "family", "kind"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude", "chat"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude", "chat"),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0", "nova", "chat"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0", "titan-2", "embed"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456", "", "chat"),
        ("us.cohere.embed-v4:0", "cohere-4", "embed"),
        ("cohere.embed-multilingual-v3", "cohere", "embed"),
        ("stability.stable-image-ultra-v1:1", "stability", "image"),
        ("titan-embed-text-v2", "titan-2", "embed"),
        ("us-gov.amazon.nova-lite-v1:0", "nova", "chat"),
    ],
)
def test_names_of_models_and_profiles_tell_the_family(model_id: str, family: str, kind: str) -> None:
    from hb_provider_bedrock.models import traits_of_name

    found = traits_of_name(model_id)
    assert (found.family, found.kind) == (family, kind)
