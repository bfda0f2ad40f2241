"""The Responses wire of the loopback server, seen through the openai SDK, and what it refuses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from hb_testing.server import FAULT_TEXT, LoopbackServer, fault_names

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA}
USER = {"role": "user", "content": "hi, answer in JSON"}
CALL = {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(scope="module")
def sdk(server: LoopbackServer) -> Iterator[openai.OpenAI]:
    url = server.url("openai_responses")
    with openai.OpenAI(api_key="k", base_url=url, max_retries=0, timeout=10) as client:
        yield client


def create(sdk: openai.OpenAI, **arguments: Any) -> Any:
    return sdk.responses.create(**{"model": "m", "input": "hello big world", **arguments})


def post(server: LoopbackServer, payload: Any, fault: str | None = None) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    where = f"/f/{fault}" if fault else ""
    client.request("POST", f"{where}/openai_responses/v1/responses", json.dumps(payload))
    answer = client.getresponse()
    result = answer.status, answer.read()
    client.close()
    return result


def ask(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": [*items] or "hi", **fields}


def parts(*content: Any, role: str = "user") -> dict[str, Any]:
    return ask({"role": role, "content": list(content)})


def test_a_response_echoes_and_counts(sdk: openai.OpenAI) -> None:
    answer = create(sdk, instructions="be brief")
    assert (answer.output_text, answer.status, answer.model) == ("echo: hello big world", "completed", "m")
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (5, 4, 9)
    assert answer.instructions == "be brief"
    long = create(sdk, input="word " * 20, max_output_tokens=16)
    assert (long.status, long.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_a_stream_gathers_to_the_same_response(server: LoopbackServer, sdk: openai.OpenAI) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": "Köln"}}, {"id": "x", "name": "now", "arguments": ""}]
    for _ in range(2):
        server.reply(text="so be it", reasoning="think hard", tool_calls=calls)
    whole = create(sdk)
    events = []
    with sdk.responses.stream(model="m", input="hello big world") as stream:
        for event in stream:
            events.append(event)
        gathered = stream.get_final_response()
    shown = gathered.model_dump(exclude={"id", "parsed", "parsed_arguments"}, warnings=False)
    assert [item["type"] for item in shown["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert gathered.output_text == whole.output_text == "so be it"
    assert [item.arguments for item in gathered.output[2:]] == ['{"city": "Köln"}', ""]  # type: ignore[union-attr]
    assert gathered.usage == whole.usage
    assert whole.usage.output_tokens_details.reasoning_tokens == 2
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] == "response.completed"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["so", " be", " it"]
    assert [event.sequence_number for event in events] == sorted({event.sequence_number for event in events})


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        *(("completed", "completed", None), ("stop", "completed", None), ("length", "incomplete", "max_output_tokens")),
        *(("content_filter", "incomplete", "content_filter"), ("failed", "failed", None)),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_ends_as_it_is_told_to(
    server: LoopbackServer, sdk: openai.OpenAI, word: str, status: str, reason: str | None, streamed: bool
) -> None:
    server.reply(text="x", finish_reason=word)
    if streamed:
        last = list(create(sdk, stream=True))[-1]
        assert last.type == f"response.{status}"
        found = last.response
    else:
        found = create(sdk)
    assert (found.status, found.incomplete_details and found.incomplete_details.reason) == (status, reason)
    assert (found.error is not None) == (status == "failed")


def test_a_forced_tool_and_a_schema_are_obeyed(sdk: openai.OpenAI) -> None:
    for choice in ("required", {"type": "function", "name": "get_weather"}):
        (item,) = create(sdk, tools=[TOOL], tool_choice=choice).output
        assert (item.name, json.loads(item.arguments)) == ("get_weather", {"city": "text"})
    form = {"format": {"type": "json_schema", "name": "weather", "schema": SCHEMA}}
    assert json.loads(create(sdk, text=form).output_text) == {"city": "text"}


def test_thoughts_come_encrypted_when_asked_for(server: LoopbackServer, sdk: openai.OpenAI) -> None:
    for _ in range(2):
        server.reply(text="x", reasoning="hm")
    assert create(sdk).output[0].encrypted_content is None
    assert create(sdk, store=False, include=["reasoning.encrypted_content"]).output[0].encrypted_content


def test_an_image_is_an_item_of_its_own(server: LoopbackServer, sdk: openai.OpenAI) -> None:
    server.reply(text="", images=[b"\x89PNG"])
    (event,) = [
        event
        for event in create(sdk, stream=True)
        if event.type == "response.output_item.done" and event.item.type == "image_generation_call"
    ]
    assert event.item.result == "iVBORw=="


def test_embeddings_images_and_models_are_those_of_the_other_wire(sdk: openai.OpenAI) -> None:
    assert len(sdk.embeddings.create(model="text-embedding-3-small", input="a").data[0].embedding) == 1536
    assert sdk.images.generate(model="gpt-image-1", prompt="a").data[0].b64_json  # type: ignore[index]
    assert "gpt-4o-mini" in [model.id for model in sdk.models.list()]


def test_counts_in_the_words_of_the_chat_wire_are_translated(server: LoopbackServer, sdk: openai.OpenAI) -> None:
    server.reply(text="x", usage={"prompt_tokens": 9, "completion_tokens": 4})
    server.reply(text="x", usage={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5})
    server.reply(text="x", usage={})
    assert create(sdk).usage.total_tokens == 13
    assert create(sdk).usage.input_tokens == 3
    assert create(sdk).usage is None


@pytest.mark.parametrize(
    "payload",
    [
        ask(),
        ask(USER, temperature=0, top_p=1, max_output_tokens=16, truncation="auto", store=False, metadata={"k": "v"}),
        ask(USER, reasoning={"effort": "low", "summary": "auto"}, include=["reasoning.encrypted_content"]),
        ask(USER, tools=[TOOL, {"type": "web_search"}], tool_choice="auto", parallel_tool_calls=False),
        ask(USER, tools=[{**TOOL, "strict": False, "parameters": {"type": "object"}}], temperature=None),
        ask(USER, text={"format": {"type": "json_object"}, "verbosity": "low"}),
        ask(USER, CALL, OUTPUT),
        ask(USER, THOUGHT, CALL, {**OUTPUT, "output": [{"type": "input_text", "text": "rain"}]}),
        ask(USER, THOUGHT, SAID, USER),
        ask(OUTPUT, previous_response_id="resp_0"),
        {"model": "m", "previous_response_id": "resp_0"},
        parts({"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "data:image/png;base64,AA"}),
        parts({"type": "input_file", "file_id": "file-1"}, {"type": "input_image", "file_id": "f", "detail": "low"}),
    ],
)
def test_a_good_request_passes(server: LoopbackServer, payload: Any) -> None:
    status, body = post(server, payload)
    assert status == 200, body


@pytest.mark.parametrize(
    ("payload", "param"),
    [
        ({"model": "m"}, "input"),
        ({"input": "hi"}, None),
        (ask(messages=[]), None),
        (ask(input=[]), "input"),
        (ask(3), "input[0]"),
        (ask({"content": "x"}), "input[0].role"),
        (ask({"role": "tool", "content": "x"}), "input[0].role"),
        (ask({"role": "user", "content": "x", "name": "bob"}), "input[0].name"),
        (ask({"type": "never"}), "input[0].type"),
        (parts({"type": "text", "text": "a"}), "input[0].content[0].type"),
        (parts({"type": "input_text", "text": "a"}, role="assistant"), "input[0].content[0].type"),
        (parts({"type": "input_image", "image_url": {"url": "http://x"}}), "input[0].content[0].image_url"),
        (parts({"type": "input_image", "image_url": "/etc/passwd"}), "input[0].content[0].image_url"),
        (parts({"type": "input_file"}), "input[0].content[0].file_id"),
        (ask(USER, CALL), "input"),
        (ask(USER, OUTPUT), "input"),
        (ask({**CALL, "arguments": {}}, OUTPUT), "input[0].arguments"),
        (ask(THOUGHT), "input"),
        (ask(THOUGHT, USER), "input"),
        (ask({"type": "reasoning", "id": "rs_1"}, SAID), "input[0].summary"),
        (ask(max_output_tokens=15), "max_output_tokens"),
        (ask(temperature=2.5), "temperature"),
        (ask(include=["thoughts"]), "include[0]"),
        (ask(reasoning={"effort": "most"}), "reasoning.effort"),
        (ask(stream_options={"include_usage": True}, stream=True), "stream_options.include_usage"),
        (ask(tools=[{"type": "function", "function": {"name": "f"}}]), "tools[0].function"),
        (ask(tools=[{**TOOL, "parameters": {"type": "object"}}]), "tools[0].parameters"),
        (ask(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}}), "tool_choice.function"),
        (ask(tools=[TOOL], tool_choice={"type": "function", "name": "other"}), "tool_choice"),
        (ask(tool_choice="required"), "tool_choice"),
        (ask(text={"format": {"type": "json_object"}}), "input"),
        (ask(text={"format": {"type": "json_schema", "json_schema": {}}}), "text.format.json_schema"),
        (ask(text={"format": {"type": "json_schema", "name": "n"}}), "text.format.schema"),
    ],
)
def test_a_bad_request_is_refused_as_openai_refuses_it(server: LoopbackServer, payload: Any, param: str | None) -> None:
    status, body = post(server, payload)
    error = json.loads(body)["error"]
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param), error


def test_an_error_event_has_its_words_beside_its_type(server: LoopbackServer) -> None:
    _, body = post(server, ask(stream=True), fault="E3.a-429")
    event = json.loads(body.rsplit(b"data: ", 1)[1])
    assert (event["type"], event["code"]) == ("error", "rate_limit_exceeded")


def test_every_fault_of_a_call_carries_its_arguments_whole_and_streamed(server: LoopbackServer) -> None:
    odd = [name for name in fault_names("openai_responses") if name.startswith("E8.")]
    assert len(odd) == 9
    for name in odd:
        _, whole = post(server, ask(), fault=name)
        _, events = post(server, ask(stream=True), fault=name)
        last = json.loads(events.rsplit(b"data: ", 1)[1])
        assert last["response"]["output"] == json.loads(whole)["output"], name


def test_huge_arguments_come_in_pieces(server: LoopbackServer) -> None:
    _, body = post(server, ask(stream=True), fault="B5.deltas-20-1")
    assert body.count(b"event: response.function_call_arguments.delta") == 20
    assert len(body) > 3_000_000


def test_a_cut_stream_has_the_text_of_faults(server: LoopbackServer) -> None:
    _, body = post(server, ask(stream=True), fault="E1.after")
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
    assert "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta") == FAULT_TEXT
    assert not any(event["type"] == "response.completed" for event in events)
