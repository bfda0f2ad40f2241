"""Strict validation: the loopback server refuses what OpenAI refuses, in OpenAI's error shape."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.server import LoopbackServer

USER = {"role": "user", "content": "hi, answer in JSON"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


def post(server: LoopbackServer, payload: Any, path: str = "/chat/completions") -> tuple[int, Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request("POST", f"/openai/v1{path}", body, {"content-type": "application/json"})
    answer = client.getresponse()
    result = answer.status, json.loads(answer.read())
    client.close()
    return result


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER], **fields}


def turns(*messages: Any) -> dict[str, Any]:
    return chat(messages=list(messages))


@pytest.mark.parametrize(
    "payload",
    [
        chat(temperature=2, top_p=0, n=2, seed=-1, presence_penalty=-2, frequency_penalty=2, logit_bias={"1": -100}),
        chat(temperature=None, tools=None, response_format=None, stop=None, max_tokens=None),
        chat(stop=["a", "b"], user="u", metadata={"k": "v"}, store=False, logprobs=True, top_logprobs=3),
        chat(tools=[TOOL], tool_choice="auto", parallel_tool_calls=False),
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}}),
        chat(tools=[{"type": "function", "function": {"name": "bare"}}], tool_choice="none"),
        chat(response_format={"type": "json_object"}),
        chat(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}),
        chat(reasoning_effort="high", service_tier="auto", verbosity="low", max_completion_tokens=100),
        turns(
            {"role": "developer", "content": "d"}, {"role": "system", "content": [{"type": "text", "text": "s"}]}, USER
        ),
        turns({"role": "user", "content": [{"type": "text", "text": "t"}, PICTURE], "name": "bob"}),
        turns({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]}),
        turns({"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}),
        turns(USER, CALLING, {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "ok"}, USER),
        turns(USER, {"role": "assistant", "content": "", "refusal": None, "annotations": []}),
    ],
)
def test_a_good_chat_request_passes(server: LoopbackServer, payload: Any) -> None:
    status, body = post(server, payload)
    assert (status, body["object"]) == (200, "chat.completion")


@pytest.mark.parametrize(
    ("payload", "param", "code"),
    [
        (b"{", None, None),
        (b"[]", None, None),
        (b'{"model": "m", "messages": NaN}', None, None),
        (chat(colour="red"), None, None),
        ({"messages": [USER]}, None, None),
        (chat(model=3), "model", "invalid_type"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        (chat(messages=[]), "messages", "empty_array"),
        (chat(messages="hi"), "messages", "invalid_type"),
        (turns("hi"), "messages[0]", "invalid_type"),
        (turns({"content": "x"}), "messages[0].role", "missing_required_parameter"),
        (turns({"role": "wizard", "content": "x"}), "messages[0].role", "invalid_value"),
        (turns({"role": "user"}), "messages[0].content", "missing_required_parameter"),
        (turns({"role": "user", "content": None}), "messages[0].content", "invalid_value"),
        (turns({"role": "user", "content": 3}), "messages[0].content", "invalid_type"),
        (turns({"role": "user", "content": []}), "messages[0].content", "empty_array"),
        (turns({**USER, "mood": "good"}), "messages[0].mood", "unknown_parameter"),
        (turns({"role": "user", "content": [{"type": "image"}]}), "messages[0].content[0].type", "invalid_value"),
        (
            turns({"role": "user", "content": [{"type": "text"}]}),
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        (turns({"role": "system", "content": [PICTURE]}), "messages[0].content[0].type", "invalid_value"),
        (
            turns({"role": "user", "content": [{"type": "image_url", "image_url": "http://x"}]}),
            "messages[0].content[0].image_url",
            "invalid_type",
        ),
        (
            turns({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "/etc/passwd"}}]}),
            "messages[0].content[0].image_url.url",
            "invalid_image_url",
        ),
        (
            turns({"role": "user", "content": [{**PICTURE, "image_url": {"url": "http://x", "detail": "best"}}]}),
            "messages[0].content[0].image_url.detail",
            "invalid_value",
        ),
        (turns({"role": "assistant", "content": None}), "messages[0].content", "invalid_value"),
        (turns(USER, CALLING), "messages.[2].role", None),
        (turns(USER, CALLING, USER), "messages.[2].role", None),
        (turns({"role": "tool", "content": "x"}), "messages[0].tool_call_id", "missing_required_parameter"),
        (turns({"role": "tool", "content": "x", "tool_call_id": "c1"}), "messages[0].role", None),
        (turns(USER, CALLING, {"role": "tool", "content": "x", "tool_call_id": "other"}), "messages[2].role", None),
        (
            turns({**CALLING, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}]}),
            "messages[0].tool_calls[0].function.arguments",
            "invalid_type",
        ),
        (
            turns({**CALLING, "tool_calls": [{"type": "function", "function": CALL["function"]}]}),
            "messages[0].tool_calls[0].id",
            "missing_required_parameter",
        ),
        (turns({**CALLING, "tool_calls": []}), "messages[0].tool_calls", "empty_array"),
        (
            turns({**CALLING, "tool_calls": [{**CALL, "function": {"name": "f"}}]}),
            "messages[0].tool_calls[0].function.arguments",
            "missing_required_parameter",
        ),
        (
            turns({"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}),
            "messages[0].content[0].file.file_id",
            "missing_required_parameter",
        ),
        (
            chat(tools=[{"type": "function", "function": {"name": "f", "description": 3}}]),
            "tools[0].function.description",
            "invalid_type",
        ),
        (chat(temperature=2.1), "temperature", "decimal_above_max_value"),
        (chat(temperature=-0.1), "temperature", "decimal_below_min_value"),
        (chat(temperature="hot"), "temperature", "invalid_type"),
        (chat(temperature=True), "temperature", "invalid_type"),
        (chat(n=0), "n", "integer_below_min_value"),
        (chat(n=1.5), "n", "invalid_type"),
        (chat(n=129), "n", "integer_above_max_value"),
        (chat(max_tokens=0), "max_tokens", "integer_below_min_value"),
        (chat(max_tokens=5, max_completion_tokens=5), "max_tokens", "invalid_value"),
        (chat(top_logprobs=2), "top_logprobs", "invalid_value"),
        (chat(stop=[]), "stop", "empty_array"),
        (chat(stop=["a"] * 5), "stop", "array_above_max_length"),
        (chat(stop=[1]), "stop[0]", "invalid_type"),
        (chat(stream="yes"), "stream", "invalid_type"),
        (chat(stream_options={"include_usage": True}), "stream_options", None),
        (chat(stream=True, stream_options={"usage": 1}), "stream_options.usage", "unknown_parameter"),
        (chat(modalities=["smell"]), "modalities[0]", "invalid_value"),
        (chat(logit_bias={"1": 101}), "logit_bias.1", "decimal_above_max_value"),
        (chat(reasoning_effort="extreme"), "reasoning_effort", "invalid_value"),
        (chat(tool_choice="auto"), "tool_choice", None),
        (chat(parallel_tool_calls=True), "parallel_tool_calls", None),
        (chat(tools=[]), "tools", "empty_array"),
        (chat(tools=[{"type": "function"}]), "tools[0].function", "invalid_type"),
        (chat(tools=[{"type": "magic"}]), "tools[0].type", "invalid_value"),
        (chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "missing_required_parameter"),
        (chat(tools=[{"type": "function", "function": {"name": "a b"}}]), "tools[0].function.name", "invalid_value"),
        (chat(tools=[{"name": "f", "input_schema": {}}]), "tools[0].type", "invalid_value"),
        (
            chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]),
            "tools[0].function.parameters",
            "invalid_function_parameters",
        ),
        (chat(tools=[TOOL], tool_choice="always"), "tool_choice", "invalid_value"),
        (chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}), "tool_choice", None),
        (chat(tools=[TOOL], tool_choice={"type": "function", "name": "f"}), "tool_choice.function", "invalid_type"),
        (chat(tools=[TOOL], tool_choice={"type": "any"}), "tool_choice.type", "invalid_value"),
        (chat(response_format={"type": "xml"}), "response_format.type", "invalid_value"),
        (
            turns({"role": "user", "content": "hi"}) | {"response_format": {"type": "json_object"}},
            "messages",
            None,
        ),
        (chat(response_format={"type": "json_schema"}), "response_format.json_schema", "missing_required_parameter"),
        (
            chat(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
            "response_format.json_schema.name",
            "missing_required_parameter",
        ),
    ],
)
def test_a_bad_chat_request_gets_400_naming_the_parameter(
    server: LoopbackServer, payload: Any, param: str | None, code: str | None
) -> None:
    status, body = post(server, payload)
    error = body["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [1.5]}, "input[0]"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "temperature": 0}, None),
    ],
)
def test_a_bad_embeddings_request_gets_400(server: LoopbackServer, fields: Any, param: str | None) -> None:
    status, body = post(server, {"model": "m", **fields}, "/embeddings")
    assert (status, body["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "p", "n": 11}, "n"),
        ({"prompt": "p", "size": "large"}, "size"),
        ({"prompt": "p", "response_format": "b64_json"}, "response_format"),
        ({"prompt": "p", "max_tokens": 5}, None),
        ({"prompt": "p", "temperature": 0.5}, None),
        ({"prompt": "p", "seed": 42}, None),
    ],
)
def test_a_bad_image_request_gets_400(server: LoopbackServer, fields: Any, param: str | None) -> None:
    status, body = post(server, {"model": "gpt-image-1", **fields}, "/images/generations")
    assert (status, body["error"]["param"]) == (400, param)


def test_an_image_edit_without_an_image_gets_400(server: LoopbackServer) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n--b--\r\n'
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request("POST", "/openai/v1/images/edits", form, {"content-type": "multipart/form-data; boundary=b"})
    answer = client.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["param"]) == (400, "image")
    client.close()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx"),
        ("multipart/form-data; boundary=b", b"--b\r\nno headers\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--"),
    ],
)
def test_what_is_no_form_gets_400(server: LoopbackServer, kind: str, body: bytes) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request("POST", "/openai/v1/images/edits", body, {"content-type": kind})
    answer = client.getresponse()
    assert (answer.status, "multipart form" in json.loads(answer.read())["error"]["message"]) == (400, True)
    client.close()


def test_a_refused_request_does_not_consume_a_queued_reply(server: LoopbackServer) -> None:
    server.reply(text="kept")
    assert post(server, chat(temperature=9))[0] == 400
    assert post(server, chat())[1]["choices"][0]["message"]["content"] == "kept"


def test_with_strict_off_anything_that_is_a_json_object_is_answered(server: LoopbackServer) -> None:
    server.strict = False
    try:
        for payload in ({}, chat(colour="red", temperature=9), {"messages": [3, {"role": "wizard"}]}):
            assert post(server, payload)[0] == 200
        assert post(server, {}, "/embeddings")[0] == 200
        assert post(server, {}, "/images/generations")[0] == 200
        assert post(server, b"[")[0] == 400
    finally:
        server.strict = True
    assert post(server, chat(colour="red"))[0] == 400
