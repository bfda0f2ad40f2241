"""Errors, keys, addresses, and what callers pass: what goes wrong, and whose credential goes where."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import hb_llmgate
import heavenbase
from hb_llmgate.exceptions import (
    AuthError,
    InvalidRequestError,
    ProviderAPIError,
    RateLimitError,
)
from hb_llmgate.types import CompletionRequest
from hb_testing.server import LoopbackServer, Reply

from .support import EVERY, USER, WEATHER, Caller, Row, addresses, ask, keys, make_kernel

STATUSES = [(401, AuthError), (403, AuthError), (429, RateLimitError), (400, ProviderAPIError), (500, ProviderAPIError)]


@EVERY
@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize("verb", ["completion", "stream", "embed"])
def test_g24_a_status_is_an_error_of_its_class_and_one_request(
    row: Row, caller: Caller, server: LoopbackServer, status: int, kind: type[Exception], verb: str
) -> None:
    if verb == "embed" and not row.embedding:
        return
    server.reply("no", status=status, headers={"retry-after": "7"} if status == 429 else {})
    with pytest.raises(kind) as caught:
        getattr(caller, verb)(row.embedding if verb == "embed" else row.model)
    error: Any = caught.value
    assert type(error) is kind
    assert (error.provider, error.status_code) == (row.name, status)
    assert error.retry_after == (7.0 if status == 429 else None)
    assert row.key not in f"{error!s}{error!r}"
    assert len(server.requests) == 1


def test_g24_no_quota_counts_as_a_rate_limit_that_is_not_asked_again(caller: Caller, server: LoopbackServer) -> None:
    server.reply("you have no credit", status=402)
    with pytest.raises(RateLimitError) as caught:
        caller.completion("gpt-4o-mini")
    assert not caught.value.retryable


def test_g24_a_server_that_is_not_there_is_a_provider_api_error_without_status(
    caller_of: Callable[..., Caller],
) -> None:
    caller = caller_of({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "k"})
    with pytest.raises(ProviderAPIError) as caught:
        caller.completion("gpt-4o-mini")
    assert caught.value.status_code is None


@pytest.mark.parametrize("name", sorted(set(hb_llmgate.exceptions.__all__) - {"DEFAULT_FALLBACK_ON"}))
def test_g24_every_error_can_be_pickled(name: str) -> None:
    kind = getattr(hb_llmgate.exceptions, name)
    made = {
        "ModelNotFoundError": lambda: kind("x-1"),
        "BatchTimeoutError": lambda: kind(3, 1.5),
        "AllProvidersFailedError": lambda: kind([("gpt-4o", RateLimitError("slow", "openai", 429, retry_after=2.0))]),
    }.get(name, lambda: kind("what", "openai"))()
    again = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert type(again) is kind
    assert str(again) == str(made)
    for field in ("provider", "model", "status", "index", "timeout", "retryable", "refused"):
        assert getattr(again, field, None) == getattr(made, field, None)
    assert [(model, str(error)) for model, error in getattr(again, "errors", [])] == [
        (model, str(error)) for model, error in getattr(made, "errors", [])
    ]


# Keys and addresses


@EVERY
def test_g25_a_missing_key_names_its_variable_and_sends_nothing(
    row: Row, server: LoopbackServer, caller_of: Callable[..., Caller]
) -> None:
    if row.name in ("bedrock", "ollama"):
        return
    caller = caller_of(addresses(server))
    with pytest.raises(AuthError, match=row.variable):
        caller.completion(row.model)
    assert server.requests == []


@EVERY
def test_g25_api_key_wins_over_the_variable(row: Row, caller: Caller, server: LoopbackServer) -> None:
    caller.completion(row.model, api_key="my-own-key-9876")
    shown = json.dumps([server.requests[0].path, dict(server.requests[0].headers)])
    assert "my-own-key-9876" in shown
    assert row.key not in shown


@pytest.mark.parametrize("verb", ["completion", "stream", "embed"])
def test_g25_a_key_for_what_is_no_provider_is_refused(caller: Caller, server: LoopbackServer, verb: str) -> None:
    for keys_by_name in ({"opnai": "my-own-key-9876"}, {"openai": "my-own-key-9876", 5: "x"}):
        with pytest.raises(InvalidRequestError, match="no provider") as caught:
            ask(caller, verb, api_key=keys_by_name)
        assert "my-own-key" not in str(caught.value)
    assert server.requests == []
    ask(caller, verb, api_key={"openai": "my-own-key-9876", "deepseek": "another"})
    assert server.requests[0].bearer == "my-own-key-9876"


def test_g25_address_limit_and_headers_of_one_call(server: LoopbackServer, caller_of: Callable[..., Caller]) -> None:
    caller = caller_of({"OPENAI_API_KEY": "k-env"})
    answer = caller.completion(
        "gpt-4o-mini", base_url=server.url("openai"), headers={"X-Team": "blue"}, timeout=5.0, api_key=None
    )
    assert answer.provider == "openai"
    assert server.requests[0].headers["x-team"] == "blue"
    server.reply("late", delay=0.5)
    with pytest.raises(ProviderAPIError):
        caller.completion("gpt-4o-mini", base_url=server.url("openai"), timeout=0.05)


def test_g25_other_names_of_variables(server: LoopbackServer, caller_of: Callable[..., Caller]) -> None:
    caller = caller_of({"GOOGLE_API_KEY": "k-google", "GEMINI_BASE_URL": server.url("gemini")})
    caller.completion("gemini-2.5-flash-lite")
    assert "k-google" in json.dumps([server.requests[0].path, dict(server.requests[0].headers)])


def test_g25_a_key_that_changes_is_picked_up(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
    for key in ("first-key-1234", "second-key-1234"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        hb_llmgate.completion("gpt-4o-mini", USER)
    assert [request.bearer for request in server.requests] == ["first-key-1234", "second-key-1234"]


def test_g26_four_event_loops_send_four_requests(server: LoopbackServer) -> None:
    import asyncio

    with make_kernel({**addresses(server), **keys()}) as kernel:
        for _ in range(4):
            assert asyncio.run(hb_llmgate.acompletion("gpt-4o-mini", USER, kernel=kernel)).text
        asyncio.run(kernel.aclose())
    assert len(server.requests) == 4


@pytest.mark.parametrize("stack", [[], [hb_llmgate.RetryMiddleware(), hb_llmgate.LoggingMiddleware()]])
def test_g26_functions_as_tools_run_in_rounds(caller: Caller, server: LoopbackServer, stack: list[Any]) -> None:
    def get_weather(city: str) -> str:
        """Get current weather for a city."""
        return f"sunny in {city}"

    counted = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    for way in ("completion", "stream"):
        server.clear()
        server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}], usage=counted)
        server.reply("It is sunny.", usage=counted)
        answer = getattr(caller, way)("gpt-4o-mini", tools=[get_weather], max_tool_turns=3, middleware=stack)
        assert "sunny in Köln" in json.dumps(server.requests[1].json, ensure_ascii=False)
        if way == "completion":
            assert (answer.text, answer.tool_calls, answer.usage.total_tokens) == ("It is sunny.", [], 24)
        else:
            assert "".join(chunk.delta for chunk in answer) == "It is sunny."
            assert (answer[-1].finish_reason, answer[-1].tool_calls) == ("stop", None)
            assert [chunk.usage.total_tokens for chunk in answer if chunk.usage] == [24]
            assert not any(chunk.finish_reason or chunk.tool_calls for chunk in answer[:-1])


@pytest.mark.parametrize("stack", [[], [hb_llmgate.RetryMiddleware(), hb_llmgate.LoggingMiddleware()]])
def test_g26_rounds_of_tools_have_a_limit_behind_which_a_call_waits(
    caller: Caller, server: LoopbackServer, stack: list[Any]
) -> None:
    def get_weather(city: str) -> str:
        """Get current weather for a city."""
        return f"sunny in {city}"

    counted = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    for way in ("completion", "stream"):
        server.clear()
        for place in ("Köln", "Bonn", "Ulm"):
            server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": place}}], usage=counted)
        answer = getattr(caller, way)("gpt-4o-mini", tools=[get_weather], max_tool_turns=2, middleware=stack)
        assert len(server.requests) == 3
        last = answer[-1] if way == "stream" else answer
        assert [call.arguments for call in last.tool_calls] == [{"city": "Ulm"}]
        finish = last.finish_reason if way == "stream" else last.choices[0].finish_reason
        assert (finish, last.usage.total_tokens) == ("tool_calls", 36)
        if way == "stream":
            assert [chunk for chunk in answer if chunk.finish_reason or chunk.usage or chunk.tool_calls] == [last]
            assert len([chunk for chunk in answer for delta in chunk.tool_call_deltas or () if delta.function]) == 3


def test_g26_tokens_are_counted_and_templates_filled_in_without_a_request(
    caller: Caller, server: LoopbackServer
) -> None:
    llm = heavenbase.LLM(model="llama-3.1-8b-instant", provider="groq", kernel=caller.kernel)
    count = llm.count_tokens(USER)
    assert (count.method, count.tokens > 0, server.requests) == ("estimate", True, [])
    template = heavenbase.PromptTemplate("Say {{ what }}.", system="Be brief.")
    assert caller.completion("gpt-4o-mini", template(what="hello")).text
    sent = [(message["role"], message["content"]) for message in server.requests[0].json["messages"]]
    assert sent == [("system", "Be brief."), ("user", "Say hello.")]


# What callers pass


def test_nothing_is_sent_that_nobody_asked_for(caller: Caller, server: LoopbackServer) -> None:
    caller.completion("gpt-4o-mini")
    assert set(server.requests[0].json) == {"model", "messages"}
    caller.completion("gpt-4o-mini", temperature=0.5, top_p=0.9, max_tokens=9, seed=7, stop=["x"])
    sent = server.requests[1].json
    assert (sent["temperature"], sent["top_p"], sent["seed"], sent["stop"]) == (0.5, 0.9, 7, ["x"])
    assert sent["max_completion_tokens"] == 9


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 3},
        {"top_p": 2},
        {"max_tokens": 0},
        {"temprature": 1},
        {"tool_choice": "nothing", "tools": [WEATHER]},
        {"stream_fallback_mode": "again"},
        {"fallback_on": ("RateLimitError",)},
        {"middleware": ["retry"]},
        {"middleware": [hb_llmgate.RetryMiddleware]},
    ],
    ids=repr,
)
def test_a_mistake_is_told_before_anything_is_sent(caller: Caller, server: LoopbackServer, given: Any) -> None:
    with pytest.raises(InvalidRequestError):
        caller.completion("gpt-4o-mini", **given)
    assert server.requests == []


@pytest.mark.parametrize("messages", [[], [{"role": "usr", "content": "hi"}], [{"content": "hi"}], [5], None])
def test_messages_that_are_none_are_refused(caller: Caller, server: LoopbackServer, messages: Any) -> None:
    with pytest.raises(InvalidRequestError):
        caller.completion("gpt-4o-mini", messages)
    assert server.requests == []


def test_a_request_shows_no_credential_and_takes_none_into_a_pickle() -> None:
    request = CompletionRequest(
        model="gpt-4o", messages=USER, api_key="canary-key-1234", headers={"x-k": "canary-2"}, seed=1
    )
    assert "canary" not in repr(request)
    data = pickle.dumps(request)
    assert b"canary" not in data
    assert pickle.loads(data).extra_kwargs == {"seed": 1}  # noqa: S301


def test_a_request_shows_no_credential_in_json() -> None:
    def tool(city: str) -> str:
        """A function."""
        return city

    request = CompletionRequest(
        model="gpt-4o",
        messages=USER,
        api_key="canary-key-1234",
        headers={"x-k": "canary-2"},
        seed=1,
        tools=[tool],
        response_format=dict,
    )
    request.extra_kwargs["auth_token"] = "canary-3"
    shown = request.model_dump_json()
    assert "canary" not in shown
    assert json.loads(shown)["extra_kwargs"]["seed"] == 1
    assert request.model_copy().extra_kwargs["api_key"] == "canary-key-1234"


def test_a_batch_with_objects_in_its_requests_is_json(caller: Caller, server: LoopbackServer) -> None:
    server.script(lambda _: Reply("no", status=400))
    given = {
        "model": "gpt-4o-mini",
        "messages": USER,
        "middleware": [hb_llmgate.RetryMiddleware()],
        "extra_kwargs": {"api_key": "canary-key-1"},
    }
    shown = caller.batch([given, CompletionRequest(model="gpt-4o", messages=USER, api_key="canary-2")])
    text = shown.model_dump_json()
    assert "canary" not in text
    assert "RetryMiddleware" in text
    assert json.loads(text)["errors"][0]["request"]["model"] == "gpt-4o-mini"
