"""What not every wire has: groups of tools, tools that wait, free text, marks of a prompt's cache, files by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.rig import environment
from hb_testing.prepared import Prepared, prepared
from hb_testing.server import LoopbackServer
from hb_testing.server.synthesis import signature
from heavenbase.config.config import Config
from heavenbase.errors import UnsupportedError
from heavenbase.kernel import Kernel
from heavenbase.messages import to_messages

LATE = {"type": "function", "name": "orders", "parameters": {"type": "object", "properties": {}}, "defer_loading": True}
FREE = {"type": "custom", "name": "sql", "format": {"type": "text"}}
MARKED = {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}}]}
PLACES = {
    "id": {"type": "file", "file": {"file_id": "file_1"}},
    "https": {"type": "document", "source": {"type": "url", "url": "https://a.example/a.pdf"}},
    "gs": {"type": "image_file", "image_file": {"uri": "gs://b/a.png", "mime_type": "image/png"}},
    "s3": {"type": "file", "file": {"file_data": "s3://b/a.pdf", "filename": "a.pdf"}},
}


@pytest.fixture
def served() -> Iterator[tuple[LoopbackServer, hb.LLM]]:
    with LoopbackServer() as server, Kernel(Config.from_dict({}, environ=environment())) as kernel:
        url = server.url("openai_responses")
        yield (
            server,
            hb.LLM(model="openai/gpt-5.6", gateway="responses", base_url=url, api_key="k", kernel=kernel, cache=False),
        )


def asked(model: str, *messages: Any, **options: Any) -> Prepared:
    return prepared(model, content={"messages": to_messages(messages or "q")}, **options)


def able(model: str, **abilities: Any) -> dict[str, Any]:
    return {f"heavenbase.llm.providers.{model.partition('/')[0]}.capabilities.{n}": v for n, v in abilities.items()}


def test_a10_tools_of_a_group_are_run_or_returned_as_others_are(served: tuple[LoopbackServer, hb.LLM]) -> None:
    server, llm = served

    def stock(part: str) -> str:
        """How many there are."""
        return f"7 {part}"

    group = {"type": "namespace", "name": "crm", "description": "customers", "tools": [stock, LATE]}
    server.reply(tool_calls=[{"name": "stock", "arguments": {"part": "bolts"}}])
    server.reply(tool_calls=[{"name": "orders", "arguments": {}}])
    answer = llm.complete("q", tools=[group, {"type": "tool_search"}])
    assert server.requests[1].json["input"][-1]["output"] == "7 bolts"
    assert [call.name for call in answer.pending] == ["orders"]
    sent = server.requests[0].json["tools"][0]["tools"]
    assert [(tool["name"], tool.get("defer_loading")) for tool in sent] == [("stock", None), ("orders", True)]


def test_a10_a_session_with_a_group_of_tools_is_saved_and_goes_on(
    served: tuple[LoopbackServer, hb.LLM], tmp_path: Path
) -> None:
    server, llm = served

    def stock(part: str = "bolts") -> str:
        """How many there are."""
        return f"7 {part}"

    tools = [{"type": "namespace", "name": "crm", "description": "customers", "tools": [stock]}]
    session = hb.LLMSession(llm, tools=tools)
    server.reply(tool_calls=[{"name": "stock", "arguments": {}}])
    session.send("q")
    session.save(tmp_path / "talk.json")
    again = hb.LLMSession.load(tmp_path / "talk.json", llm, tools=tools)
    server.reply(tool_calls=[{"name": "stock", "arguments": {"part": "nuts"}}])
    again.send("and nuts?")
    assert server.requests[-1].json["input"][-1]["output"] == "7 nuts"
    assert hb.LLMSession.load(tmp_path / "talk.json", llm).tools[0].to_openai_tool()["tools"]


def test_a10_tools_of_a_group_stand_by_themselves_on_other_wires() -> None:
    group = {"type": "namespace", "name": "crm", "description": "customers", "tools": [LATE]}
    for model in ("anthropic/claude-sonnet-4-5", "openai/gpt-5.6", "gemini/gemini-3-pro-preview"):
        sent = asked(model, tools=[group])
        assert "orders" in json.dumps(sent.body["tools"])
        assert "namespace" not in json.dumps(sent.body["tools"])
        assert sent.report["tools[0]"] == "emulated"


SHAPES = {
    "plain": {"name": "w", "description": "d", "input_schema": {"type": "object", "properties": {}}},
    "custom": {"type": "custom", "name": "w", "description": "d", "input_schema": {"type": "object", "properties": {}}},
    "spec": {"toolSpec": {"name": "w", "description": "d", "inputSchema": {"json": {"type": "object"}}}},
    "declared": {"function_declarations": [{"name": "w", "description": "d", "parameters": {"type": "OBJECT"}}]},
}
MODELS = (
    *("openai/gpt-4o", "openrouter/openai/gpt-4o", "anthropic/claude-sonnet-4-5", "bedrock/amazon.nova-lite-v1:0"),
    *("gemini/gemini-3-pro-preview", "cohere/command-a-03-2025", "mistral/mistral-large-latest", "ollama/qwen3"),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("model", MODELS)
def test_a10_functions_in_the_shape_of_any_wire_are_functions_on_each(model: str, shape: str) -> None:
    sent = json.dumps(asked(model, tools=[SHAPES[shape]]).body)
    assert '"w"' in sent
    assert '"d"' in sent
    own = {"bedrock": "toolSpec", "gemini": "unctionDeclarations", "anthropic": "input_schema"}
    kind = own.get(model.partition("/")[0], '"type": "function"')
    assert kind in sent or (shape == "declared" and model.startswith("gemini"))


@pytest.mark.parametrize("shape", SHAPES)
def test_a10_calls_of_them_wait_for_the_caller(served: tuple[LoopbackServer, hb.LLM], shape: str) -> None:
    server, llm = served

    def here() -> str:
        """A tool of the caller's."""
        return "here"

    server.reply(tool_calls=[{"name": "w", "arguments": {}}])
    answer = llm.complete("q", tools=[SHAPES[shape], here])
    assert [call.name for call in answer.pending] == ["w"]
    assert server.request_count == 1


