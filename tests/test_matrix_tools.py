"""Tools on every native wire: how they, a choice among them and their results look there, and the turns of the loop."""

from __future__ import annotations

import json
from typing import Any

import pytest

import heavenbase as hb
from heavenbase.errors import LossyRequestError, ToolArgsError, UnknownNameError
from tests.matrix import CALLS, CLOCK, EVERY, INSTALLED, WAYS, WEATHER, Bench

TOOLS = [WEATHER, CLOCK]
NAMED = {"type": "function", "function": {"name": "get_time"}}
ABSENT = "absent"
OPENAI = {"auto": "auto", "none": "none", "required": "required", "name": NAMED}
CHOICES: dict[str, dict[str, Any]] = {
    "openai": OPENAI,
    "mistral": OPENAI,
    "cohere": {"auto": ABSENT, "none": "NONE", "required": "REQUIRED", "name": "REQUIRED"},
    "anthropic": {
        "auto": {"type": "auto"},
        "none": {"type": "none"},
        "required": {"type": "any"},
        "name": {"type": "tool", "name": "get_time"},
    },
    "gemini": {
        "auto": {"functionCallingConfig": {"mode": "AUTO"}},
        "none": {"functionCallingConfig": {"mode": "NONE"}},
        "required": {"functionCallingConfig": {"mode": "ANY"}},
        "name": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}},
    },
    "bedrock": {"auto": {"auto": {}}, "none": ABSENT, "required": {"any": {}}, "name": {"tool": {"name": "get_time"}}},
    "ollama": {"auto": ABSENT, "none": ABSENT, "required": LossyRequestError, "name": LossyRequestError},
}
"""What each wire says for a choice; an error where it cannot say it."""


