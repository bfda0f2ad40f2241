"""Tools, repair and sessions through the whole stack: LLM, kernel, gateway-openai, its SDK, sockets, in every mode."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel

MODES = ("chat", "achat", "stream", "astream")
Ask = Callable[..., hb.Completion]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    environ = {**os.environ, "HEAVENBASE_HOME": str(tmp_path_factory.mktemp("home"))}
    with Kernel(Config.load(environ=environ)) as made:
        yield made


@pytest.fixture
def llm(server: LoopbackServer, kernel: Kernel) -> hb.LLM:
    url = server.url("openai")
    return hb.LLM(model="m", provider="custom", base_url=url, api_key="test-key", cache=False, kernel=kernel)


@pytest.fixture(params=MODES)
def ask(request: pytest.FixtureRequest, llm: hb.LLM) -> Ask:
    """The whole answer, asked for in each mode."""
    mode = request.param

    async def drain(prompt: str, **options: Any) -> Any:
        return [item async for item in llm.astream(prompt, "completion", **options)][-1]

    def run(prompt: str, **options: Any) -> Any:
        if mode == "chat":
            return llm.complete(prompt, **options)
        if mode == "achat":
            return asyncio.run(llm.acomplete(prompt, **options))
        if mode == "stream":
            return list(llm.stream(prompt, "completion", **options))[-1]
        return asyncio.run(drain(prompt, **options))

    return run


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def call(name: str, arguments: Any, identity: str = "call_a") -> dict[str, Any]:
    return {"id": identity, "name": name, "arguments": arguments}


def test_hb13_the_wire_carries_the_schema_and_the_result(server: LoopbackServer, ask: Ask) -> None:
    server.reply(tool_calls=[call("add", {"a": 40, "b": 2})])
    server.reply(text="42!")
    answer = ask("what is 40 + 2?", tools=[add])
    assert answer.text == "42!"
    assert [message["role"] for message in answer.delta] == ["assistant", "tool", "assistant"]
    first, second = (request.json for request in server.requests)
    function = first["tools"][0]["function"]
    assert function["name"] == "add"
    assert {name: shape["type"] for name, shape in function["parameters"]["properties"].items()} == {
        "a": "integer",
        "b": "integer",
    }
    assert function["parameters"]["required"] == ["a", "b"]
    assert second["messages"][-1]["content"] == "42"
    assert second["messages"][-1]["tool_call_id"] == second["messages"][-2]["tool_calls"][0]["id"] == "call_a"


def test_hb14_failures_are_read_by_the_model(server: LoopbackServer, ask: Ask) -> None:
    server.reply(tool_calls=[call("add", {"a": 1}), call("sub", {}, "call_b")])
    server.reply(text="sorry")
    assert ask("go", tools=[add]).text == "sorry"
    results = [json.loads(message["content"]) for message in server.requests[1].json["messages"][-2:]]
    assert [(result["ok"], result["error"]["type"]) for result in results] == [
        (False, "ValidationError"),
        (False, "UnknownTool"),
    ]


def test_hb15_nine_requests_and_the_end_is_visible(server: LoopbackServer, ask: Ask) -> None:
    for turn in range(12):
        server.reply(tool_calls=[call("add", {"a": turn, "b": 1}, f"call_{turn}")])
    answer = ask("go", tools=[add])
    assert len(server.requests) == 9
    assert answer.truncated
    assert "[incomplete: stopped after 8 tool turns" in answer.text


def test_hb16_an_async_tool_needs_an_async_call(server: LoopbackServer, llm: hb.LLM) -> None:
    async def late(a: int) -> int:
        await asyncio.sleep(0)
        return a

    with pytest.raises(TypeError, match="achat"):
        llm.chat("go", tools=[late])
    assert server.requests == []
    server.reply(tool_calls=[call("late", {"a": 7})])
    server.reply(text="7")
    assert asyncio.run(llm.achat("go", tools=[late])) == "7"


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("find", {"type": "function", "function": {"name": "find"}}),
    ],
)
def test_hb17_a_schema_is_offered_and_its_calls_come_back(
    server: LoopbackServer, ask: Ask, choice: str, wire: Any
) -> None:
    schema = {"name": "find", "description": "Find it.", "parameters": {"type": "object", "properties": {}}}
    server.reply(tool_calls=[call("find", {})])
    answer = ask("go", tools=[schema], tool_choice=choice)
    assert [made.name for made in answer.pending] == ["find"]
    assert answer.tool_calls[0].arguments == "{}"
    (request,) = server.requests
    assert request.json["tool_choice"] == wire


def test_hb26_arguments_are_repaired_where_that_is_asked_for(server: LoopbackServer, ask: Ask) -> None:
    broken = "```json\n{'a': 40, 'b': 2,}\n```"
    for _ in range(2):
        server.reply(tool_calls=[call("add", broken)])
        server.reply(text="done")
    ask("go", tools=[add])
    assert json.loads(server.requests[1].json["messages"][-1]["content"])["error"]["type"] == "JSONDecodeError"
    answer = ask("go", tools=[add], repair_tool_calls=True)
    assert server.requests[3].json["messages"][-1]["content"] == "42"
    assert answer.tool_calls[0].original == broken
    assert answer.tool_calls[0].changes


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ('```json\n{"a": 40, "b": 2}\n```', False),
        ('{"a": 40, "b": 2,}', False),
        ('{"b": 42}', True),
    ],
    ids=["fence", "trailing comma", "missing field"],
)
def test_u3_malformed_arguments_are_repaired_with_the_original_kept(
    server: LoopbackServer, ask: Ask, written: str, filled: bool
) -> None:
    server.reply(tool_calls=[call("add", written)])
    server.reply(text="done")
    (made,) = ask("go", tools=[add], repair_tool_calls=True).tool_calls
    assert made.repaired
    assert made.original == written
    assert ("filled the missing field 'a' with 0 (the empty integer)" in made.changes) is filled
    assert server.requests[1].json["messages"][-1]["content"] == "42"


def test_u3_what_cannot_be_repaired_is_an_error_in_strict_mode(server: LoopbackServer, ask: Ask) -> None:
    server.reply(tool_calls=[call("add", "forty and two")])
    with pytest.raises(hb.errors.ToolArgsError, match="cannot be read as a JSON object"):
        ask("go", tools=[add], tool_call_repair={"enabled": True, "strict": True})
    assert len(server.requests) == 1


def test_u3_a_tool_can_refuse_repaired_arguments(server: LoopbackServer, ask: Ask) -> None:
    server.reply(tool_calls=[call("add", "{'a': 40, 'b': 2}")])
    server.reply(text="sorry")
    ask("go", tools=[hb.Tool(run=add, accept_repaired=False)], repair_tool_calls=True)
    result = json.loads(server.requests[1].json["messages"][-1]["content"])
    assert result["error"]["type"] == "RepairedArguments"


def test_u3_a_call_of_a_truncated_answer_is_never_run(server: LoopbackServer, ask: Ask) -> None:
    ran: list[int] = []
    server.reply(tool_calls=[call("note", '{"n": 1')], finish_reason="length")
    answer = ask("go", tools={"note": lambda n: ran.append(n)}, repair_tool_calls=True)
    assert (answer.finish_reason, answer.tool_calls[0].repaired, ran) == ("length", False, [])
    assert len(server.requests) == 1


def test_a_provider_that_counts_its_calls_anew_in_each_answer_keeps_their_results_apart(
    server: LoopbackServer, ask: Ask
) -> None:
    for turn in range(2):
        server.reply(tool_calls=[call("add", {"a": turn, "b": 1}, "call_0")])
    server.reply(text="done")
    assert [made.id for made in ask("go", tools=[add]).tool_calls] == ["call_0", "call_1"]
    results = {m["tool_call_id"]: m["content"] for m in server.requests[-1].json["messages"] if m["role"] == "tool"}
    assert results == {"call_0": "1", "call_1": "2"}


def test_the_text_of_every_round_streams_before_its_tools_run(server: LoopbackServer, llm: hb.LLM) -> None:
    server.reply(text="One moment. ", tool_calls=[call("add", {"a": 40, "b": 2})])
    server.reply(text="42!")
    order: list[str] = []

    def adding(a: int, b: int) -> int:
        order.append("(ran) ")
        return a + b

    for piece in llm.stream("go", tools={"add": adding}):
        order.append(piece)
    assert "".join(order) == "One moment. (ran) 42!"


def test_a_session_talks_over_the_wire(server: LoopbackServer, llm: hb.LLM, tmp_path: Path) -> None:
    server.reply(tool_calls=[call("add", {"a": 40, "b": 2})])
    server.reply(text="42!")
    server.reply(text="You are welcome.")
    log = tmp_path / "talk.jsonl"
    talk = hb.LLMSession(llm, tools=[add], system="Be brief.", log=log)
    assert talk.send("what is 40 + 2?", "text") == "42!"
    again = hb.LLMSession.load(log, llm, tools=[add])
    assert again.send("thanks", "text") == "You are welcome."
    roles = [message["role"] for message in server.requests[-1].json["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