@pytest.mark.parametrize(
    ("model", "tool"),
    [
        ("openai/gpt-4o", {"type": "web_search"}),
        ("openai/gpt-4o", {"google_search": {}}),
        ("anthropic/claude-sonnet-4-5", {"type": "web_search"}),
        ("anthropic/claude-sonnet-4-5", {"url_context": {}}),
        ("deepseek/deepseek-v4-pro", {"type": "bash_20250124", "name": "bash"}),
        ("mistral/mistral-large-latest", {"systemTool": {"name": "nova_grounding"}}),
        ("bedrock/amazon.nova-lite-v1:0", {"googleSearch": {}}),
        ("gemini/gemini-3-pro-preview", {"systemTool": {"name": "nova_grounding"}}),
    ],
)
def test_a9_a_tool_that_another_provider_runs_is_refused_by_name(model: str, tool: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=str(tool.get("type", next(iter(tool))))):
        asked(model, tools=[tool])


def test_a9_a_mark_behind_a_tool_is_the_mark_of_that_tool() -> None:
    tools = [LATE, {"cachePoint": {"type": "default"}}]
    assert asked("anthropic/claude-sonnet-4-5", tools=tools).body["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert asked("openai/gpt-4o", tools=tools).report["tools[0].cache_control"] == "dropped"


def test_a9_a_conversation_in_a_vendors_own_blocks_goes_on_with_results(served: tuple[LoopbackServer, hb.LLM]) -> None:
    server, llm = served
    blocks = [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "tool_use", "id": "toolu_1", "name": "orders", "input": {}},
    ]
    talk = [{"role": "user", "content": "q"}, {"role": "assistant", "content": blocks}]
    llm.resume(talk, {"toolu_1": "none"}, tools=[LATE])
    assert server.requests[-1].json["input"][-1]["output"] == "none"
    url = server.url("anthropic")
    claude = hb.LLM(model="anthropic/claude-sonnet-4-5", base_url=url, api_key="k", kernel=llm.kernel, cache=False)
    blocks[0]["signature"] = signature("t")
    claude.resume(talk, {"toolu_1": "none"}, tools=[{**LATE, "defer_loading": False}])
    assert server.requests[-1].json["messages"][1]["content"] == blocks


def test_b11_a_call_of_a_grouped_tool_goes_back_with_its_group(served: tuple[LoopbackServer, hb.LLM]) -> None:
    server, llm = served
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "orders", "namespace": "crm"}
    item = {**call, "arguments": "{}", "status": "completed"}
    server.reply(body={"id": "resp_1", "status": "completed", "model": "gpt-5.6", "output": [item]})
    first = llm.complete("q", tools=[LATE])
    llm.resume(first, {"call_1": "none"})
    assert server.requests[1].json["input"][1]["namespace"] == "crm"


def test_b11_calls_with_free_text_go_back_beside_the_thoughts_that_led_to_them() -> None:
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_1", "name": "sql", "input": "not json"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "custom_tool_call", "id": "ct_2", "call_id": "call_2", "name": "sql", "input": "{}"},
    ]
    part = {"provider": "openai", "model": "gpt-5.6", "field": "output", "value": items}
    calls = [
        {"id": f"call_{n}", "type": "custom", "function": {"name": "sql", "arguments": given}}
        for n, given in ((1, "not json"), (2, "{}"))
    ]
    answer = {"role": "assistant", "content": None, "tool_calls": calls, "reasoning_parts": [part]}
    results = [{"role": "tool", "tool_call_id": f"call_{n}", "content": "r"} for n in (1, 2)]
    sent = asked("openai/gpt-5.6", "q", answer, *results, gateway="responses").body["input"]
    assert sent[1:5] == items
    assert [item["type"] for item in sent[5:]] == ["custom_tool_call_output"] * 2


