"""LLMSession: what a conversation remembers, how it is changed, saved and resumed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from heavenbase import LLM, LLMImage, LLMSession
from heavenbase.errors import HBWarning, InputError, ServerError, UnknownNameError
from heavenbase.functions import set_default_kernel
from heavenbase.image.pixels import make_picture
from heavenbase.types import Chunk, Completion

from ..support import calling, make_kernel, scripted

SCHEMA = {"name": "find", "parameters": {"type": "object", "properties": {}}}


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def echo(call: Any) -> Any:
    """Answers with the number of messages and the last text."""
    return f"{len(call.messages)}: {call.messages[-1]['content']}"


def session(*script: Any, **options: Any) -> LLMSession:
    return LLMSession(scripted(*(script or (echo,))).llm, **options)


def roles(talk: LLMSession) -> str:
    return " ".join(message["role"] for message in talk.messages)


# Turns


def test_each_turn_is_asked_with_the_whole_conversation() -> None:
    talk = session()
    assert talk.send("one") == {"role": "assistant", "content": "1: one"}
    assert talk.send("two", "text") == "3: two"
    assert [message["content"] for message in talk.messages] == ["one", "1: one", "two", "3: two"]
    assert isinstance(talk.last, Completion)


def test_async_turns_equal_sync_ones() -> None:
    talk = session()

    async def main() -> None:
        assert await talk.asend("one", "text") == "1: one"
        assert "".join([piece async for piece in talk.astream("two")]) == "3: two"

    asyncio.run(main())
    assert [message["content"] for message in talk.messages] == ["one", "1: one", "two", "3: two"]


def test_the_system_message_is_put_first_once_and_can_be_changed() -> None:
    talk = session(system="Be kind.")
    talk.send("one", system="Be kind.")
    talk.send("two", system="Be brief.")
    assert roles(talk) == "system user assistant user assistant"
    assert talk.system == "Be brief."
    talk.system = None
    assert roles(talk) == "user assistant user assistant"


def test_images_go_with_the_prompt() -> None:
    talk = session("a picture")
    talk.send("what is this?", images=make_picture("x"))
    text, image = talk.messages[0]["content"]
    assert text == {"type": "text", "text": "what is this?"}
    assert isinstance(image["image"], LLMImage)


def test_tools_are_used_in_every_turn_and_their_rounds_remembered() -> None:
    talk = session(calling(("add", {"a": 40, "b": 2})), "42!")
    talk.add_tool(add)
    assert talk.list_tools() == ["add"]
    assert talk.send("what is 40 + 2?", "text") == "42!"
    assert roles(talk) == "user assistant tool assistant"
    with pytest.raises(InputError, match="two tools are named 'add'"):
        talk.add_tools([add])


def test_a_turn_that_fails_leaves_nothing_behind() -> None:
    def down(call: Any) -> Any:
        raise ServerError("down", status=500)

    talk = session("fine", down)
    talk.send("one")
    before = list(talk.messages)
    for ask in (
        talk.send,
        lambda *a, **k: list(talk.stream(*a, **k)),
        lambda *a, **k: asyncio.run(talk.asend(*a, **k)),
    ):
        with pytest.raises(ServerError):
            ask("two", max_retries=0, system="changed")
    assert talk.messages == before
    assert talk.system is None


def test_a_stream_is_remembered_when_it_ends_and_as_far_as_it_came_when_it_is_left() -> None:
    talk = session("hello")
    assert list(talk.stream("one")) == list("hello")
    assert talk.messages[-1]["content"] == "hello"
    pieces = talk.stream("two")
    assert [next(pieces), next(pieces)] == ["h", "e"]
    pieces.close()  # type: ignore[attr-defined]
    assert [message["content"] for message in talk.messages[-2:]] == ["two", "he"]
    begun = talk.stream("three")
    begun.close()  # type: ignore[attr-defined]
    assert len(talk.messages) == 4

    async def main() -> None:
        stream = talk.astream("four")
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert [message["content"] for message in talk.messages[-2:]] == ["four", "h"]


def test_a_stream_says_one_thing() -> None:
    talk = session([Chunk(reasoning="hm"), Chunk("4"), Chunk("2"), Chunk(finish_reason="stop")])
    assert list(talk.stream("one", "think")) == ["hm"]
    assert [chunk.text for chunk in talk.stream("two", "chunk")] == ["", "4", "2", ""]
    with pytest.raises(InputError, match="a session streams one thing"):
        talk.stream("three", ["text", "think"])
    with pytest.raises(UnknownNameError, match="did you mean 'text'"):
        talk.stream("three", "txt")
    with pytest.raises(UnknownNameError, match="did you mean 'text'"):
        talk.send("three", "txt")
    assert len(talk.messages) == 4


# Waiting calls


def test_a_session_waits_for_people_and_goes_on() -> None:
    talk = session(calling(("add", {"a": 40, "b": 2})), "42!", tools=hb.tool(add, confirm=True))
    talk.send("what is 40 + 2?")
    (waiting,) = talk.pending
    assert waiting.name == "add"
    assert talk.resume({waiting.id: hb.RUN}).text == "42!"
    assert roles(talk) == "user assistant tool assistant"
    assert talk.pending == []


def test_a_session_goes_on_with_waiting_calls_after_it_was_loaded(tmp_path: Path) -> None:
    talk = session(calling(("add", {"a": 40, "b": 2})), tools=hb.tool(add, confirm=True))
    talk.send("what is 40 + 2?")
    talk.save(tmp_path / "talk.json")
    loaded = LLMSession.load(tmp_path / "talk.json", scripted("42!").llm, tools=add)
    (waiting,) = loaded.pending
    assert asyncio.run(loaded.aresume({waiting.id: hb.RUN})).text == "42!"
    assert loaded.messages[2]["content"] == "42"


def test_a_waiting_call_that_is_passed_over_is_answered_for_the_model() -> None:
    talk = session(calling(("find", {})), "never mind", tools=[SCHEMA])
    talk.send("find it")
    talk.send("forget it")
    assert roles(talk) == "user assistant tool user assistant"
    assert json.loads(talk.messages[2]["content"])["error"]["type"] == "NotRun"


# Changes


def test_turns_can_be_taken_back() -> None:
    talk = session(system="Be kind.")
    for prompt in ("one", "two", "three"):
        talk.send(prompt)
    assert [message["content"] for message in talk.back()] == ["three", "6: three"]
    assert [message["role"] for message in talk.undo(2)] == ["user", "assistant", "user", "assistant"]
    assert talk.back() == []
    assert roles(talk) == "system"


def test_a_turn_with_tools_is_taken_back_whole() -> None:
    talk = session("hi", calling(("add", {"a": 40, "b": 2})), "42!", tools=[add])
    talk.send("hello")
    talk.send("what is 40 + 2?")
    assert len(talk.back()) == 4
    assert roles(talk) == "user assistant"


def test_the_last_question_is_asked_again_past_the_cache() -> None:
    made = scripted(echo)
    talk = LLMSession(made.llm)
    talk.send("one", "text")
    made.gateway.script = ["another"]
    assert talk.regenerate(seed=7) == {"role": "assistant", "content": "another"}
    assert [message["content"] for message in talk.messages] == ["one", "another"]
    assert made.gateway.calls[-1].args["seed"] == 7
    assert made.gateway.calls[-1].controls["cache"] is False
    made.gateway.script = [ServerError("down", status=500)]
    with pytest.raises(ServerError):
        talk.regenerate(max_retries=0)
    assert [message["content"] for message in talk.messages] == ["one", "another"]
    with pytest.raises(InputError, match="nothing was asked yet"):
        session().regenerate()


def test_clear_keeps_the_system_message() -> None:
    talk = session(system="Be kind.")
    talk.send("one")
    talk.clear()
    assert roles(talk) == "system"
    assert talk.last is None


def test_answers_can_be_added_and_messages_replaced() -> None:
    talk = session()
    talk.append_assistant("How can I help?")
    assert talk.send("so", "text") == "2: so"
    talk.messages = ["one", {"role": "assistant", "content": "two"}]
    assert roles(talk) == "user assistant"


def test_without_an_llm_it_is_the_default_one(no_default_kernel: None) -> None:
    set_default_kernel(make_kernel("hello"))
    assert LLMSession().send("hi", "text") == "hello"


# Files


def conversation(**options: Any) -> LLMSession:
    made = scripted(calling(("add", {"a": 40, "b": 2})), "42!")
    llm = LLM(kernel=made.kernel, temperature=0.3, max_tool_turns=4, api_key="sk-secret-000", headers={"x-key": "sk-1"})
    talk = LLMSession(llm, tools=[add, SCHEMA], system="Be kind.", **options)
    talk.send("what is 40 + 2?", images=make_picture("x"))
    return talk


def test_all_of_a_session_is_saved_and_loaded(tmp_path: Path) -> None:
    talk = conversation()
    path = tmp_path / "deep" / "talk.json"
    talk.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["talk.json"]
    loaded = LLMSession.load(path, make_llm(), tools=[add])
    assert loaded.to_dict()["messages"] == talk.to_dict()["messages"]
    assert loaded.list_tools() == ["add", "find"]
    assert loaded.send("and now?", "text") == "hello"


def make_llm() -> LLM:
    return scripted("hello").llm  # type: ignore[no-any-return]


def test_the_llm_of_a_file_is_made_of_its_names_and_arguments(tmp_path: Path, no_default_kernel: None) -> None:
    talk = conversation()
    talk.save(tmp_path / "talk.json")
    text = (tmp_path / "talk.json").read_text()
    assert "sk-" not in text
    assert "x-key" not in text
    set_default_kernel(make_kernel("hello"))
    loaded = LLMSession.load(tmp_path / "talk.json", tools=[add])
    assert loaded.llm.spec.args["temperature"] == 0.3
    assert loaded.llm.spec.args["max_tool_turns"] == 4
    assert loaded.llm.spec.model_id == talk.llm.spec.model_id


def test_a_tool_that_is_missing_is_left_out_with_a_warning(tmp_path: Path) -> None:
    conversation().save(tmp_path / "talk.json")
    with pytest.warns(HBWarning, match="tool 'add' of the saved session is left out"):
        loaded = LLMSession.load(tmp_path / "talk.json", make_llm())
    assert loaded.list_tools() == ["find"]


def test_a_file_cannot_move_the_endpoint_or_bring_a_key(tmp_path: Path, no_default_kernel: None) -> None:
    data = session().to_dict()
    data["llm"]["options"] = {"base_url": "https://evil.test", "headers": {"a": "b"}, "extra_body": {"x": 1}, "seed": 3}
    (tmp_path / "talk.json").write_text(json.dumps(data))
    set_default_kernel(make_kernel("hello"))
    loaded = LLMSession.load(tmp_path / "talk.json")
    assert loaded.llm.spec.base_url == "https://acme.test/v1"
    assert not loaded.llm.spec.headers
    assert loaded.llm.spec.args["seed"] == 3
    assert "extra_body" not in loaded.llm.spec.args


def test_what_is_no_session_is_an_error(tmp_path: Path) -> None:
    for text, message in (
        ("{}", "its format is not"),
        ("", "the file is empty"),
        ("hello\n", "neither a saved session nor the log of one"),
        ('{"format": "heavenbase.session", "version": 9}', "version 9"),
        ("[1]", "its format is not"),
    ):
        (tmp_path / "talk.json").write_text(text)
        with pytest.raises(InputError, match=message):
            LLMSession.load(tmp_path / "talk.json", make_llm())
    with pytest.raises(FileNotFoundError):
        LLMSession.load(tmp_path / "nothing.json", make_llm())


# The log


def test_a_log_tells_of_every_change_and_is_gone_on_with(tmp_path: Path) -> None:
    log = tmp_path / "talk.jsonl"
    talk = session(system="Be kind.", log=log)
    talk.send("one")
    talk.send("two")
    talk.back()
    talk.send("three")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    loaded = LLMSession.load(log, scripted(echo).llm)
    assert loaded.messages == talk.messages
    loaded.send("four")
    loaded.clear()
    loaded.send("five")
    again = LLMSession.load(log, make_llm())
    assert [message["content"] for message in again.messages] == ["Be kind.", "five", "2: five"]


def test_a_log_that_was_cut_off_loses_only_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "talk.jsonl"
    talk = session(log=log)
    talk.send("one")
    kept = list(talk.messages)
    talk.send("two")
    log.write_bytes(log.read_bytes()[:-9])
    with pytest.warns(HBWarning, match="line 3 was cut off"):
        loaded = LLMSession.load(log, scripted(echo).llm)
    assert loaded.messages == kept
    loaded.send("three")
    with pytest.warns(HBWarning, match="line 3 was cut off"):
        again = LLMSession.load(log, make_llm())
    assert [message["content"] for message in again.messages] == ["one", "1: one", "three", "3: three"]


def test_images_survive_files_and_logs(tmp_path: Path) -> None:
    talk = conversation(log=tmp_path / "talk.jsonl")
    talk.save(tmp_path / "talk.json")
    for name in ("talk.json", "talk.jsonl"):
        loaded = LLMSession.load(tmp_path / name, make_llm(), tools=[add])
        image = loaded.messages[1]["content"][1]["image"]
        assert image.to_bytes() == make_picture("x")


HEAD = '"format": "heavenbase.session", "version": 1'


@pytest.mark.parametrize(
    "content",
    [
        b"\x80",
        b"[" * 100_000,
        b'{"op": "begin", "session": 5}\n{"op": "add", "messages": []}',
        b'{"op": "begin", "session": {"messages": []}}\n{"op": "add"}',
        f'{{{HEAD}, "messages": 5}}'.encode(),
        f'{{{HEAD}, "llm": 5, "messages": []}}'.encode(),
        f'{{{HEAD}, "llm": {{"preset": "mock"}}, "messages": []}}'.encode(),
    ],
)
def test_a_damaged_session_file_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "talk.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        LLMSession.load(path)


@pytest.mark.parametrize(
    ("wrong", "right", "where"),
    [("temprature", "temperature", "llm"), ("optoins", "options", "llm"), ("mesages", "messages", "")],
)
def test_a_misspelt_key_of_a_session_file_is_told_with_the_nearest_one(wrong: str, right: str, where: str) -> None:
    kernel = make_kernel()
    saved = LLMSession(LLM(kernel=kernel, temperature=1)).to_dict()
    table = saved[where] if where else saved
    table[wrong] = table.pop(right, 1)
    with pytest.raises(UnknownNameError, match=f"unknown key of a saved session {wrong!r}") as caught:
        LLMSession.from_dict(saved, llm=LLM(kernel=kernel))
    assert right == "temperature" or caught.value.nearest == right
