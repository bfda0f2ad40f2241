"""Middlewares: their order, what a custom one must have, and what each of ours does in every kind of call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hb_llmgate
from hb_llmgate import (
    BaseMiddleware,
    FallbackMiddleware,
    LLMGate,
    LoggingMiddleware,
    RetryMiddleware,
)
from hb_llmgate.exceptions import EmbeddingsNotSupported, InvalidRequestError, RateLimitError
from hb_llmgate.types import Choice, CompletionResponse, Message
from hb_testing.server import LoopbackServer, RecordedRequest, Reply
from heavenbase.errors import LossyRequestWarning

from .support import EVERY, USER, Caller, Clock, Row, ask, provider_of, said

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning")
VERBS = pytest.mark.parametrize("verb", ["completion", "stream", "embed"])


class Noting(BaseMiddleware):
    """Only `handle`: notes when it is entered and left, and what it saw."""

    def __init__(self, name: str = "", log: list[str] | None = None) -> None:
        self.name = name
        self.log = log if log is not None else []
        self.seen: list[CompletionResponse] = []

    def handle(self, request: Any, call_next: Any) -> Any:
        """Note."""
        self.log.append(f"> {self.name}")
        try:
            answer = call_next(request)
        except Exception as error:
            self.log.append(f"! {self.name} {type(error).__name__}")
            raise
        self.log.append(f"< {self.name}")
        self.seen.append(answer)
        return answer


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_the_first_middleware_is_the_outermost(caller: Caller, verb: str) -> None:
    log: list[str] = []
    ask(caller, verb, middleware=[Noting("a", log), Noting("b", log)])
    assert log == ["> a", "> b", "< b", "< a"]


@EVERY
@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_handle_alone_serves_every_kind_of_chat(
    row: Row, caller: Caller, server: LoopbackServer, verb: str
) -> None:
    noting = Noting()
    server.reply("hello", chunks=["hel", "lo"])
    answer = ask(caller, verb, row.model, middleware=[noting])
    assert said(answer) == "hello"
    [seen] = noting.seen
    assert (seen.text, seen.provider, seen.model) == ("hello", row.name, row.model)
    assert seen.choices[0].finish_reason == "stop"
    assert seen.usage.total_tokens > 0
    assert len(server.requests) == 1


def test_g20_chunks_come_one_by_one_through_a_middleware_with_handle_alone(
    server: LoopbackServer, caller: Caller
) -> None:
    if caller.is_async:
        return
    server.reply(chunks=["a", "b", "c"], pause=0.02)
    noting = Noting("a")
    chunks = hb_llmgate.completion("gpt-4o-mini", USER, stream=True, middleware=[noting], kernel=caller.kernel)
    assert next(chunks).delta == "a"
    assert noting.log == ["> a"]
    assert [chunk.delta for chunk in chunks] == ["b", "c", ""]
    assert noting.log == ["> a", "< a"]


def test_g20_leaving_a_stream_early_ends_the_middleware(server: LoopbackServer, caller: Caller) -> None:
    if caller.is_async:
        return
    left = threading.Event()

    class Waiting(BaseMiddleware):
        """Notes that it is left."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Go on."""
            try:
                return call_next(request)
            finally:
                left.set()

    server.reply(chunks=["a"] * 50, pause=0.01)
    chunks = hb_llmgate.completion("gpt-4o-mini", USER, stream=True, middleware=[Waiting()], kernel=caller.kernel)
    next(chunks)
    chunks.close()
    assert left.wait(5)
    server.wait_for(lambda it: it.requests[0].closed_at is not None)


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_a_middleware_sees_the_errors_of_the_page(caller: Caller, server: LoopbackServer, verb: str) -> None:
    server.reply("no", status=429)
    noting = Noting("a")
    with pytest.raises(RateLimitError):
        ask(caller, verb, middleware=[noting])
    assert noting.log == ["> a", "! a RateLimitError"]


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_a_middleware_may_change_the_request(caller: Caller, server: LoopbackServer, verb: str) -> None:
    class Changing(BaseMiddleware):
        """Another model, another conversation, other parameters."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Change everything."""
            system = Message(role="system", content="Be brief.")
            changed = request.model_copy(
                update={
                    "model": "groq/llama-3.1-8b-instant",
                    "messages": [system, *request.messages],
                    "temperature": 0.25,
                    "extra_kwargs": {"seed": 5},
                }
            )
            return call_next(changed)

    answer = ask(caller, verb, middleware=[Changing()], temperature=1.0, api_key="key-of-openai-alone-1")
    [request] = server.requests
    assert provider_of(request) == "groq"
    assert [message["role"] for message in request.json["messages"]] == ["system", "user"]
    assert (request.json["temperature"], request.json["seed"]) == (0.25, 5)
    assert request.bearer == "key-of-groq-0123456789"
    last = answer[-1] if isinstance(answer, list) else answer
    assert last.model == "groq/llama-3.1-8b-instant"


