"""Input items of the Responses API as messages: as they are on their own wire, in hb's shape on the others."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses import Response, ResponseInputItemParam

import heavenbase as hb
from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer
from heavenbase.config.config import Config
from heavenbase.errors import InputError, UnsupportedError
from heavenbase.kernel import Kernel
from heavenbase.messages import to_messages
from heavenbase.session import LLMSession
from tests.test_conversations import WIRES, body_of, texts
from tests.test_conversations import kernel as kernel

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather?"}], "id": "msg_1"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "zz"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "w", "arguments": '{"c": 1}', "status": "completed"}  # fmt: skip  # noqa: E501
CALL_2 = {"type": "function_call", "call_id": "call_2", "name": "w", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "sunny", "status": "completed"}
RESULT_2: dict[str, Any] = {
    "type": "function_call_output",
    "call_id": "call_2",
    "output": [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"},
    ],
}
SAID = {
    "type": "message",
    "id": "msg_2",
    "role": "assistant",
    "status": "completed",
    "content": [
        {"type": "output_text", "text": "It is ", "annotations": [{"type": "url_citation", "url": "https://a"}]},
        {"type": "output_text", "text": "sunny", "annotations": []},
    ],
}
CALLED = [USER, THOUGHT, CALL, CALL_2, RESULT, RESULT_2, SAID, {"role": "user", "content": "thanks"}]
OWN: list[dict[str, Any]] = [
    {"type": "item_reference", "id": "msg_9"},
    {"type": "computer_call", "id": "cu_1", "call_id": "call_c", "action": {"type": "screenshot"}, "status": "x"},
    {"type": "computer_call_output", "call_id": "call_c", "output": {"type": "computer_screenshot", "file_id": "f"}},
    {"type": "mcp_approval_request", "id": "mcpr_1", "name": "n", "server_label": "s", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {"type": "local_shell_call_output", "id": "ls_1", "output": "{}"},
    {"type": "apply_patch_call", "call_id": "call_p", "status": "completed", "operation": {"type": "delete_file"}},
    {"type": "apply_patch_call_output", "call_id": "call_p", "status": "completed"},
    {"type": "compaction", "encrypted_content": "zz"},
]
RUNS: list[dict[str, Any]] = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []},
    {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "n", "arguments": "{}", "output": "o"},
    {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "container_id": "c", "outputs": None},
    {"type": "file_search_call", "id": "fs_1", "queries": ["q"], "results": None, "status": "completed"},
]
OTHERS = [wire for wire in WIRES if wire != "responses"]


@pytest.fixture
def served() -> Iterator[tuple[LoopbackServer, hb.LLM]]:
    with LoopbackServer() as server, Kernel(Config.from_dict({}, environ=environment())) as made:
        url = server.url("openai_responses")
        named: Any = {"model": "openai/gpt-5.6", "gateway": "responses", "cache": False}
        yield server, hb.LLM(**named, base_url=url, api_key="k", kernel=made)


@pytest.mark.parametrize("items", [CALLED, [USER, *OWN, USER], [USER, *RUNS, SAID, USER]], ids=["calls", "own", "runs"])
def test_a8_items_of_responses_travel_as_they_are(kernel: Kernel, items: list[Any]) -> None:
    body, report = body_of(kernel, "responses", items)
    assert body["input"] == items
    assert not report.entries.keys() - {"temperature", "seed"}


def test_a8_every_item_that_the_sdk_knows_travels_as_it_is(kernel: Kernel) -> None:
    hints = [get_type_hints(held) for held in get_args(ResponseInputItemParam)]
    kinds = {name: "role" in held for held in hints for name in re.findall(r"'([a-z_]+)'", str(held["type"]))}
    assert len(kinds) > 25
    items: list[dict[str, Any]] = []
    for kind in kinds.keys() - {"message", "function_call_output", "custom_tool_call_output"}:
        made = {"call_id": "call_1", "name": "w", "arguments": "{}", "input": "x"} if "_call" in kind else {"id": "a"}
        items = [USER, {"type": kind, **made, **({"role": "developer"} if kinds[kind] else {})}]
        if kind in ("function_call", "custom_tool_call"):
            items.append({"type": f"{kind}_output", "call_id": "call_1", "output": "x"})
        assert body_of(kernel, "responses", items)[0]["input"] == items
        offline = hb.LLM(gateway="mock", mock="m", kernel=kernel)
        assert offline.chat(items) == "m"


def test_a8_outputs_of_calls_that_the_provider_keeps_travel_alone(kernel: Kernel) -> None:
    body, _ = body_of(kernel, "responses", [RESULT, RESULT_2], previous_response_id="resp_1")
    assert body["input"] == [RESULT, RESULT_2]


def test_a8_messages_of_hb_may_have_the_type_of_one() -> None:
    made = [{"id": "call_1", "type": "function", "function": {"name": "w", "arguments": "{}"}}]
    told: list[dict[str, Any]] = [
        {"role": "assistant", "content": "x", "tool_calls": made},
        {"role": "tool", "tool_call_id": "call_1", "content": "y"},
        {"role": "user", "content": "r", "cache_control": {"type": "ephemeral"}},
        {"role": "assistant", "content": [{"type": "text", "text": "x"}], "model": "claude"},
    ]
    given = [{**message, "type": "message"} for message in told]
    assert to_messages(given) == given


@pytest.mark.parametrize("wire", WIRES)
def test_a8_tokens_of_items_are_estimated(kernel: Kernel, wire: str) -> None:
    llm = hb.LLM(**WIRES[wire], kernel=kernel)  # type: ignore[arg-type]
    assert llm.count_tokens(CALLED, estimate=True).tokens > 10


def test_a8_items_are_sent_in_both_colours_and_streamed(served: tuple[LoopbackServer, hb.LLM]) -> None:
    server, llm = served
    for _ in range(3):
        server.reply(text="warm")
    assert llm.chat(CALLED) == "warm"
    assert asyncio.run(llm.achat(CALLED)) == "warm"
    assert "".join(llm.stream(CALLED)) == "warm"
    assert [request.json["input"] for request in server.requests] == [CALLED] * 3


def test_a8_items_are_sent_to_be_answered_in_the_background_and_with_tools(
    served: tuple[LoopbackServer, hb.LLM],
) -> None:
    server, llm = served

    def w(c: int) -> str:
        """The weather."""
        return f"rain {c}"

    server.reply(tool_calls=[{"name": "w", "arguments": {"c": 2}}])
    server.reply(text="warm")
    assert llm.chat(CALLED, tools=[w]) == "warm"
    assert server.requests[1].json["input"][: len(CALLED)] == CALLED
    assert server.requests[1].json["input"][-1]["output"] == "rain 2"
    server.reply(text="warm")
    llm.complete(CALLED, background=True)
    assert server.requests[2].json["input"] == CALLED


def test_a8_items_stand_among_messages_of_hb(kernel: Kernel) -> None:
    made = [{"id": "call_2", "type": "function", "function": {"name": "w", "arguments": "{}"}}]
    told = [USER, CALL, {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}, SAID]
    more = [{"role": "assistant", "content": None, "tool_calls": made}, {**RESULT, "call_id": "call_2"}]
    body, _ = body_of(kernel, "responses", [*told, *more, USER])
    result = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    assert body["input"] == [USER, CALL, result, SAID, CALL_2, {**RESULT, "call_id": "call_2"}, USER]


def test_a8_items_of_a_session_are_saved_and_go_on(served: tuple[LoopbackServer, hb.LLM], tmp_path: Path) -> None:
    server, llm = served
    server.reply(text="warm")
    server.reply(text="cold")
    session = LLMSession(llm, messages=CALLED[:-1])
    session.send("and here?")
    session.save(tmp_path / "a.json")
    LLMSession.load(tmp_path / "a.json", llm).send("there?")
    assert server.requests[0].json["input"] == [*CALLED[:-1], {"role": "user", "content": "and here?"}]
    assert server.requests[1].json["input"][: len(CALLED) - 1] == CALLED[:-1]


def test_a8_open_calls_of_items_are_answered_by_resume(served: tuple[LoopbackServer, hb.LLM]) -> None:
    server, llm = served
    server.reply(text="warm")
    llm.resume([USER, THOUGHT, CALL, CALL_2, RESULT], {"call_2": "rainy"})
    result = {"type": "function_call_output", "call_id": "call_2", "output": "rainy"}
    assert server.requests[0].json["input"] == [USER, THOUGHT, CALL, CALL_2, RESULT, result]


def test_a8_what_was_changed_is_sent_as_it_is_now(kernel: Kernel) -> None:
    messages = to_messages([USER, THOUGHT, CALL, RESULT, SAID, USER])
    messages[0]["content"][0]["text"] = "hidden"
    messages[3]["content"] = messages[4]["content"] = "hidden"
    messages[2]["tool_calls"][0]["function"]["arguments"] = '{"hidden": 1}'
    body, _ = body_of(kernel, "responses", messages)
    assert [item["type"] for item in body["input"][:4]] == [item["type"] for item in (USER, THOUGHT, CALL, RESULT)]
    assert json.dumps(body["input"][:5]).count("hidden") == 4


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "assistant", "content": "x", "phase": "commentary"},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "id": "msg_1"},
        {"type": "message", "role": "assistant", "content": [], "id": "msg_1"},
        {**CALL, "arguments": "{bad"},
        {**CALL, "namespace": "crm"},
    ],
)
def test_a8_odd_items_are_sent_as_they_are(kernel: Kernel, item: dict[str, Any]) -> None:
    items = [USER, item, *([RESULT] if "call_id" in item else [])]
    assert body_of(kernel, "responses", items)[0]["input"] == items


@pytest.mark.parametrize("arguments", [{"c": 1}, {}, None])
def test_a8_arguments_of_items_are_text(kernel: Kernel, arguments: Any) -> None:
    body, _ = body_of(kernel, "responses", [USER, {**CALL, "arguments": arguments}, RESULT])
    assert body["input"] == [USER, {**CALL, "arguments": json.dumps(arguments or {})}, RESULT]


def test_a8_models_of_a_client_are_items(kernel: Kernel) -> None:
    class Item:
        def model_dump(self) -> dict[str, Any]:
            return {**THOUGHT, "status": None}

    body, _ = body_of(kernel, "responses", [USER, Item(), CALL, RESULT])
    assert body["input"] == [USER, THOUGHT, CALL, RESULT]


def test_a8_the_output_of_an_sdk_goes_back_as_it_came(kernel: Kernel) -> None:
    part = {"type": "output_text", "text": "sunny", "annotations": []}
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    search = {**searched, "action": {"type": "search", "query": "q"}}
    output = [THOUGHT, search, {**SAID, "content": [part]}, CALL]
    whole: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "output": output,
        "created_at": 1,
        "model": "gpt-5.6",
    }
    answer = Response.construct(**whole)
    body, _ = body_of(kernel, "responses", [USER, *answer.output, RESULT])
    assert body["input"] == [USER, *output, RESULT]


@pytest.mark.parametrize("wire", OTHERS)
def test_a8_calls_of_items_are_calls_on_every_wire(kernel: Kernel, wire: str) -> None:
    vision = [*CALLED[:4], RESULT, {**RESULT_2, "output": RESULT_2["output"][:2]}, *CALLED[6:]]
    body, report = body_of(kernel, wire, vision, tools=[{"name": "w", "parameters": {"type": "object"}}])
    native = [
        {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "w", "arguments": '{"c": 1}'}},
                {"id": "call_2", "type": "function", "function": {"name": "w", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": RESULT_2["output"][:2]},
        {"role": "assistant", "content": [{"type": "text", "text": "It is "}, {"type": "text", "text": "sunny"}]},
        {"role": "user", "content": "thanks"},
    ]
    assert body == body_of(kernel, wire, native, tools=[{"name": "w", "parameters": {"type": "object"}}])[0]
    lost = {it.name for it in report.entries.values() if it.outcome == "dropped"}
    assert {"messages[1].reasoning", "messages[6].annotations"} <= lost
    assert {"weather?", "thanks"} <= {*texts(body)} | set(json.dumps(body).split('"'))


@pytest.mark.parametrize("wire", OTHERS)
def test_a8_runs_of_a_provider_stay_behind_on_other_wires(kernel: Kernel, wire: str) -> None:
    body, report = body_of(
        kernel, wire, [{"role": "user", "content": "q"}, *RUNS, SAID, {"role": "user", "content": "r"}]
    )
    assert {f"messages[{place + 1}].{item['type']}" for place, item in enumerate(RUNS)} <= report.entries.keys()
    assert "web_search" not in json.dumps(body)
    with pytest.raises(InputError):
        body_of(kernel, wire, [RUNS[0]])


@pytest.mark.parametrize("item", OWN, ids=lambda it: it["type"])
@pytest.mark.parametrize("wire", OTHERS)
def test_a8_items_that_one_wire_has_are_refused_on_the_others(kernel: Kernel, wire: str, item: Any) -> None:
    with pytest.raises(UnsupportedError, match=rf"message 3 is of the type {item['type']}.*responses"):
        body_of(kernel, wire, [USER, CALL, RESULT, item, USER])


def test_a8_calls_with_free_text_are_items(kernel: Kernel) -> None:
    made = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "sql", "input": "select"}
    items = [USER, made, {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"}]
    assert body_of(kernel, "responses", items)[0]["input"] == items
    sent = body_of(kernel, "openai", items)[0]["messages"][1:]
    assert sent[0]["tool_calls"] == [{"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "select"}}]
    assert sent[1]["content"] == "1"


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({**CALL, "call_id": None}, "message 1 .*call_id"),
        ({**CALL, "name": ""}, "message 1 .*name"),
        ({**RESULT, "output": None}, "message 1 .*content"),
        ({**RESULT, "outputs": "x"}, "attribute of message 1 'outputs'"),
        ({**CALL, "callid": "x"}, "attribute of message 1 'callid'"),
        ({"type": "function_cal", "call_id": "c"}, "message 1 has no role"),
        ({"type": "input_text", "text": "q"}, "message 1 has no role"),
    ],
)
def test_a8_items_that_are_none_are_refused(item: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        to_messages([USER, item])
