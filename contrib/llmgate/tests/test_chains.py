"""Several models for one call: which error goes on, what travels, what is told, and how a stream goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import hb_llmgate
from hb_llmgate import BaseMiddleware, FallbackMiddleware, LLMGate, LoggingMiddleware, RetryMiddleware
from hb_llmgate.exceptions import (
    DEFAULT_FALLBACK_ON,
    AllProvidersFailedError,
    AuthError,
    InvalidRequestError,
    ModelNotFoundError,
    ProviderAPIError,
    RateLimitError,
)
from hb_llmgate.types import CompletionRequest
from hb_testing.server import LoopbackServer, RecordedRequest, Reply
from heavenbase.errors import FallbackWarning

from .support import BY_NAME, EVERY, ROWS, USER, WEATHER, Caller, Clock, Row, addresses, keys, provider_of

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning")
CHAIN = ["gpt-4o-mini", "groq/llama-3.1-8b-instant", "gemini-2.5-flash-lite"]
WAYS = pytest.mark.parametrize("way", ["completion", "stream"])
Callers = Callable[..., Caller]


def failing(status: int, *names: str, **fields: Any) -> Callable[[RecordedRequest], Reply | None]:
    """A script in which these providers fail."""
    return lambda request: Reply("no", status=status, **fields) if provider_of(request) in names else Reply("yes")


def head(answer: Any) -> Any:
    """The answer, or the first chunk."""
    return answer[0] if isinstance(answer, list) else answer


def asked(server: LoopbackServer) -> list[str]:
    """The providers that were asked, in order."""
    return [provider_of(request) for request in server.requests]


@WAYS
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_g17_the_next_model_is_asked_after_the_errors_of_the_page(
    server: LoopbackServer, caller_of: Callers, way: str, status: int
) -> None:
    server.script(failing(status, "openai", "groq"))
    answer = getattr(caller_of(), way)(CHAIN)
    assert asked(server) == ["openai", "groq", "gemini"]
    first = head(answer)
    assert (first.provider, first.model) == ("gemini", CHAIN[2])
    assert first.fallback_attempts == CHAIN[:2]


@WAYS
def test_g17_a_healthy_first_model_answers_alone(server: LoopbackServer, caller_of: Callers, way: str) -> None:
    first = head(getattr(caller_of(), way)(CHAIN))
    assert (asked(server), first.provider, first.fallback_attempts) == (["openai"], "openai", [])


@WAYS
@pytest.mark.parametrize("status", [400, 413, 422])
def test_g17_a_refused_request_goes_no_further_unless_it_is_named(
    server: LoopbackServer, caller_of: Callers, way: str, status: int
) -> None:
    caller = caller_of()
    server.script(failing(status, "openai"))
    for default in ({}, {"fallback_on": DEFAULT_FALLBACK_ON}, {"fallback_on": None}):
        server.recorder.requests.clear()
        with pytest.raises(ProviderAPIError) as caught:
            getattr(caller, way)(CHAIN, **default)
        assert caught.value.status_code == status
        assert asked(server) == ["openai"]
    server.recorder.requests.clear()
    named = getattr(caller, way)(CHAIN, fallback_on=(RateLimitError, ProviderAPIError, AuthError))
    assert head(named).provider == "groq"


@WAYS
def test_g17_only_what_is_named_goes_on(server: LoopbackServer, caller_of: Callers, way: str) -> None:
    server.script(failing(401, "openai"))
    with pytest.raises(AuthError):
        getattr(caller_of(), way)(CHAIN, fallback_on=(RateLimitError,))
    assert asked(server) == ["openai"]
    server.clear()
    server.script(failing(429, "openai"))
    assert head(getattr(caller_of(), way)(CHAIN, fallback_on=RateLimitError)).provider == "groq"


@WAYS
@pytest.mark.parametrize("chain", [CHAIN, CHAIN[:1]], ids=["three", "one"])
def test_g17_all_failures_are_told_in_order(
    server: LoopbackServer, caller_of: Callers, way: str, chain: list[str]
) -> None:
    statuses = {"openai": 429, "groq": 401, "gemini": 500}
    server.script(lambda request: Reply("no", status=statuses[provider_of(request)]))
    with pytest.raises(AllProvidersFailedError) as caught:
        getattr(caller_of(), way)(chain)
    errors = caught.value.errors
    assert [model for model, _ in errors] == chain
    assert [type(error) for _, error in errors] == [RateLimitError, AuthError, ProviderAPIError][: len(chain)]
    assert all(model in str(caught.value) for model in chain)
    assert len(server.requests) == len(chain)


@WAYS
def test_g17_each_provider_gets_its_own_key_alone(server: LoopbackServer, caller_of: Callers, way: str) -> None:
    server.script(lambda _: Reply("no", status=429))
    caller = caller_of()
    models = [row.model for row in ROWS]
    with pytest.raises(AllProvidersFailedError):
        getattr(caller, way)(models, api_key="key-of-the-caller-77", headers={"X-Team": "blue"})
    assert asked(server) == [row.name for row in ROWS]
    for row, request in zip(ROWS, server.requests, strict=True):
        shown = json.dumps([request.path, dict(request.headers), str(request.json)])
        own = "key-of-the-caller-77" if row.name == "openai" else row.key
        assert own in shown
        assert ("blue" in shown) is (row.name == "openai")
        others = {other.key for other in ROWS} | {"key-of-the-caller-77"}
        assert not [key for key in others - {own} if key in shown]


@WAYS
def test_g17_keys_by_provider_each_reach_theirs(server: LoopbackServer, caller_of: Callers, way: str) -> None:
    server.script(failing(429, "openai"))
    given = {"openai": "key-one-111111", "groq": "key-two-222222", "gemini": None}
    getattr(caller_of(addresses(server)), way)(CHAIN, api_key=given)
    assert [request.bearer for request in server.requests] == ["key-one-111111", "key-two-222222"]
    getattr(caller_of(addresses(server)), way)(CHAIN[1], api_key=given)
    assert server.requests[-1].bearer == "key-two-222222"


@WAYS
def test_g17_extras_stay_with_the_first_provider(server: LoopbackServer, caller_of: Callers, way: str) -> None:
    server.script(failing(429, "openai"))
    answer = getattr(caller_of(), way)(CHAIN, extra_headers={"X-Extra": "blue"})
    assert head(answer).provider == "groq"
    assert [request.headers.get("x-extra") for request in server.requests] == ["blue", None]


@WAYS
def test_g17_a_missing_key_of_a_later_model_is_nobodys_business(
    server: LoopbackServer, caller_of: Callers, way: str
) -> None:
    caller = caller_of({**addresses(server), "OPENAI_API_KEY": "k-openai-111"})
    assert head(getattr(caller, way)(CHAIN)).provider == "openai"


@WAYS
def test_g17_g19_a_missing_key_of_the_first_model_goes_on(server: LoopbackServer, caller_of: Callers, way: str) -> None:
    caller = caller_of({**addresses(server), "GEMINI_API_KEY": "k-gemini-1"})
    first = head(getattr(caller, way)(CHAIN))
    assert (first.provider, first.fallback_attempts) == ("gemini", CHAIN[:2])
    assert asked(server) == ["gemini"]


@pytest.mark.parametrize(
    ("model", "options", "kind"),
    [
        ([], {}, InvalidRequestError),
        (CHAIN, {"provider": "openai"}, InvalidRequestError),
        ([*CHAIN, "nothing-known"], {}, ModelNotFoundError),
        ([*CHAIN, 5], {}, InvalidRequestError),
        (CHAIN, {"fallback_on": 5}, InvalidRequestError),
    ],
    ids=repr,
)
def test_g17_a_chain_that_is_none_is_refused(
    caller: Caller, server: LoopbackServer, model: Any, options: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        caller.completion(model, **options)
    assert server.requests == []


def test_g17_a_form_that_is_missed_goes_on_too(server: LoopbackServer, caller_of: Callers) -> None:
    from pydantic import BaseModel

    class Movie(BaseModel):
        title: str

    good = '{"title": "Solaris"}'
    server.script(lambda request: Reply("nothing" if provider_of(request) == "openai" else good))
    assert caller_of().parse(CHAIN, response_format=Movie).title == "Solaris"


@pytest.mark.parametrize("stack", [[], [LoggingMiddleware()]], ids=["bare", "logged"])
def test_g05_g17_arguments_that_cannot_be_read_go_on_too(
    server: LoopbackServer, caller_of: Callers, stack: list[Any]
) -> None:
    server.reply(tool_calls=[{"name": "get_weather", "arguments": '{"city": "K'}], finish_reason="length")
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    answer = caller_of().completion(CHAIN, tools=[WEATHER], middleware=stack)
    assert (asked(server), answer.tool_calls[0].arguments) == (["openai", "groq"], {"city": "Köln"})
    assert answer.fallback_attempts == CHAIN[:1]
    assert answer.raw["choices"]


class Picky(BaseMiddleware):
    """Raises for some models, before anything is sent."""

    def __init__(self, error: Exception, *models: str) -> None:
        self.error = error
        self.models = models

    def handle(self, request: Any, call_next: Any) -> Any:
        """Raise, or go on."""
        if request.model in self.models:
            raise self.error
        return call_next(request)


@WAYS
@pytest.mark.parametrize("named", [(ValueError,), (LookupError, ValueError), ValueError, (Exception,)], ids=repr)
def test_g17_what_a_middleware_raises_goes_on_where_it_is_named(
    server: LoopbackServer, caller_of: Callers, way: str, named: Any
) -> None:
    error = ValueError("not this one")
    answer = getattr(caller_of(), way)(CHAIN, middleware=[Picky(error, *CHAIN[:2])], fallback_on=named)
    assert (asked(server), head(answer).fallback_attempts) == (["gemini"], CHAIN[:2])
    for chain in (CHAIN, CHAIN[:1]):
        with pytest.raises(AllProvidersFailedError) as caught:
            getattr(caller_of(), way)(chain, middleware=[Picky(error, *CHAIN)], fallback_on=named)
        assert caught.value.errors == [(model, error) for model in chain]
    gate = LLMGate(middleware=[FallbackMiddleware(CHAIN[1:], fallback_on=named), Picky(error, CHAIN[0])])
    caller = caller_of()
    assert head(caller.of(gate, way, CHAIN[0], USER, kernel=caller.kernel)).provider == "groq"


@WAYS
@pytest.mark.parametrize("error", [ValueError("no"), InvalidRequestError("no"), RateLimitError("no", "me", 429)])
def test_g17_what_a_middleware_raises_is_raised_as_it_is_where_it_is_not_named(
    server: LoopbackServer, caller_of: Callers, way: str, error: Exception
) -> None:
    cause = error.__cause__ = KeyError("why")
    for chain in (CHAIN, CHAIN[0]):
        with pytest.raises(type(error)) as caught:
            getattr(caller_of(), way)(chain, middleware=[Picky(error, CHAIN[0])], fallback_on=(AuthError,))
        assert caught.value is error
        assert caught.value.__cause__ is cause
    assert server.requests == []


@WAYS
def test_g17_a_model_that_is_listed_twice_is_told_by_its_place(
    server: LoopbackServer, caller_of: Callers, way: str
) -> None:
    for status in (429, 429):
        server.reply("no", status=status)
    server.reply("yes")
    chain = [CHAIN[0], CHAIN[1], CHAIN[0]]
    first = head(getattr(caller_of(), way)(chain))
    assert asked(server) == ["openai", "groq", "openai"]
    assert (first.model, first.fallback_attempts) == (CHAIN[0], chain[:2])


@WAYS
@pytest.mark.parametrize("place", ["call", "gate"])
@pytest.mark.parametrize("more", [[], [LoggingMiddleware()]], ids=["alone", "logged"])
def test_g20_provider_counts_for_the_first_model_before_a_fallback(
    server: LoopbackServer, caller_of: Callers, way: str, place: str, more: list[Any]
) -> None:
    server.script(failing(429, "azure"))
    caller = caller_of()
    stack = [FallbackMiddleware(["groq/x", "gpt-4o-mini"]), *more]
    given: dict[str, Any] = {"provider": "azure", "api_key": "key-of-azure-alone-1", "middleware": stack}
    if place == "call":
        answer = getattr(caller, way)("gpt-4o-mini", **given)
    else:
        answer = caller.of(LLMGate(**given, kernel=caller.kernel), way, "gpt-4o-mini", USER)
    assert (head(answer).provider, asked(server)) == ("groq", ["azure", "groq"])
    shown = [json.dumps([request.path, dict(request.headers)]) for request in server.requests]
    assert ["key-of-azure-alone-1" in each for each in shown] == [True, False]


# A gate


def test_g18_a_gate_needs_no_model_and_puts_its_middlewares_around_each(
    server: LoopbackServer, caller_of: Callers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="llmgate")
    caller = caller_of(**clock.options)
    stack = [RetryMiddleware(max_retries=2), LoggingMiddleware()]
    gate = LLMGate(fallback_chain=CHAIN, middleware=stack, kernel=caller.kernel)
    for way in ("completion", "stream"):
        server.clear()
        caplog.clear()
        server.script(failing(503, "openai"))
        first = head(caller.of(gate, way, messages=USER))
        assert (first.provider, first.fallback_attempts) == ("groq", CHAIN[:1])
        assert asked(server) == ["openai"] * 3 + ["groq"]
        lines = [record.getMessage().split()[0] for record in caplog.records if record.name == "llmgate"]
        assert lines == ["request", "error"] * 3 + ["request", "response"]


def test_g18_a_gates_defaults_count_everywhere(server: LoopbackServer, caller_of: Callers) -> None:
    caller = caller_of({**addresses(server), "GROQ_API_KEY": "key-of-groq-0123456789"})
    gate = LLMGate(fallback_chain=CHAIN, api_key="key-of-the-gate-1", temperature=0.25, kernel=caller.kernel)
    caller.of(gate, "completion", messages=USER)
    caller.of(gate, "stream", messages=USER)
    found = caller.of(gate, "batch", [{"messages": USER}, {"messages": USER, "temperature": 0.5}], max_concurrency=1)
    assert found.failed == 0
    caller.of(gate, "embed", "text-embedding-3-small", "hi")
    assert [request.bearer for request in server.requests] == ["key-of-the-gate-1"] * 5
    assert [request.json.get("temperature") for request in server.requests] == [0.25, 0.25, 0.25, 0.5, None]
    assert "key-of-the-gate" not in repr(gate)
    caller.of(gate, "completion", "groq/llama-3.1-8b-instant", USER)
    assert server.requests[-1].bearer == "key-of-groq-0123456789"


def test_g18_the_key_of_a_gate_belongs_to_the_provider_that_it_asks_first(
    server: LoopbackServer, caller_of: Callers
) -> None:
    caller = caller_of()
    gate = LLMGate(api_key="key-of-the-gate-1", kernel=caller.kernel)
    caller.of(gate, "completion", "groq/llama-3.1-8b-instant", USER)
    caller.of(gate, "completion", "gpt-4o-mini", USER)
    caller.of(gate, "batch", [{"model": "groq/llama-3.1-8b-instant", "messages": USER}])
    assert [request.bearer for request in server.requests] == [
        "key-of-the-gate-1",
        BY_NAME["openai"].key,
        "key-of-the-gate-1",
    ]


@pytest.mark.parametrize("kind", ["dictionary", "object", "extra"])
def test_g18_a_batch_keeps_the_key_of_a_gate_from_other_providers(
    server: LoopbackServer, caller_of: Callers, kind: str
) -> None:
    caller = caller_of()
    gate = LLMGate(api_key="key-of-the-gate-1", kernel=caller.kernel)
    caller.of(gate, "completion", "gpt-4o-mini", USER)
    given: Any = {"model": "some-model", "messages": USER, "provider": "groq"}
    if kind == "object":
        given = CompletionRequest(**given)
    elif kind == "extra":
        given = CompletionRequest(model="gpt-4o-mini", messages=USER, extra_kwargs={})
        given.extra_kwargs["provider"] = "groq"
    assert caller.of(gate, "batch", [given]).failed == 0
    assert [request.bearer for request in server.requests] == ["key-of-the-gate-1", BY_NAME["groq"].key]


def test_g18_a_call_that_is_refused_does_not_bind_the_key_of_a_gate(server: LoopbackServer, caller_of: Callers) -> None:
    caller = caller_of()
    gate = LLMGate(api_key="key-of-the-gate-1", kernel=caller.kernel)
    with pytest.raises(InvalidRequestError):
        caller.of(gate, "completion", "groq/x", USER, temperature=99)
    unread = gate.stream("groq/x", USER)
    caller.of(gate, "stream", "gpt-4o-mini", USER)
    list(unread)
    assert [request.bearer for request in server.requests] == ["key-of-the-gate-1", BY_NAME["groq"].key]


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("completion", {"messages": []}),
        ("completion", {"messages": USER, "temprature": 1}),
        ("completion", {"messages": USER, "tools": [5]}),
        ("stream", {"messages": []}),
        ("stream", {"messages": USER, "temprature": 1}),
        ("embed", {"input": "hi", "temprature": 1}),
    ],
    ids=repr,
)
def test_g18_a_call_that_is_refused_behind_its_plan_does_not_bind_the_key_of_a_gate(
    server: LoopbackServer, caller_of: Callers, method: str, given: dict[str, Any]
) -> None:
    caller = caller_of()
    gate = LLMGate(api_key="key-of-the-gate-1", kernel=caller.kernel)
    with pytest.raises(InvalidRequestError):
        caller.of(gate, method, "mistral/some-model", **given)
    assert caller.of(gate, "batch", [{"model": "mistral/some-model", "messages": []}]).failed == 1
    caller.of(gate, "completion", "gpt-4o-mini", USER)
    with pytest.raises(InvalidRequestError):
        caller.of(gate, "completion", "gpt-4o-mini", [])
    caller.of(gate, "completion", "groq/x", USER)
    assert [request.bearer for request in server.requests] == ["key-of-the-gate-1", BY_NAME["groq"].key]


def test_g18_a_call_that_fails_at_its_provider_binds_the_key_of_a_gate(
    server: LoopbackServer, caller_of: Callers
) -> None:
    caller = caller_of()
    gate = LLMGate(api_key="key-of-the-gate-1", kernel=caller.kernel)
    server.script(failing(401, "openai"))
    with pytest.raises(AuthError):
        caller.of(gate, "completion", "gpt-4o-mini", USER)
    caller.of(gate, "completion", "groq/x", USER)
    assert [request.bearer for request in server.requests] == ["key-of-the-gate-1", BY_NAME["groq"].key]


def test_g18_the_key_of_a_gate_belongs_to_its_own_provider_or_its_chain(
    server: LoopbackServer, caller_of: Callers
) -> None:
    caller = caller_of()
    for more in ({"provider": "openai"}, {"fallback_chain": CHAIN}):
        gate = LLMGate(api_key="key-of-the-gate-1", kernel=caller.kernel, **more)
        caller.of(gate, "completion", "groq/x", USER, provider="groq")
    assert [request.bearer for request in server.requests] == [BY_NAME["groq"].key] * 2


def test_g18_the_address_of_a_gate_goes_with_its_key(server: LoopbackServer, caller_of: Callers) -> None:
    caller = caller_of({**addresses(server), **keys(), "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    gate = LLMGate(base_url=server.url("openai"), provider="openai", headers={"X-A": "b"}, kernel=caller.kernel)
    caller.of(gate, "completion", "some-model", USER)
    caller.of(gate, "completion", "groq/llama-3.1-8b-instant", USER, provider="groq")
    found = caller.of(gate, "batch", [{"model": CHAIN[1:], "messages": USER}])
    assert found.errors == []
    assert [(provider_of(it), it.headers.get("x-a")) for it in server.requests] == [
        ("openai", "b"),
        ("groq", None),
        ("groq", None),
    ]


def test_g18_the_model_of_a_call_wins_and_may_be_a_list(server: LoopbackServer, caller_of: Callers) -> None:
    caller = caller_of()
    gate = LLMGate(fallback_chain=CHAIN, fallback_on=(RateLimitError,), kernel=caller.kernel)
    assert caller.of(gate, "completion", "claude-haiku-4-5-20251001", USER).provider == "anthropic"
    server.script(failing(429, "openai"))
    assert caller.of(gate, "completion", ["gpt-4o", "gemini-2.5-flash-lite"], USER).provider == "gemini"
    assert caller.of(gate, "completion", messages=USER).provider == "groq"
    server.script(failing(401, "openai"))
    with pytest.raises(AuthError):
        caller.of(gate, "completion", messages=USER)


def test_g18_a_gate_says_what_it_lacks(caller: Caller, server: LoopbackServer) -> None:
    gate = LLMGate(kernel=caller.kernel)
    for given in ({"messages": USER}, {"model": "gpt-4o"}):
        with pytest.raises(InvalidRequestError):
            caller.of(gate, "completion", **given)
    for wrong in (
        {"fallback_chain": []},
        {"fallback_chain": "gpt-4o"},
        {"model": "gpt-4o"},
        {"stream_fallback_mode": "x"},
    ):
        with pytest.raises(InvalidRequestError):
            LLMGate(**wrong)
    with pytest.raises(ModelNotFoundError):
        LLMGate(fallback_chain=["nothing-known"])
    found = caller.of(gate, "batch", [{"messages": USER}])
    assert [error.error_type for error in found.errors] == ["InvalidRequestError"]
    assert server.requests == []


# Streams that break


def broken(server: LoopbackServer, caller_of: Callers, *, fault: str = "E2.2", **environ: str) -> Caller:
    """A caller whose OpenAI resets every stream after two pieces."""
    return caller_of({**addresses(server), **keys(), "OPENAI_BASE_URL": server.url("openai", fault=fault), **environ})


@pytest.mark.parametrize("stack", [[], [RetryMiddleware(max_retries=1, backoff_factor=0)]], ids=["bare", "retry"])
@pytest.mark.parametrize("first", ["openai", "groq"])
def test_g19_restart_asks_the_next_model_the_same(
    server: LoopbackServer, caller_of: Callers, first: str, stack: list[Any]
) -> None:
    row = BY_NAME[first]
    caller = caller_of({**addresses(server), **keys(), row.address: server.url(row.name, fault="E2.2")})
    chunks = caller.stream([row.model, "gemini-2.5-flash-lite"], middleware=stack)
    before = [chunk for chunk in chunks if chunk.provider == first]
    after = [chunk for chunk in chunks if chunk.provider == "gemini"]
    assert "".join(chunk.delta for chunk in before) != ""
    assert (before[0].fallback_attempts, before[0].resumed_from_partial) == ([], False)
    assert (after[0].fallback_attempts, after[0].resumed_from_partial) == ([row.model], True)
    assert not any(chunk.resumed_from_partial or chunk.fallback_attempts for chunk in after[1:])
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens > 0
    assert len(server.requests) == 2
    assert [part["text"] for part in server.requests[1].json["contents"][-1]["parts"]] == ["hi"]


@pytest.mark.parametrize("prompt", [None, "Go on!"])
@pytest.mark.parametrize("way", ["function", "gate"])
def test_g19_user_turn_tells_the_next_model_what_there_is(
    server: LoopbackServer, caller_of: Callers, way: str, prompt: str | None
) -> None:
    caller = broken(server, caller_of)
    how = {"stream_fallback_mode": "user_turn", "stream_resume_prompt": prompt}
    if way == "function":
        chunks = caller.stream(CHAIN[:2], **how)
    else:
        gate = LLMGate(fallback_chain=CHAIN[:2], kernel=caller.kernel, **how)
        chunks = caller.of(gate, "stream", messages=USER)
    partial = "".join(chunk.delta for chunk in chunks if chunk.provider == "openai")
    sent = server.requests[1].json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == partial != ""
    assert sent[2]["content"] == prompt or (prompt is None and sent[2]["content"])


@EVERY
@pytest.mark.parametrize("prompt", [None, "Go on!"])
def test_g19_prefill_lets_the_next_model_go_on_where_it_can(
    row: Row, server: LoopbackServer, caller_of: Callers, prompt: str | None
) -> None:
    first = BY_NAME["groq" if row.name == "openai" else "openai"]
    caller = caller_of({**addresses(server), **keys(), first.address: server.url(first.name, fault="E2.2")})
    how = {"stream_fallback_mode": "prefill", "stream_resume_prompt": prompt}
    with pytest.warns(FallbackWarning, match="in the place of") as caught:
        chunks = caller.stream([first.model, row.model], **how)
    partial = "".join(chunk.delta for chunk in chunks if chunk.provider == first.name)
    sent = server.requests[1].json
    turns = sent.get("contents") or sent["messages"]
    assert partial.strip() in json.dumps(turns[1], ensure_ascii=False)
    assert ["assistant" if turn["role"] == "model" else turn["role"] for turn in turns[:2]] == ["user", "assistant"]
    downgrades = [it for it in caught if "does not begin with a given text" in str(it.message)]
    if row.name in ("groq", "mistral", "ollama"):
        assert (len(turns), turns[1]["content"], downgrades) == (2, partial, [])
        assert turns[1].get("prefix") is (True if row.name == "mistral" else None)
    else:
        assert (len(turns), turns[2]["role"], len(downgrades)) == (3, "user", 1)
        assert prompt is None or prompt in json.dumps(turns[2])
    marked = next(chunk for chunk in chunks if chunk.provider == row.name)
    assert (marked.fallback_attempts, marked.resumed_from_partial) == ([first.model], True)


def test_g19_a_break_goes_no_further_where_only_rate_limits_do(server: LoopbackServer, caller_of: Callers) -> None:
    caller = broken(server, caller_of)
    found: list[Any] = []
    with pytest.raises(ProviderAPIError):
        caller.stream_into(found, CHAIN, fallback_on=(RateLimitError,))
    assert "".join(chunk.delta for chunk in found) != ""
    assert len(server.requests) == 1


def test_g19_a_single_model_that_breaks_is_an_error(server: LoopbackServer, caller_of: Callers) -> None:
    caller = broken(server, caller_of)
    found: list[Any] = []
    with pytest.raises(ProviderAPIError) as caught:
        caller.stream_into(found, "gpt-4o-mini", middleware=[RetryMiddleware(max_retries=3)])
    assert caught.value.partial.text == "".join(chunk.delta for chunk in found) != ""
    assert len(server.requests) == 1


def test_g19_one_warning_tells_of_another_model(server: LoopbackServer, caller_of: Callers) -> None:
    server.script(failing(429, "openai"))
    with pytest.warns(UserWarning, match="in the place of"):
        caller_of().completion(CHAIN)
    assert hb_llmgate.__version__