class Moving(BaseMiddleware):
    """Another model, and a header of its own."""

    def handle(self, request: Any, call_next: Any) -> Any:
        """Move."""
        extra = dict(request.extra_kwargs)
        extra["headers"] = {**extra.get("headers", {}), "x-moved": "yes"}
        return call_next(request.model_copy(update={"model": "groq/llama-3.1-8b-instant", "extra_kwargs": extra}))


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_what_a_caller_gave_stays_with_its_provider_when_a_middleware_moves_the_request(
    caller: Caller, server: LoopbackServer, verb: str
) -> None:
    given: dict[str, Any] = {
        "api_key": "canary-key-1",
        "headers": {"x-team": "canary-2"},
        "extra_headers": {"x-more": "canary-3"},
        "extra_body": {"more": "canary-4"},
        "extra_query": {"more": "canary-5"},
        "seed": 7,
    }
    ask(caller, verb, middleware=[Moving()], **given)
    [request] = server.requests
    assert (provider_of(request), request.bearer) == ("groq", "key-of-groq-0123456789")
    assert (request.headers["x-moved"], request.json["seed"]) == ("yes", 7)
    assert "canary" not in f"{request.path} {dict(request.headers)} {request.json}"
    ask(caller, verb, middleware=[Moving()], api_key={"openai": "canary-1", "groq": "key-for-groq-77"})
    assert server.requests[-1].bearer == "key-for-groq-77"


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_a_middleware_that_changes_a_later_model_sends_it_no_foreign_key(
    caller_of: Callable[..., Caller], server: LoopbackServer, verb: str
) -> None:
    class Cooling(BaseMiddleware):
        """Another temperature."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Cool."""
            return call_next(request.model_copy(update={"temperature": 0.0}))

    server.reply("no", status=429)
    chain = ["gpt-4o-mini", "groq/llama-3.1-8b-instant"]
    ask(caller_of(), verb, chain, middleware=[Cooling()], api_key="key-of-openai-alone-1")  # type: ignore[arg-type]
    assert [it.bearer for it in server.requests] == ["key-of-openai-alone-1", "key-of-groq-0123456789"]


class Embedding(BaseMiddleware):
    """Changes a request of vectors, in place or in a copy."""

    def __init__(self, *, in_place: bool, **changes: Any) -> None:
        self.in_place = in_place
        self.changes = changes

    def handle(self, request: Any, call_next: Any) -> Any:
        """Go on."""
        return call_next(request)

    def embed_handle(self, request: Any, call_next: Any) -> Any:
        """Change the request."""
        if self.in_place:
            for name, value in self.changes.items():
                setattr(request, name, value)
            return call_next(request)
        return call_next(request.model_copy(update=self.changes))


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "copied"])
def test_g20_a_middleware_may_change_every_part_of_an_embedding(
    caller: Caller, server: LoopbackServer, in_place: bool
) -> None:
    extra = {"headers": {"x-team": "blue"}}
    changing = Embedding(
        in_place=in_place, input=["one", "two"], dimensions=64, user="me", encoding_format="base64", extra_kwargs=extra
    )
    answer = caller.embed("text-embedding-3-small", "hi", dimensions=128, middleware=[changing])
    [request] = server.requests
    assert request.json["input"] == ["one", "two"]
    assert (request.json["dimensions"], request.json["user"]) == (64, "me")
    assert request.headers["x-team"] == "blue"
    assert [len(vector) for vector in answer.embeddings] == [64, 64]
    assert answer.provider == "openai"
    taking = Embedding(in_place=in_place, dimensions=None)
    caller.embed("text-embedding-3-small", "hi", dimensions=128, middleware=[taking])
    assert "dimensions" not in server.requests[-1].json


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "copied"])
def test_g20_a_middleware_may_move_an_embedding_and_no_key_goes_along(
    caller: Caller, server: LoopbackServer, in_place: bool
) -> None:
    moving = Embedding(in_place=in_place, model="mistral/mistral-embed", input_type="search_query")
    with pytest.warns(LossyRequestWarning, match="mistral does not know it"):
        answer = caller.embed("text-embedding-3-small", api_key="canary-key-1", user="me", middleware=[moving])
    [request] = server.requests
    assert (provider_of(request), request.bearer) == ("mistral", "key-of-mistral-0123456789")
    assert request.json["model"] == "mistral-embed"
    assert {"input_type", "user"}.isdisjoint(request.json)
    assert (answer.provider, answer.model) == ("mistral", "mistral/mistral-embed")
    with pytest.raises(EmbeddingsNotSupported):
        caller.embed("text-embedding-3-small", middleware=[Embedding(in_place=in_place, model="groq/x")])
    assert len(server.requests) == 1


