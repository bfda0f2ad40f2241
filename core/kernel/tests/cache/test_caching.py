"""The response cache: which calls it answers, what it keeps, how it replays, and that it never fails a call."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heavenbase.errors import (
    CacheWarning,
    InputError,
    InputTypeError,
    KernelClosed,
    LossyRequestError,
    ServerError,
    StreamInterrupted,
    UnknownNameError,
)
from heavenbase.image.image import LLMImage
from heavenbase.middleware import Middleware
from heavenbase.types import Chunk, Completion, Embedding, ToolCall, ToolCallDelta, Usage
from heavenbase.vector import Vector

from ..support import both_colours, scripted
from .dict_cache import DictCache, DictStore, InstantStore

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
ON = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "dict"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path))


def cached(*script: Any, store: type[DictStore] = DictStore, config: Any = None, **options: Any) -> SimpleNamespace:
    """A house with a cache of a dictionary; `requests()` is the number of requests on the wire."""
    backend = DictCache(store)
    environ = {"HEAVENBASE_HOME": str(options.pop("home", "/nonexistent")), **options.pop("environ", {})}
    house = scripted(*script, config={**ON, **(config or {})}, plugins=(backend,), environ=environ, **options)
    house.backend = backend
    house.requests = lambda: len(house.gateway.calls)
    return house


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    """Makes houses with a home of their own, and closes them."""
    made: list[SimpleNamespace] = []

    def build(*script: Any, **options: Any) -> SimpleNamespace:
        made.append(cached(*script, home=tmp_path, **options))
        return made[-1]

    yield build
    for house in made:
        house.kernel.close()


# Hits


@pytest.mark.parametrize("store", [DictStore, InstantStore])
def test_hb38_a_second_identical_chat_makes_no_request_in_either_colour(make: Any, store: type[DictStore]) -> None:
    house = make("hello", store=store)
    for _ in range(2):
        for ask in both_colours(house.llm, "chat"):
            assert ask("hi") == "hello"
    assert house.requests() == 1
    house.llm.chat("another")
    assert house.requests() == 2


def test_hb38_cache_false_makes_a_request_and_cache_true_turns_it_on_again(make: Any) -> None:
    house = make("hello")
    house.llm.chat("hi")
    house.llm.chat("hi", cache=False)
    assert house.requests() == 2
    off = make("hello", config={"heavenbase.llm.cache.enabled": False})
    for _ in range(2):
        off.llm.chat("hi")
    assert off.requests() == 2
    for _ in range(2):
        off.llm.chat("hi", cache=True)
    assert off.requests() == 3


@pytest.mark.parametrize("store", [DictStore, InstantStore])
def test_a_hit_is_the_same_answer_marked_as_cached_without_attempts(make: Any, store: type[DictStore]) -> None:
    answer = Completion(
        "42 \ud800 \0 ä",
        reasoning="hm",
        finish_reason="stop",
        raw_finish_reason="end",
        usage=Usage(2, 3, cost="0.1", currency="USD"),
        id="x-1",
        model="tiny-2",
        reasoning_parts=[{"type": "signature", "data": b"\x00\xff"}],
        raw={"choices": [1, 2], "when": None},
    )
    house = make(answer, store=store)
    first = house.llm.complete("hi")
    for ask in both_colours(house.llm, "complete"):
        again = ask("hi")
        assert (again.cached, first.cached) == (True, False)
        assert again.attempts == []
        names = ("text", "reasoning", "finish_reason", "raw_finish_reason", "usage", "id", "model", "reasoning_parts")
        for name in (*names, "raw", "provider", "gateway", "message", "messages"):
            assert getattr(again, name) == getattr(first, name), name
        assert again.report.to_dict() == first.report.to_dict()
        assert pickle.loads(pickle.dumps(again)).raw == first.raw  # noqa: S301 - our own bytes
    assert house.requests() == 1


def test_a_stream_replays_the_kept_chunks_with_reasoning_and_tool_calls(make: Any) -> None:
    chunks = [
        Chunk(reasoning="so", raw={"n": 1}),
        Chunk("a"),
        Chunk("b", id="x"),
        Chunk(tool_calls=[ToolCallDelta(0, "c1", "add", '{"a"')]),
        Chunk(tool_calls=[ToolCallDelta(0, arguments=":1}")]),
        Chunk(finish_reason="tool_calls", raw_finish_reason="tool_calls"),
        Chunk(usage=Usage(1, 2)),
    ]
    house = make(chunks)
    for _ in range(2):
        for ask in both_colours(house.llm, "stream"):
            assert ask("hi", include="chunk", tools=[SCHEMA]) == chunks
    [answer] = house.llm.stream("hi", include="completion", tools=[SCHEMA])
    assert answer.cached
    assert [call.arguments for call in answer.tool_calls] == ['{"a":1}']
    assert house.llm.complete("hi", tools=[SCHEMA]).raw == [{"n": 1}]
    assert house.requests() == 1


def test_chat_and_stream_share_their_entries(make: Any) -> None:
    house = make(Completion("hello", reasoning="hm", finish_reason="stop", usage=Usage(1, 1)))
    house.llm.chat("hi")
    [chunk] = house.llm.stream("hi", include="chunk")
    assert (chunk.text, chunk.reasoning, chunk.finish_reason) == ("hello", "hm", "stop")
    streamed = make("word")
    assert "".join(streamed.llm.stream("hi")) == "word"
    assert streamed.llm.chat("hi") == "word"
    assert (house.requests(), streamed.requests()) == (1, 1)


def test_stream_chat_is_cached_like_a_chat(make: Any) -> None:
    house = make("hello")
    for _ in range(2):
        assert house.llm.complete("hi", stream_chat=True).text == "hello"
    assert house.requests() == 1


def test_an_answer_with_schema_only_tools_is_kept(make: Any) -> None:
    house = make(Completion("", tool_calls=[ToolCall("c", "add", '{"a":1}')], finish_reason="tool_calls"))
    for _ in range(2):
        [call] = house.llm.complete("hi", tools=[SCHEMA]).tool_calls
        assert (call.id, call.parse()) == ("c", {"a": 1})
    assert house.requests() == 1


def test_a_kept_answer_that_a_stricter_type_refuses_is_a_miss(make: Any) -> None:
    pydantic = pytest.importorskip("pydantic")

    def even(value: int) -> int:
        if value % 2:
            raise ValueError("odd")
        return value

    loose = pydantic.create_model("Answer", number=(int, ...))
    strict = pydantic.create_model(
        "Answer", number=(int, ...), __validators__={"even": pydantic.field_validator("number")(even)}
    )
    house = make('{"number": 1}', '{"number": 2}')
    for _ in range(2):
        assert house.llm.complete("hi", response_format=loose).structured == loose(number=1)
    assert house.requests() == 1
    for _ in range(2):
        assert house.llm.complete("hi", response_format=strict).structured == strict(number=2)
    assert [chunk.kind for chunk in house.llm.stream("hi", include="chunk", response_format=strict)] == ["delta"]
    assert house.requests() == 2


def test_images_in_an_answer_come_back(make: Any) -> None:
    house = make(Completion("see", images=[LLMImage(PIXEL)], finish_reason="stop"))
    for _ in range(2):
        assert house.llm.complete("hi").images == [LLMImage(PIXEL)]
    assert house.requests() == 1


# What is asked


def test_hb39_a_temperature_without_a_seed_is_never_cached(make: Any) -> None:
    house = make("hello")
    given: list[dict[str, Any]] = [
        {"temperature": 0.7, "seed": None},
        {"temperature": None, "seed": None},
        {"top_p": 0.5},
        {"top_k": 40},
        {"extra_body": {"top_p": 0.5}},
    ]
    for count, options in enumerate(given, start=1):
        for _ in range(2):
            house.llm.chat("hi", **options)
        assert house.requests() == 2 * count, options
        assert house.backend.stores == []


def test_hb39_a_call_with_a_tool_to_run_is_never_cached(make: Any) -> None:
    def add(a: int = 1) -> int:
        """Add."""
        return a

    house = make("hello")
    for _ in range(2):
        house.llm.chat("hi", tools=[add])
        house.llm.chat("hi", tools=[add], cache_policy="force")
    assert house.requests() == 4


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0, "seed": None},
        {"temperature": None, "seed": 1},
        {"temperature": 0.7, "seed": 1},
        {"top_p": 1, "top_k": 0},
        {"extra_body": {"temperature": 0}, "seed": None, "temperature": 1},
    ],
)
def test_a_determined_chat_is_cached(make: Any, options: dict[str, Any]) -> None:
    house = make("hello")
    for _ in range(2):
        house.llm.chat("hi", **options)
    assert house.requests() == 1


def test_hb39_images_are_cached_only_with_a_seed(make: Any) -> None:
    house = make([LLMImage(PIXEL, revised_prompt="better")])
    for ask in both_colours(house.llm, "imagen"):
        ask("a cat", seed=None)
    assert house.requests() == 2
    found = [ask("a cat", seed=3) for ask in both_colours(house.llm, "imagen") for _ in range(2)]
    assert house.requests() == 3
    assert {image.to_b64() for image in found} == {PIXEL}
    assert found[-1].revised_prompt == "better"


def test_policy_force_asks_for_nothing_and_off_caches_nothing(make: Any) -> None:
    house = make("hello")
    for policy, requests in (("force", 1), ("always", 1), ("off", 3), ("none", 5), ("false", 7), (False, 9)):
        for _ in range(2):
            house.llm.chat("hi", temperature=0.9, seed=None, cache_policy=policy)
        assert house.requests() == requests, policy


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cache": "yes"}, InputTypeError, "True, False or a mapping"),
        ({"cache": {"polcy": "off"}}, UnknownNameError, "policy"),
        ({"cache": {"policy": "forc"}}, UnknownNameError, "force"),
        ({"cache_policy": "forc"}, UnknownNameError, "force"),
        ({"cache": {"namespaces": {"text": {"ttl_seconds": "x"}}}}, InputError, "ttl_seconds"),
        ({"cache": {"namespaces": {"texts": {}}}}, InputError, "text"),
        ({"cache_config": True}, InputTypeError, "mapping"),
    ],
)
def test_a_wrong_option_is_an_error_before_anything_is_sent(
    make: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    house = make("hello")
    for ask in both_colours(house.llm, "chat"):
        with pytest.raises(error, match=message):
            ask("hi", **options)
    assert house.requests() == 0


# Settings


def test_a_dict_goes_over_the_settings_and_opens_no_other_store(make: Any) -> None:
    house = make("hello", config={"heavenbase.llm.cache.enabled": False})
    option = {"namespaces": {"text": {"ttl_seconds": 60}}}
    for _ in range(3):
        house.llm.chat("hi", cache=option)
    house.llm.chat("hi", cache={"policy": "force"})
    assert house.requests() == 1
    [store] = house.backend.stores
    assert store.sets == [("text", 60)]


def test_a_dict_with_other_limits_has_a_store_of_its_own_and_opens_it_once(make: Any) -> None:
    house = make("hello")
    for _ in range(3):
        house.llm.chat("hi", cache={"namespaces": {"text": {"max_entries": 5}}})
    [store] = house.backend.stores
    assert store.settings["namespaces"]["text"]["max_entries"] == 5


def test_cache_config_changes_settings_and_turns_nothing_on(make: Any) -> None:
    house = make("hello", config={"heavenbase.llm.cache.enabled": False})
    house.llm.chat("hi", cache_config={"policy": "force"})
    assert not house.backend.stores


def test_the_option_of_an_instance_counts_for_all_its_calls(make: Any) -> None:
    from heavenbase.llm import LLM

    house = make("hello")
    quiet = LLM(kernel=house.kernel, cache=False)
    for _ in range(2):
        quiet.chat("hi")
    assert house.requests() == 2
    short = LLM(kernel=house.kernel, cache={"namespaces": {"text": {"ttl_seconds": 5}}})
    for _ in range(2):
        short.chat("hi")
    assert house.requests() == 3
    assert house.backend.stores[0].sets == [("text", 5)]


def test_a_namespace_that_is_off_is_not_cached(make: Any) -> None:
    house = make("hello", config={"heavenbase.llm.cache.namespaces.text.enabled": False})
    for _ in range(2):
        house.llm.chat("hi")
    assert house.requests() == 2


def test_time_to_live_and_limits_reach_the_store(make: Any) -> None:
    config = {
        "heavenbase.llm.cache.namespaces.text": {"ttl_seconds": 60, "max_entries": 10, "max_bytes": 1000},
        "heavenbase.llm.cache.namespaces.embedding.ttl_seconds": 5,
    }
    house = make("hello", config=config)
    house.llm.chat("hi")
    house.gateway.script = [lambda call: None]
    house.llm.embed("hi")
    [store] = house.backend.stores
    assert store.sets == [("text", 60), ("embedding", 5)]
    assert store.settings["namespaces"]["text"]["max_bytes"] == 1000


# What is kept


@pytest.mark.filterwarnings("ignore::heavenbase.errors.TruncatedAnswerWarning")
@pytest.mark.parametrize("reason", ["length", "content_filter", "refusal", "pause", "context_overflow", "other"])
def test_an_answer_that_is_not_whole_is_not_kept(make: Any, reason: Any) -> None:
    house = make(Completion("half", finish_reason=reason))
    for ask in both_colours(house.llm, "chat"):
        ask("hi")
    assert house.requests() == 2
    streamed = make([Chunk("half"), Chunk(finish_reason=reason)])
    for ask in both_colours(streamed.llm, "stream"):
        ask("hi")
    assert streamed.requests() == 2


def test_an_empty_answer_and_an_error_are_not_kept(make: Any) -> None:
    house = make(Completion("", finish_reason="stop"))
    for _ in range(2):
        house.llm.chat("hi")
    assert house.requests() == 2
    failing = make(ServerError("no"), config={"heavenbase.llm.retry.max_attempts": 1})
    for _ in range(2):
        with pytest.raises(ServerError):
            failing.llm.chat("hi")
    assert failing.requests() == 2


def test_a_stream_that_is_left_or_breaks_is_not_kept(make: Any) -> None:
    house = make("long")
    for _ in house.llm.stream("hi"):
        break
    assert house.backend.stores[0].values == {}
    broken = make([Chunk("a"), ServerError("no")])
    with pytest.raises(StreamInterrupted):
        list(broken.llm.stream("hi"))
    assert broken.backend.stores[0].values == {}


def test_an_image_that_is_only_a_url_is_not_kept(make: Any) -> None:
    house = make([LLMImage.from_url("https://images.test/1.png")])
    for _ in range(2):
        house.llm.imagen("a cat")
    assert house.requests() == 2


class Substitute(Middleware):
    """Lets another model answer, without telling anybody outside."""

    around = "attempt"

    async def __call__(self, call: Any, next: Any) -> Any:
        from dataclasses import replace

        return await next(call.replace(spec=replace(call.spec, model_id="other")))


def test_the_answer_of_a_model_that_stepped_in_is_not_kept(make: Any) -> None:
    house = make("hello", middleware=(Substitute(),))
    for ask in both_colours(house.llm, "chat"):
        ask("hi")
    assert house.requests() == 2


def test_no_key_is_in_an_entry(make: Any) -> None:
    secret = "sk-acme-000"
    house = make("hello", config={"heavenbase.llm.providers.acme.headers": {"x-token": "hush-hush"}})
    house.llm.chat("hi", extra_headers={"authorization": "hush-hush"})
    [value] = house.backend.stores[0].values.values()
    assert secret.encode() not in value
    assert b"hush-hush" not in value


# Embeddings


def lengths(call: Any) -> Embedding:
    return Embedding([[float(len(text)), 1.0] for text in call.inputs], usage=Usage(len(call.inputs), 0), model="e")


def test_hb40_a_second_call_with_one_new_input_sends_only_that_input(make: Any) -> None:
    for colour in (0, 1):
        house = make(lengths)
        ask = both_colours(house.llm, "embed")[colour]
        assert ask(["a", "bb"]) == [[1.0, 1.0], [2.0, 1.0]]
        found = ask(["bb", "ccc", "a", "bb"], include=["embeddings", "raw", "usage"])
        assert [vector[0] for vector in found["embeddings"]] == [2.0, 3.0, 1.0, 2.0]
        assert house.gateway.calls[-1].inputs == ["ccc"]
        assert (found["raw"]["cached"], found["raw"]["misses"], found["raw"]["batches"]) == (2, 1, 1)
        assert found["usage"]["input"] == 1
        assert ask(["a", "bb", "ccc"], include="raw")["misses"] == 0
        assert house.requests() == 2


def test_many_inputs_are_found_in_a_thread_and_sent_in_batches(make: Any) -> None:
    house = make(lengths)
    texts = ["x" * size for size in range(1, 41)]
    asyncio.run(house.llm.aembed(texts[::2], embedding_batch_size=7))
    vectors = asyncio.run(house.llm.aembed(texts, embedding_batch_size=7))
    assert [vector[0] for vector in vectors] == list(range(1, 41))
    assert sorted(text for call in house.gateway.calls for text in call.inputs) == sorted(texts)


@pytest.mark.parametrize("vector", [Vector([0.1, 1e300, -0.0]), Vector([0.5, 2.5], "f"), [1.0, 2.0]])
def test_a_kept_vector_is_the_same_to_the_last_bit(make: Any, vector: Any) -> None:
    house = make(Embedding([vector]))
    first, again = house.llm.embed("x"), house.llm.embed("x")
    assert house.requests() == 1
    assert again.tobytes() == first.tobytes()
    assert again.typecode == first.typecode


def test_embeddings_ask_for_no_seed_and_obey_their_namespace(make: Any) -> None:
    house = make(lengths)
    for _ in range(2):
        house.llm.embed("x", temperature=0.9, seed=None, top_p=0.1)
    assert house.requests() == 1
    off = make(lengths, config={"heavenbase.llm.cache.namespaces.embedding.enabled": False})
    for _ in range(2):
        off.llm.embed("x")
    assert off.requests() == 2


# Failures


def many(house: SimpleNamespace, count: int) -> None:
    """The same chat several times."""
    for _ in range(count):
        assert house.llm.chat("hi") == "hello"


class Broken(DictStore):
    """A store whose every method fails."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.failure = OSError("the disk is gone")


