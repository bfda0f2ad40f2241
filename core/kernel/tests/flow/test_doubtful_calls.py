"""Tool calls of which it is not sure what the model asked for: none is run, and none is lost."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase import RUN
from heavenbase.errors import ToolArgsError, TruncatedAnswerWarning
from heavenbase.gather import ToolCallAssembler
from heavenbase.tools.repair import LLMToolCallRepair
from heavenbase.types import Chunk, ToolCall, ToolCallDelta

from ..support import both_colours, calling, scripted

Fragment = tuple[int | None, str | None, str | None, str]
VERBS = ("complete", "stream")


class Tools:
    """A tool that nobody wants to run by mistake, and one beside it; `ran` is what they were run with."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []

    @property
    def given(self) -> dict[str, Any]:
        return {"delete": self.delete, "note": self.note}

    def delete(self, path: str = "/") -> str:
        self.ran.append(("delete", path))
        return "deleted"

    def note(self, a: Any = None) -> str:
        self.ran.append(("note", a))
        return "noted"


def assembled(*fragments: Fragment) -> list[tuple[str, str, str]]:
    assembler = ToolCallAssembler()
    for fragment in fragments:
        assembler.feed(ToolCallDelta(*fragment))
    return [(call.id, call.name, call.arguments) for call in assembler.calls()]


BOTH = [("A", "delete", '{"path":"/tmp/x"}'), ("B", "note", '{"a":2}')]


@pytest.mark.parametrize("indexes", [(0, 0), (0, 1), (1, 0), (None, None), (0, None)])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("name", [None, "", "its own"])
def test_b2_a_fragment_belongs_to_the_call_of_its_id_whatever_its_index_says(
    indexes: tuple[int | None, int | None], swapped: bool, name: str | None
) -> None:
    first, second = indexes
    names = ("delete", "note") if name == "its own" else (name, name)
    later = (second, first) if swapped else indexes
    found = assembled(
        (first, "A", "delete", ""),
        (second, "B", "note", ""),
        (later[0], "A", names[0], '{"path":'),
        (later[1], "B", names[1], '{"a":'),
        (later[0], "A", names[0], '"/tmp/x"}'),
        (later[1], "B", names[1], "2}"),
    )
    assert found == BOTH


def test_b2_calls_of_one_id_are_told_apart_by_index_and_by_name() -> None:
    same = [(place, "A", name, text) for place, (_, name, text) in enumerate(BOTH)]
    assert assembled(*same) == [("A", name, text) for _, name, text in BOTH]
    twice = assembled((0, "A", "note", '{"a":1}'), (1, "A", "note", ""), (1, "A", None, '{"a":2}'))
    assert twice == [("A", "note", '{"a":1}'), ("A", "note", '{"a":2}')]


def test_b2_a_number_that_moves_on_with_each_fragment_does_not_cut_a_call() -> None:
    found = assembled((0, "A", "delete", ""), (1, "A", "delete", '{"path":'), (2, "A", None, '"/tmp/x"}'))
    assert found == BOTH[:1]


@pytest.mark.parametrize("colour", [0, 1])
def test_b2_what_is_run_is_what_each_id_was_given(colour: int) -> None:
    tools = Tools()
    fragments = [(0, "A", "delete", ""), (0, "B", "note", ""), (0, "A", None, '{"path":"/tmp/x"}'), (0, "B", None, "")]
    asked = [*(Chunk(tool_calls=[ToolCallDelta(*it)]) for it in fragments), Chunk(finish_reason="tool_calls")]
    both_colours(scripted(asked, "done").llm, "stream")[colour]("go", tools=tools.given)
    assert sorted(tools.ran) == [("delete", "/tmp/x"), ("note", None)]


# What can be read in two ways

DOUBTFUL = [
    '{"a": 1, "a": 2}',
    '{"a": 1, "\\u0061": 2}',
    '{"a": {"b": 1, "b": 2}}',
    '{"a": [{"b": 1, "b": 2}]}',
    '{"a": 1}{"a": 2}',
    '{"a": 1}\n{"a": 2}',
]


@pytest.mark.parametrize("text", DOUBTFUL)
@pytest.mark.parametrize("repair", [None, True])
def test_b15_arguments_that_say_two_things_are_not_run(text: str, repair: bool | None) -> None:
    with pytest.raises(ToolArgsError):
        ToolCall("id", "note", text).parse()
    for verb in VERBS:
        for colour in range(2):
            tools, made = Tools(), scripted(calling(("delete", {}), ("note", text), text="so"), "done")
            with pytest.raises(ToolArgsError, match="are in `pending`") as caught:
                both_colours(made.llm, verb)[colour]("go", tools=tools.given, repair_tool_calls=repair)
            assert tools.ran == []
            partial = caught.value.partial
            assert partial is not None
            assert [call.name for call in partial.pending] == ["delete", "note"]
            assert partial.text == "so"
            assert made.llm.resume(partial, {"id-delete": RUN, "id-note": "given up"}).text == "done"
            assert tools.ran == [("delete", "/")]