@pytest.mark.parametrize("model", ["deepseek/deepseek-v4-pro", "groq/llama-3.3-70b-versatile", *MODELS[5:7]])
def test_a9_calls_with_free_text_are_calls_of_functions_where_there_are_no_others(model: str) -> None:
    calls = [{"id": "call_1", "type": "custom", "function": {"name": "sql", "arguments": "select 1"}}]
    answer = {"role": "assistant", "content": None, "tool_calls": calls}
    sent = asked(model, "q", answer, {"role": "tool", "tool_call_id": "call_1", "content": "r"})
    (made,) = sent.body["messages"][1]["tool_calls"]
    assert made["type"] == "function"
    assert json.loads(made["function"]["arguments"]) == {"arguments": "select 1"}
    assert sent.report["tool_calls"] == "emulated"


def test_what_an_endpoint_has_not_stays_behind_or_is_refused() -> None:
    openai, claude = "openai/gpt-5.6", "anthropic/claude-sonnet-4-5"
    late = asked(claude, tools=[LATE], settings=able(claude, deferred_tools=False))
    assert "defer_loading" not in json.dumps(late.body)
    assert late.report["tools[0].defer_loading"] == "dropped"
    with pytest.raises(UnsupportedError, match="free text"):
        asked(openai, tools=[FREE], settings=able(openai, free_text_tools=False))
    plain = asked(claude, MARKED, settings=able(claude, prompt_marks=False))
    assert "cache_control" not in json.dumps(plain.body)
    assert plain.report["messages[0].content[0].cache_control"] == "dropped"
    with pytest.raises(UnsupportedError, match="not by id"):
        asked(openai, {"role": "user", "content": [PLACES["id"]]}, settings=able(openai, file_references=["https"]))


@pytest.mark.parametrize("model", [*MODELS, "vllm/qwen3"])
@pytest.mark.parametrize("is_last", [False, True])
def test_c1_instructions_are_first_where_an_endpoint_wants_them_there(model: str, is_last: bool) -> None:
    late: list[dict[str, str]] = [{"role": "system", "content": "instructed"}]
    talk = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        *late,
    ]
    talk += [] if is_last else [{"role": "user", "content": "q2"}]
    sent = asked(model, *talk, settings=able(model, late_system=False))
    written = json.dumps(sent.body.get("messages") or sent.body["contents"])
    assert "instructed" in json.dumps(sent.body)
    assert "instructed" not in written or written.index("instructed") < written.index('"q"')
    assert sent.report["messages" if "instructed" in written else "system"] == "emulated"
    if '"system"' in written:
        assert written.count('"system"') == 1
    roles = [message["role"] for message in sent.body.get("messages") or sent.body["contents"]]
    assert roles[-1] == "user"


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("anthropic/claude-sonnet-4-5", "id https"),
        ("openai/gpt-5.6", "id https"),
        ("bedrock/amazon.nova-lite-v1:0", "s3"),
        ("gemini/gemini-3-pro-preview", "id https gs"),
        ("vertex/gemini-3-pro-preview", "https gs"),
        ("mistral/mistral-large-latest", "id https"),
    ],
)
@pytest.mark.parametrize("way", PLACES)
def test_files_are_named_in_the_ways_that_a_provider_reads(model: str, taken: str, way: str) -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "read"}, PLACES[way]]}
    options = {"gateway": "responses"} if model.startswith("openai") else {}
    options |= {"environ": {"GOOGLE_CLOUD_PROJECT": "p"}}
    if way not in taken.split():
        with pytest.raises(UnsupportedError, match=r"names a file|by"):
            asked(model, message, **options)
        return
    name = {"id": "file_1", "https": "https://a.example/a.pdf", "gs": "gs://b/a.png", "s3": "s3://b/a.pdf"}[way]
    assert name in json.dumps(asked(model, message, **options).body)


@pytest.mark.parametrize("model", ["openai/gpt-4o", "responses", "gemini/gemini-3-pro-preview"])
def test_a9_what_only_another_vendor_can_reach_is_refused(model: str) -> None:
    parts: list[dict[str, Any]] = [{"type": "video_url", "video_url": {"url": "s3://b/a.mp4"}}]
    parts.append({"type": "container_upload", "file_id": "file_1"})
    options = {"gateway": "responses"} if model == "responses" else {}
    for part in parts:
        message = {"role": "user", "content": [{"type": "text", "text": "q"}, part]}
        with pytest.raises(UnsupportedError):
            asked("openai/gpt-5.6" if options else model, message, **options)