@pytest.mark.parametrize("verb", ["chat", "stream", "embed"])
def test_a_store_that_fails_costs_a_warning_and_no_call(make: Any, verb: str) -> None:
    for colour in (0, 1):
        house = make(lengths if verb == "embed" else "hello", store=Broken)
        ask = both_colours(house.llm, verb)[colour]
        with pytest.warns(CacheWarning, match="the disk is gone") as told:
            found = [ask("hi") for _ in range(2)]
        assert len(told) == 1
        assert all(found)
        assert house.requests() == 2


def test_an_answer_that_cannot_be_stored_is_not_lost(make: Any) -> None:
    house = make("hello")
    house.llm.chat("open")
    [store] = house.backend.stores

    def fill(call: Any) -> str:
        store.failure = OSError("full")
        return "hello"

    house.gateway.script = [fill]
    with pytest.warns(CacheWarning, match="cannot be written"):
        assert house.llm.chat("hi") == "hello"


def test_three_failures_open_a_circuit_that_is_probed_after_five_seconds(make: Any) -> None:
    house = make("hello", store=Broken)
    with pytest.warns(CacheWarning):
        many(house, 10)
    [store] = house.backend.stores
    assert store.gets == 3
    house.time.now += 5.1
    for _ in range(3):
        house.llm.chat("hi")
    assert store.gets == 4
    house.time.now += 5.1
    store.failure = None
    for _ in range(3):
        house.llm.chat("hi")
    assert house.requests() == 14
    assert store.gets == 7