def _call(identity: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


TURN = [
    {"role": "user", "content": "Both?"},
    {
        "role": "assistant",
        "content": "well",
        "tool_calls": [
            {
                "id": "call00001",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city": "Köln"}'},
            },
            {"id": "call00002", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "call00001", "content": "rain"},
    {"role": "tool", "tool_call_id": "call00002", "content": [{"type": "text", "text": "noon"}]},
]
"""A conversation in OpenAI's shape, up to two results of one turn."""


def choice_in(family: str, body: dict[str, Any]) -> Any:
    """What a body says about the choice of tools."""
    if family == "gemini":
        return body.get("toolConfig", ABSENT)
    if family == "bedrock":
        return body.get("toolConfig", {}).get("toolChoice", ABSENT)
    return body.get("tool_choice", ABSENT)


def tools_in(family: str, body: dict[str, Any]) -> list[str]:
    """The names of the tools in a body."""
    if family == "gemini":
        return [tool["name"] for group in body.get("tools", ()) for tool in group["functionDeclarations"]]
    if family == "bedrock":
        return [tool["toolSpec"]["name"] for tool in body.get("toolConfig", {}).get("tools", ())]
    return [tool.get("function", tool)["name"] for tool in body.get("tools", ())]


def results_in(family: str, body: dict[str, Any]) -> list[tuple[int, str]]:
    """(place of the message, text) of every result of a tool."""
    found = []
    for place, message in enumerate(body.get("contents") or body["messages"]):
        if family == "gemini":
            parts = [part["functionResponse"] for part in message["parts"] if "functionResponse" in part]
            found += [(place, str(part["response"])) for part in parts]
        elif family == "bedrock":
            parts = [block["toolResult"]["content"] for block in message["content"] if "toolResult" in block]
            found += [(place, str(part)) for part in parts]
        elif family == "anthropic":
            blocks = message["content"] if isinstance(message["content"], list) else []
            found += [(place, str(block["content"])) for block in blocks if block["type"] == "tool_result"]
        elif message["role"] == "tool":
            found.append((place, str(message["content"])))
    return found


@hb.tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


def get_time() -> str:
    """The time."""
    return "noon"


@EVERY
def test_g05_tools_may_be_dictionaries_objects_or_functions(bench: Bench) -> None:
    for tools in (TOOLS, [get_weather, CLOCK], [get_weather, get_time]):
        bench.server.clear()
        bench.complete(tools=tools)
        assert tools_in(bench.row.family, bench.sent) == ["get_weather", "get_time"]
        assert "The weather in a city" in json.dumps(bench.sent)


@EVERY
@WAYS
def test_g05_the_loop_runs_the_tools_and_sends_their_results(bench: Bench, way: str) -> None:
    bench.reply(tool_calls=CALLS)
    bench.reply("It rains at noon.")
    answer = bench.ask(way, "Both?", tools=[get_weather, get_time])
    assert (answer.text, answer.finish_reason, answer.tool_turns) == ("It rains at noon.", "stop", 1)
    _, second = bench.server.requests
    results = results_in(bench.row.family, second.json)
    assert ["rain in Köln" in results[0][1], "noon" in results[1][1]] == [True, True]


@EVERY
@WAYS
def test_g05_calls_in_openais_shape_are_taken_back(bench: Bench, way: str) -> None:
    bench.ask(way, TURN, tools=TOOLS)
    written = json.dumps(bench.sent, ensure_ascii=False)
    for word in ("Both?", "well", "get_weather", "Köln", "get_time", "rain", "noon"):
        assert word in written


@EVERY
def test_g05_arguments_that_are_no_json_are_kept(bench: Bench) -> None:
    broken = _call("call00001", "get_weather", '{"city": Ulm')
    bench.complete([TURN[0], {"role": "assistant", "content": None, "tool_calls": [broken]}, TURN[2]], tools=TOOLS)
    assert "Ulm" in json.dumps(bench.sent)


@pytest.mark.parametrize(
    "row", [row for row in INSTALLED if row.family in ("openai", "mistral", "cohere")], ids=lambda row: row.name
)
@WAYS
def test_g05_arguments_that_a_model_broke_are_reported_or_repaired_and_never_empty(bench: Bench, way: str) -> None:
    wrong = {"name": "get_weather", "arguments": '{"city": "Ulm"'}
    bench.reply(tool_calls=[wrong])
    [call] = bench.ask(way, tools=[WEATHER]).tool_calls
    assert call.arguments == '{"city": "Ulm"'
    with pytest.raises(ToolArgsError):
        call.parse()
    bench.reply(tool_calls=[wrong])
    [call] = bench.ask(way, tools=[WEATHER], repair_tool_calls=True).tool_calls
    assert (call.parse(), call.original) == ({"city": "Ulm"}, '{"city": "Ulm"')
    assert call.changes


@EVERY
@WAYS
@pytest.mark.parametrize("choice", ["auto", "none", "required", "get_time", NAMED], ids=str)
def test_g06_h24_tool_choice_is_said_as_the_wire_says_it(bench: Bench, way: str, choice: Any) -> None:
    family, kind = bench.row.family, choice if choice in ("auto", "none", "required") else "name"
    wanted = CHOICES[family][kind]
    if wanted is LossyRequestError:
        with pytest.raises(LossyRequestError, match="tool_choice"):
            bench.ask(way, tools=TOOLS, tool_choice=choice)
        assert bench.server.requests == []
        return
    answer = bench.ask(way, tools=TOOLS, tool_choice=choice)
    sent = choice_in(family, bench.sent)
    assert ("required" if (family, sent) == ("mistral", "any") else sent) == wanted
    if family in ("bedrock", "ollama") and kind == "none":
        assert tools_in(family, bench.sent) == []
    elif family == "cohere" and kind == "name":
        assert tools_in(family, bench.sent) == ["get_time"]
    else:
        assert tools_in(family, bench.sent) == ["get_weather", "get_time"]
    assert answer.report is not None
    assert {"tools", "tool_choice"} <= answer.report.entries.keys()


@EVERY
def test_g06_h24_without_a_choice_nothing_is_said(bench: Bench) -> None:
    bench.complete(tools=TOOLS)
    assert choice_in(bench.row.family, bench.sent) == ABSENT


@EVERY
def test_g06_a_choice_of_a_tool_that_is_not_there_is_refused_before_sending(bench: Bench) -> None:
    with pytest.raises(UnknownNameError, match="get_time"):
        bench.complete(tools=TOOLS, tool_choice="get_tine")
    assert bench.server.requests == []


@EVERY
@WAYS
def test_g07_the_results_of_one_turn_arrive_as_the_wire_wants_them(bench: Bench, way: str) -> None:
    answer = bench.ask(way, TURN, tools=TOOLS)
    assert answer.text
    places, texts = zip(*results_in(bench.row.family, bench.sent), strict=True)
    assert ["rain" in texts[0], "noon" in texts[1], len(texts)] == [True, True, 2]
    together = bench.row.family in ("anthropic", "bedrock", "gemini")
    assert len(set(places)) == (1 if together else 2)


@EVERY
@WAYS
@pytest.mark.parametrize("given", ["null", " null\n", None, ""])
def test_c7_arguments_null_are_none_at_all_and_a_tool_that_wants_some_says_which(
    bench: Bench, way: str, given: str | None
) -> None:
    ran: list[str] = []

    def get_time(zone: str = "UTC") -> str:
        ran.append(zone)
        return "noon"

    def get_weather(city: str) -> str:
        ran.append(city)
        return "rain"

    bench.reply(
        tool_calls=[
            {"id": "call00001", "name": "get_time", "arguments": given},
            {"id": "call00002", "name": "get_weather", "arguments": given},
        ]
    )
    bench.reply("so it is")
    answer = bench.ask(way, "Both?", tools=[get_time, get_weather])
    assert answer.text == "so it is"
    assert ran == ["UTC"]
    done, failed = (message["content"] for message in answer.delta if message["role"] == "tool")
    assert done == "noon"
    assert json.loads(failed)["error"]["type"] == "ValidationError"
    assert "city: Field required" in failed
    if bench.row.family in ("anthropic", "gemini", "bedrock", "ollama"):
        assert given is None or "null" not in json.dumps(bench.server.requests[1].json.get("messages", ""))
