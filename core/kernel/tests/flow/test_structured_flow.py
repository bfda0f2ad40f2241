"""Calls with a response_format: values, asking again, streams, the ledger."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from heavenbase import LLMToolCallRepair
from heavenbase.errors import InputError, InputTypeError, StructuredOutputError, UnknownNameError
from heavenbase.structured import Partial
from heavenbase.types import Chunk, Completion, ToolCall, Usage

from ..support import both_colours, calling, scripted


class Person(BaseModel):
    name: str
    age: int


BOOK = {"name": "book", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
GOOD = '{"name": "Al", "age": 3}'
BAD = '{"name": "Al", "age": "old"}'
AL = Person(name="Al", age=3)


def test_the_value_comes_in_the_type_that_was_asked_for() -> None:
    for ask in both_colours(scripted(f"```json\n{GOOD}\n```").llm, "chat"):
        assert ask("who?", include="structured", response_format=Person) == AL
        assert ask("who?", include=["structured", "text"], response_format={"type": "json_object"}) == {
            "structured": {"name": "Al", "age": 3},
            "text": f"```json\n{GOOD}\n```",
        }


def test_the_gateway_gets_the_wire_s_dictionary() -> None:
    it = scripted(GOOD)
    answer = it.llm.complete("who?", response_format=Person)
    sent = it.gateway.calls[0].args["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["strict"] is True
    assert answer.structured == AL
    assert answer.messages == [{"role": "user", "content": "who?"}, {"role": "assistant", "content": GOOD}]


def test_a_default_of_the_llm_holds_for_its_calls() -> None:
    it = scripted(GOOD)
    llm = type(it.llm)(kernel=it.kernel, response_format=Person)
    assert llm.complete("who?").structured == AL
    assert llm.chat("who?", response_format=None) == GOOD


@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong(colour: int) -> None:
    it = scripted(BAD, GOOD)
    answer = both_colours(it.llm, "complete")[colour]("who?", response_format=Person)
    assert answer.structured == AL
    assert answer.text == GOOD
    first, second = it.gateway.calls
    assert second.messages[0] == first.messages[0]
    assert second.messages[1] == {"role": "assistant", "content": BAD}
    assert "age: Input should be a valid integer" in second.messages[2]["content"]
    assert [attempt.error for attempt in answer.attempts] == ["structured_output", None]
    assert answer.usage == Usage(4, 6)
    assert [attempt.usage for attempt in answer.attempts] == [Usage(2, 3), Usage(2, 3)]
    assert len(answer.messages) == 2


@pytest.mark.parametrize(("retries", "requests"), [(None, 2), (0, 1), (3, 4)])
def test_asking_again_ends(retries: int | None, requests: int) -> None:
    it = scripted(BAD)
    options = {} if retries is None else {"structured_retries": retries}
    with pytest.raises(StructuredOutputError, match="acme/tiny: age: Input should be") as caught:
        it.llm.chat("who?", response_format=Person, **options)
    assert len(it.gateway.calls) == requests
    assert [attempt.error for attempt in caught.value.attempts] == ["structured_output"] * requests
    assert caught.value.partial is not None
    assert caught.value.partial.text == BAD
    assert (caught.value.maybe_billed, caught.value.retryable) == (True, False)
    # Asked again, the model sees its last answer, not all of them.
    assert len(it.gateway.calls[-1].messages) == (3 if requests > 1 else 1)


@pytest.mark.parametrize(
    ("reason", "said"), [("length", "max_tokens"), ("refusal", "refused"), ("content_filter", "filter")]
)
def test_what_asking_again_cannot_mend_is_said_at_once(reason: Any, said: str) -> None:
    it = scripted(Completion('{"name": "Al', finish_reason=reason))
    with pytest.raises(StructuredOutputError, match=said):
        it.llm.chat("who?", response_format=Person)
    assert len(it.gateway.calls) == 1


def test_an_answer_that_calls_tools_is_not_held_to_the_format() -> None:
    calls = [ToolCall("1", "age_of", '{"name": "Al"}')]
    it = scripted(Completion(tool_calls=calls, finish_reason="tool_calls"), BAD, GOOD)

    def age_of(name: str) -> int:
        return 3

    answer = it.llm.complete("who?", tools=[age_of], response_format=Person)
    assert answer.structured == AL
    assert (len(it.gateway.calls), answer.tool_turns) == (3, 1)
    assert [message["role"] for message in answer.messages] == ["user", "assistant", "tool", "assistant"]


def test_plain_calls_read_json_without_insisting_on_it() -> None:
    it = scripted("no JSON")
    assert it.llm.chat("who?", include="structured") is None
    assert it.llm.chat("who?", response_format="text") == "no JSON"


def test_a_stream_gives_its_value_at_the_end() -> None:
    for ask in both_colours(scripted(GOOD).llm, "stream"):
        items = ask("who?", include=["text", "structured"], response_format=Person)
        assert "".join(item["text"] for item in items) == GOOD
        assert items[-1] == {"text": "", "structured": AL}


@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
def test_a_stream_announces_the_answer_that_replaces_one(colour: int) -> None:
    it = scripted(BAD, GOOD)
    chunks = both_colours(it.llm, "stream")[colour]("who?", include="chunk", response_format=Person)
    place = next(place for place, chunk in enumerate(chunks) if chunk.kind == "restart")
    assert "".join(chunk.text for chunk in chunks[:place]) == BAD
    assert "".join(chunk.text for chunk in chunks[place:]) == GOOD
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert chunks[-1].usage == Usage(4, 6)
    assert it.gateway.opened == it.gateway.closed == 2


def test_a_gathered_stream_keeps_the_ledger_of_both_answers() -> None:
    it = scripted(BAD, GOOD)
    answer = it.llm.complete("who?", response_format=Person, stream_chat=True)
    assert (answer.structured, answer.text, answer.usage) == (AL, GOOD, Usage(4, 6))
    assert [(a.error, a.usage) for a in answer.attempts] == [
        ("structured_output", Usage(2, 3)),
        (None, Usage(2, 3)),
    ]


def test_a_stream_that_never_fits_raises_at_its_end() -> None:
    it = scripted(BAD)
    seen: list[Chunk] = []
    with pytest.raises(StructuredOutputError) as caught:
        seen.extend(it.llm.stream("who?", include="chunk", response_format=Person))
    assert caught.value.partial is not None
    assert len(caught.value.attempts) == 2
    assert not any(chunk.finish_reason for chunk in seen)


def test_leaving_a_stream_closes_it() -> None:
    it = scripted(GOOD)
    stream = it.llm.stream("who?", response_format=Person)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert it.gateway.opened == it.gateway.closed == 1


@pytest.mark.parametrize("option", [{"structured_stream": False}, {"enforce_non_stream_structured": True}], ids=str)
def test_a_model_without_structured_streams_is_asked_without_one(option: dict[str, Any]) -> None:
    it = scripted(GOOD)
    for ask in both_colours(it.llm, "stream"):
        assert ask("who?", response_format=Person, **option) == [GOOD]
    assert it.gateway.opened == 0
    assert it.llm.complete("who?", response_format=Person, stream_chat=True, **option).structured == AL
    assert list(it.llm.stream("hi", **option)) == list(GOOD)


def test_partial_objects_grow_and_are_a_type_of_their_own() -> None:
    for ask in both_colours(scripted(f"Sure {{x}}: {GOOD}").llm, "stream"):
        items = ask("who?", include="partial", response_format=Person)
        assert all(isinstance(item, Partial) for item in items)
        values = [item.value for item in items]
        assert {} in values
        assert {"name": "A"} in values
        assert items[-1] == Partial({"name": "Al", "age": 3}, is_complete=True)
        assert [item.is_complete for item in items].count(True) == 1
        assert len(values) == len({json.dumps(value) for value in values}) + 1


def test_partial_objects_begin_again_with_the_answer() -> None:
    items = list(scripted(BAD, GOOD).llm.stream("who?", include="partial", response_format=Person))
    values = [item.value for item in items]
    assert values.index({"name": "Al", "age": "old"}) < values.index({}, 2) < len(values) - 1
    assert items[-1].value == {"name": "Al", "age": 3}


def test_partial_lists_come_without_their_wrapping() -> None:
    items = list(scripted('{"value": [1, 22]}').llm.stream("n?", include=["partial", "structured"],
                                                            response_format=list[int]))  # fmt: skip
    values = [item["partial"].value for item in items if item["partial"] is not None]
    assert values[-1] == [1, 22]
    assert [] in values
    assert items[-1]["structured"] == [1, 22]


def test_partial_needs_a_format_before_anything_is_sent() -> None:
    it = scripted(GOOD)
    with pytest.raises(InputError, match="response_format"):
        it.llm.stream("who?", include="partial")
    with pytest.raises(UnknownNameError):
        it.llm.chat("who?", include="partial", response_format=Person)
    assert it.gateway.calls == []


def test_bad_formats_and_counts_fail_before_anything_is_sent() -> None:
    it = scripted(GOOD)
    with pytest.raises(UnknownNameError, match="json_object"):
        it.llm.chat("who?", response_format="json")
    with pytest.raises(InputTypeError, match="pass the class"):
        it.llm.chat("who?", response_format=AL)
    with pytest.raises(InputError, match="structured_retries must be at least 0"):
        it.llm.chat("who?", response_format=Person, structured_retries=-1)
    assert it.gateway.calls == []


def test_h4_a_long_answer_is_checked_beside_the_loop() -> None:
    seen: list[int] = []

    class Noted(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def note(cls, text: str) -> str:
            seen.append(threading.get_ident())
            return text

    async def run() -> None:
        for text in ("short", "long" * 5_000):
            made = scripted(json.dumps({"text": text}))
            assert (await made.llm.achat("q", "structured", response_format=Noted)).text == text
            async for _ in made.llm.astream("q", "structured", response_format=Noted):
                pass

    asyncio.run(run())
    here = threading.get_ident()
    assert [ident == here for ident in seen] == [True, True, False, False]


def test_h4_long_arguments_are_mended_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    mend = LLMToolCallRepair.repair
    monkeypatch.setattr(
        LLMToolCallRepair, "repair", lambda self, *given: (seen.append(threading.get_ident()), mend(self, *given))[1]
    )

    async def run() -> None:
        for text in ("short", "long" * 5_000):
            made = scripted(calling(("book", f"{{'city': '{text}',}}")))
            answer = await made.llm.acomplete("go", tools=[BOOK], repair_tool_calls=True)
            assert answer.tool_calls[0].parse() == {"city": text}
            (streamed,) = [
                item async for item in made.llm.astream("go", "completion", tools=[BOOK], repair_tool_calls=True)
            ]
            assert streamed.tool_calls[0].parse() == {"city": text}

    asyncio.run(run())
    here = threading.get_ident()
    assert [ident == here for ident in seen] == [True, True, False, False]


NESTED = {"type": "object", "properties": {"c": {"$ref": "#"}, "n": {"type": "string"}}}


@pytest.mark.parametrize("depth", [150, 300, 700])
def test_b18_an_answer_that_is_nested_deeply_is_a_value_or_a_typed_error(depth: int) -> None:
    made = scripted('{"c": ' * depth + '{"n": null}' + "}" * depth)
    for ask in both_colours(made.llm, "chat"):
        if depth < 200:
            assert ask("q", "structured", response_format=NESTED)["c"]
        else:
            with pytest.raises(StructuredOutputError, match="nested deeper than 200"):
                ask("q", response_format=NESTED, structured_retries=0)


class Leaf(BaseModel):
    kind: Literal["leaf"]
    inner: Leaf | Twig | Branch | None = None


class Twig(BaseModel):
    kind: Literal["twig"]
    inner: Leaf | Twig | Branch | None = None


class Branch(BaseModel):
    kind: Literal["branch"]
    inner: Leaf | Twig | Branch | None = None


class Tree(BaseModel):
    root: Leaf | Twig | Branch


def _tree(depth: int, kind: str) -> str:
    return '{"root": ' + '{"kind": "branch", "inner": ' * depth + f'{{"kind": "{kind}"}}' + "}" * (depth + 1)


def test_b18_alternatives_within_alternatives_are_tried_a_bounded_number_of_times() -> None:
    made = scripted(_tree(6, "leaf"))
    assert isinstance(made.llm.chat("q", "structured", response_format=Tree), Tree)
    for kind, told in (("leaf", "give the union a discriminator"), ("stone", "kind: ")):
        made = scripted(_tree(40, kind))  # pydantic would need 3 ** 40 tries
        with pytest.raises(StructuredOutputError, match=told):
            made.llm.chat("q", "structured", response_format=Tree, structured_retries=0)


class Stop(BaseModel):
    kind: Literal["stop"]


class Chain(BaseModel):
    kind: Literal["chain"]
    inner: Annotated[Chain | Stop, Field(discriminator="kind")]


def test_b18_alternatives_that_a_field_tells_apart_may_be_nested_as_deeply_as_any_answer() -> None:
    made = scripted('{"kind": "chain", "inner": ' * 90 + '{"kind": "stop"}' + "}" * 90)
    assert isinstance(made.llm.chat("q", "structured", response_format=Chain), Chain)