def test_warnings_come_once_a_minute_and_failures_are_counted(make: Any) -> None:
    house = make("hello", store=Broken)
    for _ in range(2):
        with pytest.warns(CacheWarning) as told:
            many(house, 4)
        assert len(told) == 1
        house.time.now += 61
    assert house.kernel.cache.stores.failures == 4


def test_a_backend_that_is_missing_or_refuses_costs_a_warning_and_no_call(make: Any) -> None:
    house = make("hello", config={"heavenbase.llm.cache.backend": "nosuch"})
    with pytest.warns(CacheWarning, match="pip install hb-cache-nosuch") as told:
        found = [ask("hi") for ask in both_colours(house.llm, "chat")]
    assert (len(told), found) == (1, ["hello", "hello"])


def test_an_entry_that_makes_no_sense_is_a_miss_and_is_replaced(make: Any) -> None:
    for damage in (b"", b"1", b"1garbage\n\n", b"9x", b'2"a"\n{"finish":1}\nnull\nnull\nnull', b"\xff\xfe"):
        house = make("hello")
        house.llm.chat("hi")
        [store] = house.backend.stores
        [place] = store.values
        store.values[place] = damage
        with pytest.warns(CacheWarning, match="damaged"):
            assert house.llm.chat("hi") == "hello"
        answer = house.llm.complete("hi")
        assert (answer.text, answer.cached, house.requests()) == ("hello", True, 2)


