"""The Anthropic wire of the loopback server, seen through the anthropic SDK, and what it refuses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from hb_testing.server import FAULT_TEXT, AnthropicWire, LoopbackServer, fault_names
from hb_testing.server.synthesis import signature

ASK: Any = [{"role": "user", "content": "hello big world"}]
TOOL: Any = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
USE = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "rain"}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": signature("hm")}
MARK = {"type": "ephemeral"}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[AnthropicWire(name="plain", cumulative=False)]) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(server: LoopbackServer) -> Iterator[anthropic.Anthropic]:
    url = server.url("anthropic")
    with anthropic.Anthropic(api_key="key-1", base_url=url, max_retries=0, timeout=10) as client:
        yield client


def create(sdk: anthropic.Anthropic, **arguments: Any) -> Any:
    return sdk.messages.create(**{"model": "m", "max_tokens": 64, "messages": ASK, **arguments})


def post(server: LoopbackServer, payload: Any, **headers: str) -> tuple[int, Any]:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    sent = {"anthropic-version": "2023-06-01", "x-api-key": "k", **{n.replace("_", "-"): v for n, v in headers.items()}}
    client.request("POST", "/anthropic/v1/messages", json.dumps(payload), {n: v for n, v in sent.items() if v})
    answer = client.getresponse()
    result = answer.status, json.loads(answer.read())
    client.close()
    return result


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": ASK, **fields}


def turns(*messages: Any, **fields: Any) -> dict[str, Any]:
    return ask(messages=list(messages), **fields)


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def test_a_message_echoes_and_counts(sdk: anthropic.Anthropic) -> None:
    answer = create(sdk)
    assert (answer.content[0].text, answer.stop_reason, answer.model) == ("echo: hello big world", "end_turn", "m")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 4)
    assert create(sdk, max_tokens=2).stop_reason == "max_tokens"
    stopped = create(sdk, stop_sequences=["big"])
    assert (stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text) == (
        "stop_sequence",
        "big",
        "echo: hello ",
    )


def test_a_stream_gathers_to_the_same_message(server: LoopbackServer, sdk: anthropic.Anthropic) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": "Köln"}}, {"id": "x", "name": "now", "arguments": ""}]
    for _ in range(2):
        server.reply(text="so be it", reasoning="think hard", tool_calls=calls)
    whole = create(sdk)
    with sdk.messages.stream(model="m", max_tokens=64, messages=ASK) as events:
        gathered = events.get_final_message()
    shown = [block.model_dump(exclude={"parsed_output"}) for block in gathered.content]
    assert shown == [block.model_dump() for block in whole.content]
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (gathered.stop_reason, gathered.usage.output_tokens) == ("tool_use", whole.usage.output_tokens)
    assert whole.usage.output_tokens_details.thinking_tokens == 2


@pytest.mark.parametrize(("wire", "counted"), [("anthropic", 3), ("plain", None)])
def test_the_closing_usage_comes_in_either_shape(server: LoopbackServer, wire: str, counted: int | None) -> None:
    with anthropic.Anthropic(api_key="k", base_url=server.url(wire), max_retries=0, timeout=10) as client:
        events = list(create(client, stream=True))
    assert events[0].message.usage.input_tokens == 3
    (closing,) = [event for event in events if event.type == "message_delta"]
    assert (closing.usage.input_tokens, closing.usage.output_tokens) == (counted, 4)


def test_a_forced_tool_and_a_schema_are_obeyed(sdk: anthropic.Anthropic) -> None:
    forced = create(sdk, tools=[TOOL], tool_choice={"type": "any"})
    assert (forced.content[0].name, forced.content[0].input) == ("get_weather", {"city": "text"})
    schema = {**TOOL["input_schema"], "additionalProperties": False}
    answer = create(sdk, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(answer.content[0].text) == {"city": "text"}


def test_tokens_are_counted_and_models_listed(sdk: anthropic.Anthropic) -> None:
    assert sdk.messages.count_tokens(model="m", messages=ASK, system="be brief").input_tokens == 5
    assert [model.id for model in sdk.models.list()] == ["claude-sonnet-4-5", "claude-opus-4-8"]


def test_errors_have_anthropics_shape_and_request_id(server: LoopbackServer, sdk: anthropic.Anthropic) -> None:
    server.reply("slow down", status=429, headers={"retry-after": "7"})
    with pytest.raises(anthropic.RateLimitError) as limited:
        create(sdk)
    assert limited.value.body == {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.request_id is not None
    assert limited.value.request_id.startswith("req_")


def test_the_key_travels_in_either_header(server: LoopbackServer) -> None:
    server.require_key = "right"
    try:
        assert post(server, ask(), x_api_key="right")[0] == 200
        assert post(server, ask(), x_api_key="", authorization="Bearer right")[0] == 200
        status, body = post(server, ask(), x_api_key="wrong")
        assert (status, body["error"]["type"]) == (401, "authentication_error")
    finally:
        server.require_key = None


def test_every_fault_of_the_family_is_named() -> None:
    own = {name for name in fault_names("anthropic") if name not in fault_names("")}
    assert {"B1.content-null", "B2.429", "B3.nan", "B5.deltas", "E8.empty-arguments"} <= own


def test_faults_strike_in_anthropics_shape(server: LoopbackServer) -> None:
    with anthropic.Anthropic(
        api_key="k", base_url=server.url("anthropic", fault="E1.no-done"), max_retries=0
    ) as client:
        events = list(create(client, stream=True))
    assert "".join(e.delta.text for e in events if e.type == "content_block_delta") == FAULT_TEXT
    assert events[-1].type == "message_delta"


@pytest.mark.parametrize(
    "payload",
    [
        ask(temperature=0, top_k=5, stop_sequences=["x"], metadata={"user_id": "u"}, service_tier="auto"),
        ask(system="s", tools=[TOOL], tool_choice={"type": "tool", "name": "get_weather"}),
        ask(system=[{"type": "text", "text": "s", "cache_control": MARK}], tools=[{**TOOL, "cache_control": MARK}]),
        ask(max_tokens=2048, thinking={"type": "enabled", "budget_tokens": 1024}, tools=[TOOL]),
        ask(model="claude-opus-4-8", thinking={"type": "adaptive"}, output_config={"effort": "xhigh"}),
        turns(user({"type": "text", "text": "t"}, PICTURE), assistant(THOUGHT, USE), user(RESULT), tools=[TOOL]),
        turns(*ASK, {"role": "system", "content": "now"}, model="claude-opus-4-8"),
        turns(user({"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}})),
    ],
)
def test_what_anthropic_accepts_is_accepted(server: LoopbackServer, payload: Any) -> None:
    assert post(server, payload)[0] == 200


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({"model": "m", "messages": ASK}, "max_tokens"),
        (ask(seed=1), "seed"),
        (ask(temperature=1.5), "temperature"),
        (ask(model="claude-opus-4-8", temperature=0), "temperature"),
        (ask(messages=[]), "messages"),
        (turns({"role": "system", "content": "s"}, *ASK), "system"),
        (turns({"role": "wizard", "content": "s"}), "role"),
        (turns(user({"type": "text", "text": " "})), "non-whitespace"),
        (turns(user({"type": "image_url", "image_url": {"url": "x"}})), "image_url"),
        (turns(user({**PICTURE, "detail": "low"})), "detail"),
        (turns(user(RESULT)), "tool_use_id"),
        (turns(*ASK, assistant(USE)), "tool_use"),
        (turns(*ASK, assistant(USE), user({"type": "text", "text": "t"}, RESULT)), "first"),
        (turns(*ASK, assistant({**THOUGHT, "thinking": "changed"})), "signature"),
        (ask(tools=[{"type": "function", "function": {"name": "f"}}]), "tool"),
        (ask(tools=[{"name": "f"}]), "input_schema"),
        (ask(tools=[TOOL], tool_choice="auto"), "tool_choice"),
        (ask(tools=[TOOL], tool_choice={"type": "tool", "name": "other"}), "other"),
        (ask(tools=[TOOL], tool_choice={"type": "none", "disable_parallel_tool_use": True}), "disable_parallel"),
        (ask(model="claude-opus-5-5", tools=[TOOL], tool_choice={"type": "any"}), "forcing"),
        (ask(thinking={"type": "enabled", "budget_tokens": 1024}), "max_tokens"),
        (ask(max_tokens=4096, thinking={"type": "enabled", "budget_tokens": 512}), "1024"),
        (ask(max_tokens=4096, temperature=0, thinking={"type": "enabled", "budget_tokens": 1024}), "temperature"),
        (ask(thinking={"type": "adaptive"}), "adaptive"),
        (ask(model="claude-opus-5-5", thinking={"type": "disabled"}), "disabled"),
        (ask(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}), "additionalProperties"),
        (ask(stop_sequences=["\n"]), "stop_sequences"),
        (ask(metadata={"purpose": "x"}), "purpose"),
        (ask(system=[{"type": "text", "text": str(n), "cache_control": MARK} for n in range(5)]), "maximum of 4"),
    ],
)
def test_what_anthropic_refuses_is_refused(server: LoopbackServer, payload: Any, named: str) -> None:
    status, body = post(server, payload)
    assert (status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert named in body["error"]["message"]


def test_the_version_decides_about_sampling(server: LoopbackServer) -> None:
    assert post(server, ask(temperature=0))[0] == 200
    assert post(server, ask(temperature=0), anthropic_version="2026-10-21")[0] == 400
    assert post(server, ask(), anthropic_version="2026-10-21")[0] == 200
    assert post(server, ask(), anthropic_version="")[0] == 400
