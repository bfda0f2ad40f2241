"""hb cache: what is kept, why two calls differ, and how it is forgotten."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_cli.cache_entries import described, differences, sentence
from heavenbase.cache import rows
from heavenbase.image import LLMImage
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.types import Completion, Embedding, ImageResult, ParameterReport, Usage

from .conftest import PRESET, Outcome, ScriptedGateway, ScriptedProvider

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
Run = Callable[..., Outcome]


class Gateway(ScriptedGateway):
    """Answers whatever it is asked."""

    def chat(self, call: Any, request: Any) -> Completion:
        return Completion(f"an answer to {call.messages[-1]['content']}", finish_reason="stop", raw={"id": "raw-1"})

    def embed_batch(self, call: Any, request: Any) -> Embedding:
        return Embedding([[0.5] * 10 for _ in call.inputs], model="m")


@pytest.fixture
def llm() -> Iterator[LLM]:
    """A model whose answers are kept in the home of the test."""
    config = {"heavenbase.llm.presets.chat": PRESET}
    plugins = [Gateway(), ScriptedProvider(default_args={}, api_key="sk-scripted-1")]
    with Kernel(config, environ=os.environ, plugins=plugins) as kernel:
        yield LLM("chat", kernel=kernel)


def keys(run: Run) -> list[str]:
    return [row["key"] for row in json.loads(run("cache", "list", "--json").out)["entries"]]


def test_an_empty_cache_is_no_error(run: Run) -> None:
    shown = run("cache", "stats")
    assert shown.code == 0
    assert "on, policy deterministic, backend sqlite" in shown.out
    assert run("cache", "list").code == 0
    assert run("cache", "clear").out == "0 entries forgotten\n"
    assert run("cache", "export").out == ""


def test_stats_count_by_namespace_and_show_the_limits(run: Run, llm: LLM) -> None:
    llm.chat("one")
    llm.chat("two")
    llm.embed(["a", "b", "c"])
    run("cfg", "set", "heavenbase.llm.cache.namespaces.text.ttl_seconds", "86400")
    found = json.loads(run("cache", "stats", "--json").out)
    assert {name: row["entries"] for name, row in found["namespaces"].items()} == {
        "text": 2,
        "embedding": 3,
        "image": 0,
    }
    assert found["namespaces"]["text"]["ttl_seconds"] == 86400
    assert found["place"].endswith("cache.db")
    shown = run("cache", "stats").out
    assert "86400" in shown
    assert "cache.db" in shown


def test_list_shows_the_last_used_first_and_looking_is_no_use(run: Run, llm: LLM) -> None:
    for text in ("one", "two", "three"):
        llm.chat(text)
    llm.embed("four")
    rows = json.loads(run("cache", "list", "--json").out)["entries"]
    assert [row["about"] for row in rows] == ["four", "three", "two", "one"]
    assert [row["namespace"] for row in rows] == ["embedding", "text", "text", "text"]
    assert json.loads(run("cache", "list", "--json").out)["entries"] == rows
    shown = run("cache", "list", "-n", "text", "--limit", "1", "--offset", "1").out
    assert "two" in shown
    assert "three" not in shown


def test_show_prints_request_and_answer_for_the_beginning_of_a_key(run: Run, llm: LLM) -> None:
    llm.chat("one", system="be brief")
    [key] = keys(run)
    shown = run("cache", "show", key[:8]).out
    for text in (key, "be brief", "an answer to one", '"temperature": 0'):
        assert text in shown
    assert "sk-scripted-1" not in shown
    assert "raw-1" not in shown
    assert json.loads(run("cache", "show", key, "--json", "--raw").out)["raw"] == {"id": "raw-1"}


def test_show_cuts_a_vector_short(run: Run, llm: LLM) -> None:
    llm.embed("x")
    [key] = keys(run)
    assert "… 10 numbers" in run("cache", "show", key).out
    assert len(json.loads(run("cache", "show", key, "--json").out)["answer"]["vector"]) == 10


@pytest.mark.parametrize(("key", "message"), [("zz", "is no key"), ("abc", "at least 4"), ("abcdef", "hb cache list")])
def test_a_key_that_is_none_is_an_error_that_says_what_to_do(run: Run, key: str, message: str) -> None:
    for command in (("show", key), ("why", key, key)):
        done = run("cache", *command)
        assert done.code == 2
        assert message in done.err


def test_why_names_the_fields_in_which_two_calls_differ(run: Run, llm: LLM) -> None:
    llm.chat("one")
    [first] = keys(run)
    llm.chat("one", seed=7, max_tokens=5)
    second = next(key for key in keys(run) if key != first)
    done = run("cache", "why", first[:10], second[:10])
    assert done.code == 0
    assert done.out.splitlines() == ["args.seed: 42 and 7", "args.max_tokens: 5 only in the second"]
    found = json.loads(run("cache", "why", first, second, "--json").out)
    assert [row["field"] for row in found["differences"]] == ["args.seed", "args.max_tokens"]
    same = run("cache", "why", first, first)
    assert (same.code, same.out) == (1, "both are the same entry\n")


def test_why_shows_where_long_texts_part_and_no_credential(run: Run, llm: LLM) -> None:
    llm.chat("x" * 500 + "A")
    llm.chat("x" * 500 + "B")
    other = LLM("chat", kernel=llm.kernel, api_key="sk-scripted-2")
    other.chat("x" * 500 + "A")
    third, second, first = keys(run)
    assert "messages[0].content: from character 500 on" in run("cache", "why", first, second).out
    assert run("cache", "why", first, third).out == "credential: made with different keys\n"


def test_differences_reach_into_lists_and_types() -> None:
    rows = differences({"a": [1, {"b": 1}], "c": 1, "d": "x"}, {"a": [1, {"b": True}, 3], "c": 1.0, "e": None})
    assert [row["field"] for row in rows] == ["a[1].b", "a[2]", "c", "d", "e"]
    assert sentence(rows[1]) == "a[2]: 3 only in the second"
    assert (
        sentence({"field": "headers.x", "a": "1", "b": "2"}) == "headers.x: differs (only a fingerprint of it is kept)"
    )


def test_clear_forgets_a_namespace_or_everything(run: Run, llm: LLM) -> None:
    llm.chat("one")
    llm.embed(["a", "b"])
    assert run("cache", "clear", "-n", "embedding").out == "2 entries forgotten\n"
    assert json.loads(run("cache", "clear", "--json").out) == {"cleared": 1}
    assert keys(run) == []


def test_purge_leaves_no_trace(run: Run, llm: LLM, home: Path) -> None:
    llm.chat("a secret plan")
    llm.kernel.close()
    assert run("cache", "purge").code == 0
    assert b"a secret plan" not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_export_writes_every_entry_as_a_line_of_json_for_its_user_alone(run: Run, llm: LLM) -> None:
    llm.chat("one\n\x1b[31m")
    llm.chat("two")
    lines = [json.loads(line) for line in run("cache", "export").out.splitlines()]
    assert [line["request"]["messages"][0]["content"] for line in lines] == ["two", "one\n\x1b[31m"]
    assert [line["answer"]["text"] for line in lines] == ["an answer to two", "an answer to one\n\x1b[31m"]
    assert run("cache", "export", "-o", "kept.jsonl").err == "2 entries written to kept.jsonl\n"
    if os.name == "posix":
        assert stat.S_IMODE(Path("kept.jsonl").stat().st_mode) == 0o600
    assert run("cache", "export", "-o", "kept.jsonl").code == 2
    assert run("cache", "export", "-o", "kept.jsonl", "--force", "--raw").code == 0
    assert "raw-1" in Path("kept.jsonl").read_text()


def test_what_a_backend_says_is_an_error_with_its_remedy(run: Run) -> None:
    run("cfg", "set", "heavenbase.llm.cache.backend", "nosuch")
    done = run("cache", "stats")
    assert done.code != 0
    assert "pip install hb-cache-nosuch" in done.err


def test_help_imports_no_backend(run: Run) -> None:
    shown = run("cache", "--help").out
    for name in ("stats", "list", "show", "why", "clear", "purge", "export"):
        assert name in shown


def test_a_description_tells_request_and_answer() -> None:
    answer = Completion("hi", reasoning="hm", finish_reason="stop", usage=Usage(1, 2))
    found = described(rows.encode_completion(answer, None, ParameterReport(), {"args": {"seed": 1}}))
    assert (found["kind"], found["request"]) == ("text", {"args": {"seed": 1}})
    assert (found["answer"]["text"], found["answer"]["finish_reason"]) == ("hi", "stop")
    json.dumps(found)


def test_the_description_of_images_tells_what_they_are() -> None:
    value = rows.encode_images(ImageResult([LLMImage(PIXEL)]), ParameterReport(), {"prompt": "cat"})
    assert described(value)["answer"]["images"][0]["media_type"] == "image/png"
