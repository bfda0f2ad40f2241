"""Structured answers on every native wire: who keeps to a schema, who is told it, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest

from heavenbase.errors import StructuredOutputError
from tests.matrix import EVERY, INSTALLED, WAYS, Bench, Row

RULES = {"role": "system", "content": "rules of the house"}
QUESTION = {"role": "user", "content": "Which city?"}


class Mayor(pydantic.BaseModel):
    name: str
    since: int | None = None


class City(pydantic.BaseModel):
    name: str
    mayor: Mayor | None = None


ULM = City(name="Ulm", mayor=Mayor(name="Ansbacher", since=2024))
SAID = ULM.model_dump_json()
NATIVE = {"openai": "gpt-4o-mini", "azure": "chats", "gemini": "gemini-2.5-flash", "ollama": "llama3.2"}
"""Models whose wire takes a schema, by provider."""
TOLD = ("groq", "mistral", "cohere", "anthropic", "bedrock")
"""Providers some of whose models are told the schema in words."""
KEEPING = ("mistral", "cohere")
"""Those of them whose format may also carry the schema, which is more than words."""


def rows(*names: str) -> pytest.MarkDecorator:
    """The installed ones of these."""
    return pytest.mark.parametrize("row", [row for row in INSTALLED if row.name in names], ids=lambda row: row.name)


def schema_in(row: Row, body: dict[str, Any]) -> dict[str, Any]:
    """The schema that a body demands."""
    if row.family == "gemini":
        config = body["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        found = config.get("responseJsonSchema") or config["responseSchema"]
    elif row.family == "ollama":
        found = body["format"]
    else:
        assert body["response_format"]["type"] == "json_schema"
        assert body["response_format"]["json_schema"]["strict"] is True
        found = body["response_format"]["json_schema"]["schema"]
    return dict(found)


def objects(node: Any) -> list[dict[str, Any]]:
    """Every schema of an object inside a schema."""
    if isinstance(node, list):
        return [found for item in node for found in objects(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if isinstance(node.get("properties"), dict) else []
    return own + [found for item in node.values() for found in objects(item)]


def told_in(row: Row, body: dict[str, Any]) -> str:
    """What the model is told before the conversation."""
    found = body.get("system") or body["messages"][0]
    return json.dumps(found, ensure_ascii=False)


@rows(*NATIVE)
@WAYS
def test_g08_a_schema_is_demanded_of_those_that_keep_to_one(bench: Bench, way: str) -> None:
    bench.reply(SAID)
    answer = bench.ask(way, [RULES, QUESTION], response_format=City)
    assert answer.structured == ULM
    schema = schema_in(bench.row, bench.sent)
    assert set(schema["properties"]) == {"name", "mayor"}
    assert bench.row.family == "ollama" or "schema" not in json.dumps(bench.sent.get("messages", "")).lower()
    if bench.row.family == "openai":
        nested = objects(schema)
        assert len(nested) == 2
        assert all(each["additionalProperties"] is False for each in nested)
        assert all(set(each["required"]) == set(each["properties"]) for each in nested)


@rows(*TOLD)
@WAYS
def test_g09_the_others_are_told_the_schema_behind_the_callers_own_words(bench: Bench, way: str) -> None:
    bench.reply(SAID)
    answer = bench.ask(way, [RULES, QUESTION], response_format=City)
    assert answer.structured == ULM
    body, told = bench.sent, told_in(bench.row, bench.sent)
    assert answer.report is not None
    outcome = answer.report.entries["response_format"].outcome
    if bench.row.name in KEEPING:
        assert body["response_format"]["type"] in ("json_object", "json_schema")
        assert "mayor" in json.dumps(body["response_format"]) + told
        assert (outcome == "emulated") == ("mayor" in told)
    else:
        assert told.index("rules of the house") < told.index("mayor")
        assert outcome == "emulated"
    if bench.row.name == "groq":
        assert body["response_format"] == {"type": "json_object"}
    if "messages" in body and bench.row.family not in ("anthropic", "bedrock"):
        assert sum(message["role"] == "system" for message in body["messages"]) == 1


@EVERY
@WAYS
@pytest.mark.parametrize(
    "around",
    ["{}", "```json\n{}\n```", "Sure, in braces {{as you like}}:\n{}\nThat is it.", "<think>a {{b}}</think>\n{}"],
    ids=["plain", "fence", "preamble with braces", "thoughts"],
)
def test_g09_the_json_is_found_in_what_stands_around_it(bench: Bench, way: str, around: str) -> None:
    bench.reply(around.replace("{{", "<").replace("}}", ">").replace("{}", SAID).replace("<", "{").replace(">", "}"))
    assert bench.ask(way, response_format=City).structured == ULM


@EVERY
@WAYS
def test_g10_an_answer_is_an_instance_of_the_model_that_was_asked_for(bench: Bench, way: str) -> None:
    bench.reply(SAID)
    found = bench.ask(way, response_format=City).structured
    assert isinstance(found, City)
    assert isinstance(found.mayor, Mayor)


@EVERY
@WAYS
@pytest.mark.parametrize("said", ['{"mayor": 3}', "no JSON at all"], ids=["wrong type", "prose"])
def test_g10_an_answer_that_does_not_fit_is_an_error_with_its_text(bench: Bench, way: str, said: str) -> None:
    bench.reply(said)
    with pytest.raises(StructuredOutputError) as caught:
        bench.ask(way, response_format=City, structured_retries=0)
    assert caught.value.partial is not None
    assert caught.value.partial.text == said
    assert caught.value.provider == bench.row.name
    assert len(bench.server.requests) == 1


@EVERY
@WAYS
def test_g10_an_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong(bench: Bench, way: str) -> None:
    bench.reply('{"mayor": 3}')
    bench.reply(SAID)
    assert bench.ask(way, response_format=City).structured == ULM
    _, second = bench.server.requests
    assert "name" in json.dumps(second.json.get("contents") or second.json["messages"])


@EVERY
def test_g10_a_stream_gives_the_checked_value_at_its_end(bench: Bench) -> None:
    llm = bench.llm()

    async def read() -> list[Any]:
        return [item async for item in llm.astream("hi", include="structured", response_format=City)]

    bench.reply(SAID)
    found = bench.colour.run(lambda: list(llm.stream("hi", include="structured", response_format=City)), read)
    assert found == [ULM]