def test_b15_calls_of_schemas_are_handed_back_as_they_came() -> None:
    made = scripted(calling(("note", DOUBTFUL[0])))
    answer = made.llm.complete("go", tools=[{"name": "note", "parameters": {"type": "object", "properties": {}}}])
    assert [call.arguments for call in answer.pending] == [DOUBTFUL[0]]


@pytest.mark.parametrize("index", [None, 0])
def test_b15_fragments_that_name_no_call_are_not_given_to_one_of_several(index: int | None) -> None:
    pieces = ['{"path":"/tmp/x"}', '{"a":2}']
    for texts in (pieces, ['{"path"', '{"a":', ':"/tmp/x"}', "2}"]):
        fragments = [(index, "A", "delete", ""), (index, "B", "note", ""), *((index, None, None, it) for it in texts)]
        asked = [*(Chunk(tool_calls=[ToolCallDelta(*it)]) for it in fragments), Chunk(finish_reason="tool_calls")]
        tools = Tools()
        with pytest.raises(ToolArgsError) as caught:
            list(scripted(asked, "done").llm.stream("go", tools=tools.given))
        assert tools.ran == []
        assert caught.value.partial is not None
        assert [call.name for call in caught.value.partial.pending] == ["delete", "note"]


def test_b15_one_call_after_the_other_needs_neither_id_nor_index() -> None:
    found = assembled(
        (None, "A", "delete", ""),
        (None, None, None, '{"path":'),
        (None, None, None, '"/tmp/x"}'),
        (None, "B", "note", ""),
        (None, None, None, '{"a":2}'),
    )
    assert found == BOTH


# No finish reason


@pytest.mark.parametrize("raw", [None, ""])
@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("verb", VERBS)
def test_b5_whole_calls_of_an_answer_without_a_finish_reason_are_run(verb: str, colour: int, raw: str | None) -> None:
    tools, made = Tools(), scripted(calling(("note", {"a": 1}), finish="other", raw=raw), "done")
    both_colours(made.llm, verb)[colour]("go", tools=tools.given)
    assert tools.ran == [("note", 1)]


@pytest.mark.parametrize(("text", "raw"), [('{"a": 1', None), ('{"a": 1}', "who_knows"), ("nothing", "")])
@pytest.mark.parametrize("colour", [0, 1])
def test_b5_calls_that_are_not_run_are_pending(text: str, raw: str | None, colour: int) -> None:
    tools, made = Tools(), scripted(calling(("note", text), finish="other", raw=raw), "done")
    answer = both_colours(made.llm, "complete")[colour]("go", tools=tools.given)
    assert (tools.ran, [call.arguments for call in answer.pending]) == ([], [text])
    assert answer.finish_reason == "other"
    assert made.llm.resume(answer, {"id-note": "later"}).text == "done"


@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("verb", ["chat", "stream"])
def test_b5_who_sees_the_text_alone_is_warned_of_calls_that_were_not_run(verb: str, colour: int) -> None:
    tools, made = Tools(), scripted(calling(("note", '{"a": 1}'), finish="other", raw="who_knows"), "done")
    with pytest.warns(TruncatedAnswerWarning, match="it ended with 'who_knows'.: no tool was run, see `pending`"):
        both_colours(made.llm, verb)[colour]("go", tools=tools.given)
    assert tools.ran == []


# Cut arguments

CUT = ['{"a": "/tm', '{"a": "/tmp"', '{"a": ["/tmp"]', "{'a': '/tm", '```json\n{"a": "/tm']


@pytest.mark.parametrize("text", CUT)
def test_b15_arguments_that_were_cut_are_repaired_for_the_eye_and_not_run(text: str) -> None:
    (mended,) = LLMToolCallRepair().repair([ToolCall("id", "note", text)])
    assert mended.repaired
    assert mended.changes[-1] == "closed what was cut off"
    for colour in range(2):
        tools, made = Tools(), scripted(calling(("note", text)), "done")
        both_colours(made.llm, "complete")[colour]("go", tools=tools.given, repair_tool_calls=True)
        assert tools.ran == []
        assert "cut off" in made.gateway.calls[-1].messages[-1]["content"]


@pytest.mark.parametrize("text", ['{"a": "x}",}', "{a: it's}", "{'a': '['}", '{"a": 1 "b": 2}'])
def test_b15_what_is_whole_is_not_called_cut(text: str) -> None:
    (mended,) = LLMToolCallRepair().repair([ToolCall("id", "note", text)])
    assert "closed what was cut off" not in mended.changes
