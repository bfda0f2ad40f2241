"""The engine with the real model."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hb_provider_local import engine as engine_module
from hb_provider_local import native
from hb_provider_local.engine import Engine
from hb_provider_local.settings import Settings, default_threads
from heavenbase.errors import (
    ConfigError,
    ContextOverflow,
    DeadlineExceeded,
    FirstTokenTimeout,
    HBError,
    InputError,
    InputTypeError,
    StreamTruncated,
    VisionNotSupported,
)

HELLO = [{"role": "user", "content": "hello"}]
STORY = [{"role": "user", "content": "Write a very long story about the sea."}]
LONG = [{"role": "user", "content": "word " * 3000}]
PROMPTLY = 5.0
"""Seconds of CPU: far above what a short answer takes, far below what the answer takes that must have been stopped.

Of CPU and not of the clock, because a busy machine must not fail the test.
"""


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def pieces(chunks: Iterator[dict[str, Any]]) -> list[str]:
    texts = (choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"])
    return [text for text in texts if text]


def ask(engine: Engine, **arguments: Any) -> dict[str, Any]:
    return engine.chat({"messages": HELLO, "temperature": 0, "max_tokens": 12, **arguments})


def assert_free(engine: Engine) -> None:
    """One chat is computed at a time, so a prompt answer proves that nothing else is."""
    started = time.process_time()
    ask(engine, max_tokens=1)
    assert time.process_time() - started < PROMPTLY


def test_a_stream_brings_pieces_then_its_end_then_usage(engine: Engine) -> None:
    chunks = list(engine.stream({"messages": HELLO, "temperature": 0, "max_tokens": 6}))
    assert len(pieces(iter(chunks))) >= 5
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["usage"]["completion_tokens"] == 6
    assert chunks[0]["object"] == "chat.completion.chunk"


def test_chat_is_the_stream_put_together(engine: Engine) -> None:
    body = {"messages": HELLO, "temperature": 0, "max_tokens": 8}
    answer = engine.chat(body)
    assert text(answer) == "".join(pieces(engine.stream(body)))
    assert answer["object"] == "chat.completion"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 8
    assert answer["model"] == engine.path.stem


def test_stop_ends_the_answer_before_the_word(engine: Engine) -> None:
    full = text(ask(engine))
    word = full.split()[2]
    answer = ask(engine, stop=[word])
    assert text(answer) == full[: full.index(word)]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_same_seed_gives_the_same_text_whatever_came_between(engine: Engine) -> None:
    wild = {"temperature": 1.2, "top_p": 0.95, "seed": 7}
    first = text(ask(engine, **wild))
    ask(engine, messages=STORY, max_tokens=3)
    assert text(ask(engine, **wild)) == first
    assert text(ask(engine, **wild | {"seed": 8})) != first


def test_a_json_schema_is_kept(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "code": {"type": "string", "pattern": r"^\d{3}$"}},
        "required": ["city", "code"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    found = json.loads(text(ask(engine, response_format=wanted, max_tokens=80)))
    assert found.keys() == {"city", "code"}
    assert len(found["code"]) == 3
    assert found["code"].isdigit()


def test_a_json_object_is_an_object(engine: Engine) -> None:
    messages = [{"role": "user", "content": 'Answer with {"ok": true}'}]
    answer = ask(engine, messages=messages, response_format={"type": "json_object"}, max_tokens=120)
    assert isinstance(json.loads(text(answer)), dict)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"messages": []}, InputError),
        ({}, InputTypeError),
        ({"messages": "hello"}, InputTypeError),
        ({"messages": ["hello"]}, InputTypeError),
        ({"messages": [{"role": "wizard", "content": "x"}]}, InputError),
        ({"messages": [{"content": "x"}]}, InputError),
        ({"messages": HELLO, "max_tokens": 0}, InputError),
        ({"messages": HELLO, "max_tokens": "many"}, InputError),
        ({"messages": [{"role": "user", "content": "half \ud83d"}]}, InputError),
        ({"messages": HELLO, "temperature": float("nan")}, InputError),
        ({"messages": HELLO, "stop": object()}, InputError),
        ({"messages": HELLO, "response_format": {"type": "xml"}}, InputError),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, VisionNotSupported),
    ],
)
def test_a_wrong_body_is_refused_before_the_model_is_loaded(
    model_path: Path, body: dict[str, Any], kind: type[HBError]
) -> None:
    engine = Engine(model_path)
    with pytest.raises(kind):
        engine.chat(body)
    with pytest.raises(kind):
        engine.stream(body)
    with pytest.raises(kind):
        asyncio.run(engine.achat(body))
    assert not engine.is_loaded


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": "hot"},
        {"n": 2},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/$defs/none"}}}},
    ],
)
def test_what_the_library_refuses_is_an_input_error(engine: Engine, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="refused"):
        ask(engine, **wrong)


def test_a_prompt_longer_than_the_context_is_an_overflow(engine: Engine) -> None:
    with pytest.raises(ContextOverflow, match="option context") as caught:
        ask(engine, messages=[{"role": "user", "content": "word " * 6000}])
    assert caught.value.status == 400


def test_leaving_a_stream_stops_the_engine(engine: Engine) -> None:
    with closing(engine.stream({"messages": STORY, "temperature": 0})) as chunks:  # type: ignore[type-var]
        next(chunks)
        next(chunks)
    assert_free(engine)


def test_a_long_prompt_can_be_stopped_while_it_is_read(engine: Engine) -> None:
    with pytest.raises(FirstTokenTimeout):
        engine.chat({"messages": LONG}, patience=lambda begun: 0.05)
    assert_free(engine)


def test_the_deadline_is_named_when_it_cut_the_wait(engine: Engine) -> None:
    waits = iter([0.01])

    def patience(begun: bool) -> float:
        for seconds in waits:
            return seconds
        raise DeadlineExceeded("the total limit passed")

    with pytest.raises(DeadlineExceeded):
        engine.chat({"messages": LONG}, patience=patience)
    assert_free(engine)


def test_async_chunks_come_live_and_equal_the_sync_ones(engine: Engine) -> None:
    body = {"messages": HELLO, "temperature": 0, "max_tokens": 8}

    async def run() -> tuple[list[str], float, float]:
        found, times = [], []
        async for chunk in engine.astream(body):
            times.append(time.monotonic())
            found.append(chunk)
        return pieces(iter(found)), times[1], times[-1]

    found, first, last = asyncio.run(run())
    assert found == pieces(engine.stream(body))
    assert last > first


def test_async_chats_at_once_are_all_answered(engine: Engine) -> None:
    async def run() -> list[dict[str, Any]]:
        body = {"messages": HELLO, "temperature": 0, "max_tokens": 4}
        return list(await asyncio.gather(*(engine.achat(body) for _ in range(3))))

    answers = asyncio.run(run())
    assert len({text(answer) for answer in answers}) == 1


def test_cancelling_the_task_stops_the_engine(engine: Engine) -> None:
    async def run() -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in engine.astream({"messages": STORY, "temperature": 0}):
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert_free(engine)


def test_a_closed_loop_stops_the_engine(engine: Engine) -> None:
    async def run() -> None:
        chunks = engine.astream({"messages": STORY, "temperature": 0})
        await anext(chunks)
        await chunks.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())
    assert_free(engine)


def test_threads_share_an_engine(engine: Engine) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(text(ask(engine, max_tokens=4)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1


def test_embeddings_are_unit_vectors_in_order(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "GROUP_SIZE", 12)
    inputs = ["a cat", "a dog", "a cat", "a long tale of a cat"]
    answer = engine.embed(inputs)
    vectors = [row["embedding"] for row in answer["data"]]
    assert [row["index"] for row in answer["data"]] == [0, 1, 2, 3]
    assert {len(vector) for vector in vectors} == {576}
    assert sum(x * x for x in vectors[0]) == pytest.approx(1, abs=1e-4)
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-4)
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-2)
    assert answer["usage"]["prompt_tokens"] > 4
    assert engine.embed([])["data"] == []


def test_async_embeddings_equal_the_sync_ones(engine: Engine) -> None:
    answer = asyncio.run(engine.aembed(["a cat"]))
    assert answer["data"][0]["embedding"] == pytest.approx(engine.embed(["a cat"])["data"][0]["embedding"], abs=1e-4)


def test_embeddings_look_at_the_clock_between_groups(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "GROUP_SIZE", 12)
    looks = iter([None])

    def check() -> None:
        try:
            next(looks)
        except StopIteration:
            raise DeadlineExceeded("over") from None

    with pytest.raises(DeadlineExceeded):
        engine.embed(["a little cat", "a little dog"], check=check)


@pytest.mark.parametrize(("inputs", "kind"), [([""], InputError), ([7], InputTypeError), (["\ud83d"], InputError)])
def test_wrong_inputs_are_refused(engine: Engine, inputs: list[Any], kind: type[HBError]) -> None:
    with pytest.raises(kind):
        engine.embed(inputs)


def test_an_input_longer_than_the_limit_is_an_overflow(model_path: Path) -> None:
    engine = Engine(model_path, Settings(embedding_context=32))
    with closing(engine), pytest.raises(ContextOverflow, match="embedding_context"):
        engine.embed(["word " * 100])


def test_a_model_is_loaded_once_whoever_comes_first(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    load = native.chat_server

    def counted(path: Path, header: Any, settings: Settings) -> Any:
        loads.append(path)
        return load(path, header, settings)

    monkeypatch.setattr(native, "chat_server", counted)
    with closing(Engine(model_path, Settings(context=256))) as engine:
        threads = [threading.Thread(target=ask, args=(engine,), kwargs={"max_tokens": 1}) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert loads == [model_path]
        assert engine.is_loaded


def test_closing_cuts_what_runs_and_a_later_call_loads_again(model_path: Path) -> None:
    engine = Engine(model_path, Settings(context=512))
    chunks = engine.stream({"messages": STORY, "temperature": 0})
    next(chunks)
    engine.close()
    assert not engine.is_loaded
    with pytest.raises(StreamTruncated, match="closed"):
        list(chunks)
    with closing(engine):
        assert text(ask(engine, max_tokens=3))


def test_a_file_that_llama_cpp_cannot_load_is_an_input_error(tmp_path: Path, model_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model_path.read_bytes()[: 8 << 20])
    with pytest.raises(InputError, match="cannot load"):
        ask(Engine(cut))


def test_one_core_is_left_to_the_rest_of_the_machine() -> None:
    assert Settings().threads == default_threads() >= 1
    assert Settings(threads=3).threads == 3


@pytest.mark.parametrize("wrong", [{"context": 0}, {"context": "big"}, {"parallel": True}, {"colour": 1}])
def test_wrong_options_name_themselves(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Settings.from_options(wrong)
