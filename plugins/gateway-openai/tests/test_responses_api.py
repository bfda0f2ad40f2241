"""The Responses wire: what is sent for messages and parameters, and how answers, streams and their faults are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hb_gateway_openai.responses_api import ResponsesGateway
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.types import Citation, Completion

from .support import OPENAI, USER, Caller, make_call, make_spec

MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": '{"a":1}'}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 21,
}


def sent(**options: Any) -> dict[str, Any]:
    spec = make_spec(provider="openai", provider_record=OPENAI, model_id="gpt-5")
    body = ResponsesGateway().prepare(make_call(spec, **options)).body
    assert body.pop("model") == "gpt-5"
    return dict(body)


class Server:
    """A transport that gives one answer."""

    def __init__(self, body: bytes, kind: str = "application/json", status: int = 200) -> None:
        self.answer = HTTPResponse(status, [("content-type", kind)], body)

    def send(self, request: HTTPRequest) -> HTTPResponse:
        return self.answer

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.answer


def answered(mode: str = "chat", /, **fields: Any) -> Completion:
    whole = {"id": "resp_1", "object": "response", "model": "gpt-5-x", "status": "completed", "usage": USAGE, **fields}
    return ask(Server(json.dumps(whole).encode()), mode)


def ask(server: Server, mode: str) -> Completion:
    spec = make_spec(provider="openai", provider_record=OPENAI, model_id="gpt-5")
    return Caller(ResponsesGateway(), transport=server).run(mode, spec)


def streamed(*events: dict[str, Any], mode: str = "stream") -> Completion:
    body = "".join(f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n" for event in events)
    return ask(Server(body.encode(), "text/event-stream"), mode)


def test_an_edited_answer_goes_back_as_it_is_now_with_its_thoughts() -> None:
    answer = answered(output=[THOUGHT, MESSAGE])
    assert sent(messages=[USER, answer.message, USER])["input"][1:3] == [THOUGHT, MESSAGE]
    edited = {**answer.message, "content": "bye"}
    assert sent(messages=[USER, edited, USER])["input"][1:3] == [THOUGHT, {"role": "assistant", "content": "bye"}]


def test_thoughts_of_another_provider_stay_behind_and_are_reported() -> None:
    answer = answered(output=[THOUGHT, MESSAGE])
    spec = make_spec(provider="azure", provider_record=OPENAI)
    call = make_call(spec, messages=[USER, answer.message])
    assert ResponsesGateway().prepare(call).body["input"][1:] == [{"role": "assistant", "content": "hello"}]
    assert call.context.report.entries["reasoning_parts"].outcome == "dropped"


@pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])
def test_an_answer_is_read(mode: str) -> None:
    # A server that does not stream gives the whole answer in place of events.
    answer = answered(mode, output=[THOUGHT, MESSAGE, CALL])
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("hello", "hm", "tool_calls")
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [("call_1", "add", '{"a":1}')]
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.cache_read, answer.usage.output, answer.usage.reasoning) == (10, 2, 5, 4)
    assert (answer.id, answer.model) == ("resp_1", "gpt-5-x")


@pytest.mark.parametrize(
    ("fields", "reason", "raw"),
    [
        ({"output": [MESSAGE]}, "stop", "completed"),
        ({"output": [MESSAGE], "status": "complete"}, "stop", "complete"),
        ({"output": [CALL]}, "tool_calls", "completed"),
        (
            {"output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
            "max_output_tokens",
        ),
        (
            {"output": [MESSAGE], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            "content_filter",
        ),
        ({"output": [{**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}]}, "refusal", "completed"),
    ],
)
def test_the_end_has_one_vocabulary(fields: dict[str, Any], reason: str, raw: str) -> None:
    answer = answered(**fields)
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


@pytest.mark.parametrize(
    "fields",
    [
        *({}, {"output": None}, {"output": []}, {"output": ["x"]}, {"output": [{**MESSAGE, "content": None}]}),
        *(
            {"output": [{**MESSAGE, "content": parts}]}
            for parts in ([None], ["x"], [{"type": "output_text", "text": 7}])
        ),
    ],
)
def test_an_answer_of_another_shape_is_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(errors.ResponseShapeError):
        answered(**fields)


def test_an_error_inside_a_success_is_an_error() -> None:
    with pytest.raises(errors.ServerError):
        answered(output=[], status="failed", error={"code": "server_error", "message": "it broke"})


CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5-x"}}
TEXT = {"type": "response.output_text.delta", "output_index": 0, "delta": "hel"}
REST = {"type": "response.output_text.delta", "output_index": 0, "delta": "lo"}


def completed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", "output": [*items], "usage": USAGE}}


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_a_stream_is_read(mode: str) -> None:
    thought = {"type": "response.reasoning_summary_text.delta", "delta": "hm"}
    answer = streamed(CREATED, thought, TEXT, REST, completed(THOUGHT, MESSAGE), mode=mode)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("hello", "hm", "stop")
    assert answer.usage is not None
    assert answer.usage.reasoning == 4
    assert (answer.id, answer.model) == ("resp_1", "gpt-5-x")
    assert answer.reasoning_parts[0]["value"] == [THOUGHT, MESSAGE]


@pytest.mark.parametrize("fragments", [["{", '"a":1', "}"], ['{"a":1}'], []], ids=["several", "one", "none"])
def test_a_call_is_assembled_from_its_fragments(fragments: list[str]) -> None:
    added = {"type": "response.output_item.added", "output_index": 1, "item": {**CALL, "arguments": ""}}
    deltas = [
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": piece} for piece in fragments
    ]
    done = {"type": "response.output_item.done", "output_index": 1, "item": CALL}
    answer = streamed(CREATED, added, *deltas, done, completed(CALL))
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [("call_1", "add", '{"a":1}')]


def test_a_stream_that_only_closes_an_item_has_its_call() -> None:
    done = {"type": "response.output_item.done", "output_index": 0, "item": CALL}
    assert streamed(CREATED, done, completed(CALL)).tool_calls[0].arguments == '{"a":1}'


def test_an_answer_that_the_end_does_not_repeat_is_kept() -> None:
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**THOUGHT, "summary": []}}
    done = [{"type": "response.output_item.done", "output_index": n, "item": x} for n, x in enumerate([THOUGHT, CALL])]
    answer = streamed(CREATED, added, *done, completed())
    assert (answer.finish_reason, [call.id for call in answer.tool_calls]) == ("tool_calls", ["call_1"])
    assert answer.reasoning_parts[0]["value"] == [THOUGHT, CALL]


def test_an_answer_that_comes_at_the_end_alone_is_read() -> None:
    answer = streamed(CREATED, completed(THOUGHT, MESSAGE, CALL))
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("hello", "hm", "tool_calls")
    assert [(call.id, call.arguments) for call in answer.tool_calls] == [("call_1", '{"a":1}')]


def test_arguments_that_are_an_object_become_text() -> None:
    assert answered(output=[{**CALL, "arguments": {"a": 1}}]).tool_calls[0].arguments == '{"a":1}'


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([CREATED, TEXT], errors.StreamTruncated),
        ([CREATED], errors.StreamTruncated),
        ([{"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}], errors.RateLimitError),
        ([CREATED, TEXT, {"type": "response.failed", "response": {"error": {"code": "server_error"}}}], errors.HBError),
        ([CREATED, {"type": "response.output_text.delta", "delta": 5}], errors.ResponseShapeError),
        ([{"no": "type"}], errors.ResponseShapeError),
        ([CREATED, {"type": "response.completed", "response": None}], errors.ResponseShapeError),
    ],
)
@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_a_stream_without_its_end_is_an_error(mode: str, events: list[dict[str, Any]], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        streamed(*events, mode=mode)


def test_it_is_installed_as_a_gateway() -> None:
    import heavenbase as hb

    spec = hb.LLM(model="gpt-4o-mini", provider="openai", gateway="responses", api_key="k").spec
    assert (spec.gateway, spec.requested_gateway) == ("responses", "responses")


ITEMS = [
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": None},
    {"type": "mcp_list_tools", "id": "mcp_1", "server_label": "s", "tools": []},
    {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "container_id": "c", "outputs": None},
    {"type": "tool_search_call", "id": "ts_1"},
    {"type": "something_new", "id": "new_1"},
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item["type"]))
def test_b11_items_of_the_provider_go_back_verbatim(item: dict[str, Any]) -> None:
    whole = {"id": "resp_1", "status": "completed", "output": [item, MESSAGE], "usage": USAGE}
    streaming = streamed(
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "hello"},
        {"type": "response.completed", "response": whole},
    )
    for answer in (answered(output=[item, MESSAGE]), streaming):
        assert answer.text == "hello"
        assert sent(messages=[USER, answer.message, USER])["input"][1:3] == [item, MESSAGE]
        edited = {**answer.message, "content": "bye"}
        assert sent(messages=[USER, edited, USER])["input"][1:3] == [item, {"role": "assistant", "content": "bye"}]


def test_b11_thoughts_that_nobody_stored_go_back_only_encrypted() -> None:
    sealed = {**THOUGHT, "encrypted_content": "x"}
    for thought, expected in ((sealed, [sealed, CALL]), (THOUGHT, [{n: v for n, v in CALL.items() if n != "id"}])):
        answer = answered(output=[thought, CALL])
        messages = [USER, answer.message, {"role": "tool", "tool_call_id": "call_1", "content": "2"}]
        assert sent(messages=messages, store=False)["input"][1:-1] == expected


def test_b12_annotations_and_logprobs_of_every_text() -> None:
    cited = {"type": "url_citation", "start_index": 1, "end_index": 2, "url": "https://a.example", "title": "A"}
    filed = {"type": "file_citation", "index": 2, "file_id": "file_1", "filename": "a.txt"}
    likely = [{"token": "lo", "logprob": -1.0, "bytes": [108, 111], "top_logprobs": []}]
    first = {"type": "output_text", "text": "hel", "annotations": [], "logprobs": []}
    second = {"type": "output_text", "text": "lo", "annotations": [cited, filed], "logprobs": likely}
    message = {**MESSAGE, "content": [first, second]}
    whole = {"id": "resp_1", "status": "completed", "output": [message], "usage": USAGE}
    streaming = streamed(
        {"type": "response.output_text.delta", "output_index": 0, "delta": "hel"},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "lo", "logprobs": likely},
        {"type": "response.completed", "response": whole},
    )
    for answer in (answered(output=[message]), streaming):
        assert answer.citations == [
            Citation(4, 5, title="A", url="https://a.example"),
            Citation(5, 5, kind="file", id="file_1", title="a.txt"),
        ]
        assert [(it.token, it.logprob) for it in answer.logprobs] == [("lo", -1.0)]