def test_g20_an_embedding_tells_its_provider_through_middlewares(
    caller: Caller, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="llmgate")
    answer = caller.embed("text-embedding-3-small", middleware=[LoggingMiddleware()])
    assert answer.provider == "openai"
    assert caplog.records[-1].__dict__["llmgate"]["provider"] == "openai"


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_a_middleware_may_answer_by_itself(caller: Caller, server: LoopbackServer, verb: str) -> None:
    class Canned(BaseMiddleware):
        """Asks nobody."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Answer."""
            message = Message(role="assistant", content="canned")
            return CompletionResponse(
                model=request.model, provider="nobody", choices=[Choice(message=message, finish_reason="stop")]
            )

    assert said(ask(caller, verb, middleware=[Canned()])) == "canned"
    assert server.requests == []


def test_g20_a_middleware_may_change_an_answer(caller: Caller) -> None:
    class Shouting(BaseMiddleware):
        """Everything in capitals."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Shout."""
            answer = call_next(request)
            answer.choices[0].message.content = answer.text.upper()
            return answer

        def stream_handle(self, request: Any, call_next: Any) -> Iterator[Any]:
            """Shout in pieces."""
            for chunk in call_next(request):
                chunk.delta = chunk.delta.upper()
                yield chunk

    answer = caller.completion("gpt-4o-mini", middleware=[Shouting()])
    assert answer.text == answer.text.upper() != ""
    text = said(caller.stream("gpt-4o-mini", middleware=[Shouting()]))
    assert text == answer.text


def test_g20_methods_of_their_own_are_used(caller: Caller) -> None:
    class Full(BaseMiddleware):
        """Has every method."""

        def __init__(self) -> None:
            self.called: list[str] = []

        def handle(self, request: Any, call_next: Any) -> Any:
            """Note."""
            self.called.append("handle")
            return call_next(request)

        async def ahandle(self, request: Any, call_next: Any) -> Any:
            """Note."""
            self.called.append("ahandle")
            return await call_next(request)

        def stream_handle(self, request: Any, call_next: Any) -> Iterator[Any]:
            """Note."""
            self.called.append("stream_handle")
            yield from call_next(request)

        async def astream_handle(self, request: Any, call_next: Any) -> Any:
            """Note."""
            self.called.append("astream_handle")
            async for chunk in call_next(request):
                yield chunk

        def embed_handle(self, request: Any, call_next: Any) -> Any:
            """Note."""
            self.called.append("embed_handle")
            return call_next(request)

        async def aembed_handle(self, request: Any, call_next: Any) -> Any:
            """Note."""
            self.called.append("aembed_handle")
            return await call_next(request)

    full = Full()
    for verb in ("completion", "stream", "embed"):
        ask(caller, verb, middleware=[full])
    wanted = ["handle", "stream_handle", "embed_handle"]
    assert full.called == [f"a{name}" if caller.is_async else name for name in wanted]


def test_g20_many_nested_handles_at_once_do_not_wait_for_each_other(caller: Caller) -> None:
    log: list[str] = []
    requests = [{"model": "gpt-4o-mini", "messages": USER}] * 40
    found = caller.batch(requests, max_concurrency=40, middleware=[Noting(str(n), log) for n in range(4)])
    assert found.failed == 0
    assert len(log) == 40 * 4 * 2


# Fallback as a middleware


