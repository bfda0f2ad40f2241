"""Messages as the turns of a wire: who says what, which turns are joined, what a message means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.errors import InputError, InputTypeError
from heavenbase.types import Message
from heavenbase.wires import History, content_parts, is_failed, meaning, with_error_mark


class Turns(History):
    """A wire whose blocks are texts."""

    def add_system(self, message: Message, place: int) -> None:
        self.system.append({"text": message["content"]})

    def add_answer(self, message: Message, place: int) -> None:
        self.append("model", [{"text": message["content"]}])

    def add_result(self, message: Message, place: int) -> None:
        self.append("user", [{"result": message["content"]}], lambda block: "result" in block)

    def add_user(self, message: Message, place: int) -> None:
        self.append("user", [{"text": message["content"]}])


def written(make_call: Callable[..., Call], *messages: Message) -> Turns:
    turns = Turns(make_call(messages))
    turns.write()
    return turns


def test_messages_of_one_role_are_one_turn_with_the_results_of_tools_first(make_call: Callable[..., Call]) -> None:
    said = [
        ("system", "be short"),
        ("user", "a"),
        ("user", "b"),
        ("assistant", "c"),
        ("tool", "1"),
        ("user", "d"),
        ("tool", "2"),
    ]
    found = written(make_call, *({"role": role, "content": text} for role, text in said))
    assert found.system == [{"text": "be short"}]
    assert found.turns == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"result": "1"}, {"result": "2"}, {"text": "d"}]},
    ]


def test_names_of_speakers_are_lost_and_those_of_tools_are_not(make_call: Callable[..., Call]) -> None:
    found = written(make_call, {"role": "tool", "content": "x", "name": "find"})
    assert found.report.names("dropped") == []
    found = written(make_call, {"role": "user", "content": "x", "name": "Ada"})
    assert found.report.names("dropped") == ["name"]


def test_a_role_without_a_call_is_refused(make_call: Callable[..., Call]) -> None:
    with pytest.raises(InputError, match=r"message 0 has the role 'function'.*use the role tool"):
        written(make_call, {"role": "function", "content": "x"})


def test_content_is_a_list_of_parts_whatever_it_was() -> None:
    parts = [{"type": "image"}]
    assert content_parts(parts, 0) is parts
    assert content_parts("x", 0) == [{"type": "text", "text": "x"}]
    assert content_parts(None, 0) == content_parts("", 0) == []
    with pytest.raises(InputTypeError, match="content of message 3 must be text or a list"):
        content_parts(7, 3)


def call(arguments: str) -> dict[str, Any]:
    return {"id": "1", "function": {"name": "find", "arguments": arguments}}


def test_an_answer_means_its_text_and_its_calls() -> None:
    assert meaning({"content": None, "tool_calls": [call('{"a":1}'), call("")]}) == (
        "",
        [("1", "find", {"a": 1}), ("1", "find", {})],
    )
    assert meaning({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}) == ("ab", [])


@pytest.mark.parametrize(
    "message", [{"content": [{"type": "image"}]}, {"tool_calls": [call("{")]}, {"tool_calls": [call("[" * 100_000)]}]
)
def test_what_an_answer_means_is_not_known_with_other_parts_or_broken_arguments(message: Message) -> None:
    assert meaning(message) is None


def test_a_failed_result_says_so_or_is_one_that_hb_wrote() -> None:
    assert is_failed({"content": "x", "is_error": True})
    assert is_failed({"content": '{"ok": false, "error": "boom"}'})
    assert is_failed({"content": [], "is_error": True})
    assert not is_failed({"content": [{"type": "text", "text": '{"ok":false'}]})
    assert not is_failed({"content": "fine", "is_error": False})


def test_a_failed_result_of_a_tool_says_so_in_its_text_where_the_wire_has_no_field_for_it() -> None:
    failed: Message = {"role": "tool", "tool_call_id": "a", "content": "boom", "is_error": True}
    assert with_error_mark(failed) == {"role": "tool", "tool_call_id": "a", "content": "[ERROR] boom"}
    parts = [{"type": "text", "text": "boom"}]
    assert with_error_mark({**failed, "content": parts})["content"] == [{"type": "text", "text": "[ERROR]"}, *parts]
    assert with_error_mark({**failed, "is_error": False}) == {"role": "tool", "tool_call_id": "a", "content": "boom"}
    plain: Message = {"role": "tool", "tool_call_id": "a", "content": "boom"}
    assert with_error_mark(plain) is plain