def test_an_argument_without_a_canonical_form_is_simply_not_cached(make: Any) -> None:
    house = make("hello")
    for _ in range(2):
        house.llm.chat("hi", metadata={"thing": object()})
        house.llm.chat("hi", logit_bias={1: 2, "a": 3})
    assert house.requests() == 4


def test_a_home_that_cannot_be_written_costs_a_warning_and_no_call(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    house = cached("hello", home=tmp_path)
    with pytest.warns(CacheWarning, match="key of the cache"):
        many(house, 2)
    assert house.requests() == 2


# Lossy parameters, middleware, closing


def test_a_hit_enforces_on_lossy_like_the_request_did(make: Any) -> None:
    house = make("hello")
    prepare = house.gateway.prepare

    def lossy(call: Any) -> Any:
        request = prepare(call)
        call.context.report.dropped("stop", "the wire has none")
        return request

    house.gateway.prepare = lossy
    house.llm.chat("hi", stop=["x"], on_lossy="allow")
    answer = house.llm.complete("hi", stop=["x"], on_lossy="allow")
    assert answer.cached
    assert answer.report.names("dropped") == ["stop"]
    with pytest.raises(LossyRequestError, match="stop"):
        house.llm.chat("hi", stop=["x"])
    assert house.requests() == 1


class Counting(Middleware):
    """Counts what it sees."""

    seen = 0

    async def __call__(self, call: Any, next: Any) -> Any:
        self.seen += 1
        return await next(call)


def test_middleware_sees_calls_that_the_cache_answers(make: Any) -> None:
    counting = Counting()
    house = make("hello", store=InstantStore, middleware=(counting,))
    for _ in range(3):
        house.llm.chat("hi")
    assert (counting.seen, house.requests()) == (3, 1)


def test_a_chat_looks_a_key_up_only_once(make: Any) -> None:
    house = make("hello", store=InstantStore)
    house.llm.chat("one")
    [store] = house.backend.stores
    before = store.gets
    house.llm.chat("two")
    assert store.gets == before + 1
    house.llm.chat("two")
    assert store.gets == before + 2
    assert house.requests() == 2


class Slow(DictCache):
    """Notes in which thread it was opened."""

    def open(self, settings: Any) -> DictStore:
        self.thread = threading.current_thread()
        return super().open(settings)


def test_async_callers_open_the_store_in_a_thread_and_only_one_of_them_does(tmp_path: Path) -> None:
    backend = Slow()
    house = scripted("hello", config=ON, plugins=(backend,), environ={"HEAVENBASE_HOME": str(tmp_path)})

    async def run() -> None:
        await asyncio.gather(*(house.llm.achat(f"question {number}") for number in range(5)))

    asyncio.run(run())
    assert len(backend.stores) == 1
    assert backend.thread is not threading.main_thread()


def test_stores_of_many_settings_are_bounded(make: Any) -> None:
    house = make("hello")
    for number in range(1, 12):
        house.llm.chat("hi", cache={"namespaces": {"text": {"max_entries": number}}})
    assert [store.closed for store in house.backend.stores] == [True] * 3 + [False] * 8


def test_a_closed_kernel_closes_its_stores_and_answers_nothing_from_them(make: Any) -> None:
    house = make("hello", store=InstantStore)
    for _ in range(2):
        house.llm.chat("hi")
    house.kernel.close()
    assert house.backend.stores[0].closed
    with pytest.raises(KernelClosed):
        house.llm.chat("hi")