@pytest.mark.parametrize("first", ["retry", "fallback"])
@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_g20_every_model_of_a_fallback_is_retried(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock, first: str, verb: str
) -> None:
    caller = caller_of(**clock.options)

    def script(request: RecordedRequest) -> Reply:
        return Reply("no", status=503) if provider_of(request) != "gemini" else Reply("yes")

    server.script(script)
    stack = [RetryMiddleware(max_retries=2), FallbackMiddleware(["groq/llama-3.1-8b-instant", "gemini-2.5-flash-lite"])]
    gate = LLMGate(middleware=stack if first == "retry" else stack[::-1], kernel=caller.kernel)
    answer = caller.of(gate, verb, "gpt-4o-mini", USER)
    assert said(answer) == "yes"
    assert [provider_of(request) for request in server.requests] == ["openai"] * 3 + ["groq"] * 3 + ["gemini"]
    head = answer[0] if isinstance(answer, list) else answer
    assert head.fallback_attempts == ["gpt-4o-mini", "groq/llama-3.1-8b-instant"]


def test_g20_a_fallback_needs_models() -> None:
    for models in ([], "gpt-4o"):
        with pytest.raises(ValueError, match="models"):
            FallbackMiddleware(models)


def test_g20_ours_can_be_called_by_hand() -> None:
    message = Message(role="assistant", content="yes")
    answer = CompletionResponse(model="m", provider="p", choices=[Choice(message=message, finish_reason="stop")])
    asked: list[str] = []

    def following(request: Any) -> Any:
        asked.append(request.model)
        if request.model != "groq/x":
            raise RateLimitError("no", "openai", 429)
        return answer

    request = hb_llmgate.CompletionRequest(model="gpt-4o", messages=USER)
    found = FallbackMiddleware(["o1", "groq/x"]).handle(request, following)
    assert (found.text, found.fallback_attempts, asked) == ("yes", ["gpt-4o", "o1"], ["gpt-4o", "o1", "groq/x"])


class Wrong(BaseMiddleware):
    """Answers what is no answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def handle(self, request: Any, call_next: Any) -> Any:
        """Answer."""
        return self.answer

    def embed_handle(self, request: Any, call_next: Any) -> Any:
        """Answer."""
        return self.answer


class WrongStream(Wrong):
    """Streams what is no stream."""

    def stream_handle(self, request: Any, call_next: Any) -> Any:
        """Answer."""
        return self.answer


@pytest.mark.parametrize("outer", [[], [LoggingMiddleware()]], ids=["alone", "logged"])
@pytest.mark.parametrize("answer", [None, 5, ["x"]], ids=repr)
@pytest.mark.parametrize("kind", [Wrong, WrongStream])
@VERBS
def test_a_wrong_answer_names_its_middleware(
    caller: Caller, verb: str, kind: type[Wrong], answer: Any, outer: list[BaseMiddleware]
) -> None:
    with pytest.raises(InvalidRequestError, match=kind.__name__):
        ask(caller, verb, middleware=[*outer, kind(answer)])


class InPlace(BaseMiddleware):
    """Changes the request that it got."""

    def handle(self, request: Any, call_next: Any) -> Any:
        """Change it."""
        request.temperature = 0.3
        request.messages[0].content = "changed"
        request.extra_kwargs["seed"] = 7
        return call_next(request)


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_a_request_that_is_changed_in_place_is_sent_so(caller: Caller, server: LoopbackServer, verb: str) -> None:
    mine, more = [Message(role="user", content="hi")], {"stop": ["x"]}
    ask(caller, verb, messages=mine, **more, middleware=[InPlace()])
    body = server.requests[-1].json
    assert (body["temperature"], body["messages"][0]["content"], body["seed"]) == (0.3, "changed", 7)
    assert mine == [Message(role="user", content="hi")]
    assert more == {"stop": ["x"]}


class Blocking(BaseMiddleware):
    """Waits for longer than anybody has time."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def handle(self, request: Any, call_next: Any) -> Any:
        """Wait."""
        self.go_on.wait(5)
        return call_next(request)


@pytest.mark.parametrize("verb", ["completion", "stream"])
def test_an_async_call_ends_at_its_deadline_while_handle_blocks(caller: Caller, verb: str) -> None:
    if not caller.is_async:
        return
    blocking, begun = Blocking(), time.monotonic()
    with pytest.raises(hb_llmgate.exceptions.LLMGateError, match="total limit"):
        ask(caller, verb, middleware=[blocking], timeout=0.05)
    assert time.monotonic() - begun < 2
    blocking.go_on.set()
