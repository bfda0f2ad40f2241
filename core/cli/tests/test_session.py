"""`hb session`: turns from a pipe or a person, its commands, tools, files, the log."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_cli import lines
from heavenbase.errors import ServerError
from heavenbase.types import Chunk, ToolCallDelta

from .conftest import chunks

Run = Callable[..., Any]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TOOLS = '''
ran = []

def buy(item: str) -> str:
    """Buy something."""
    ran.append(item)
    return f"bought {item}"
'''


def sent(gateway: Any) -> Any:
    return gateway.calls[-1].messages


def buying(item: str = "tea") -> list[Chunk]:
    delta = ToolCallDelta(0, "a", "buy", json.dumps({"item": item}))
    return [Chunk("one moment"), Chunk(tool_calls=[delta]), Chunk(finish_reason="tool_calls")]


def logs(home: Path) -> list[Path]:
    return sorted((home / "data" / "sessions").glob("*.jsonl"))


# Turns


def test_each_line_is_a_turn_of_one_conversation(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(chunks("he", "llo"), chunks("fine"))
    assert run("session", input="hi\n\nhow are you?\n", kernel=kernel) == (0, "hello\nfine\n", "")
    assert [message["content"] for message in sent(gateway)] == ["hi", "hello", "how are you?"]


def test_a_prompt_begins_the_session(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(chunks("hello"), chunks("bye"))
    done = run("llm", "sessions", "hi", "-s", "Be kind.", input="go\n", kernel=kernel)
    assert (done.code, done.out) == (0, "hello\nbye\n")
    assert [message["role"] for message in sent(gateway)] == ["system", "user", "assistant", "user"]


def test_lines_go_on_after_a_backslash_and_two_slashes_are_one(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(chunks("ok"), chunks("ok"), chunks("ok"))
    run("session", input="one\\\ntwo\n//etc is a folder\nlast\\\n", kernel=kernel)
    assert [message["content"] for message in sent(gateway) if message["role"] == "user"] == [
        "one\ntwo",
        "/etc is a folder",
        "last",
    ]


def test_thoughts_are_shown_on_standard_error_when_asked_for(run: Run, scripted: Any) -> None:
    kernel, _ = scripted([Chunk(reasoning="hm"), *chunks("42")], [Chunk(reasoning="hm"), *chunks("42")])
    assert run("session", "--think", input="hi\n", kernel=kernel) == (0, "42\n", "hm\n")
    assert run("session", input="hi\n", kernel=kernel) == (0, "42\n", "")


def test_an_error_ends_a_piped_session(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(chunks("ok"), [ServerError("down", status=500)], chunks("never"))
    done = run("session", "-o", "max_retries=0", input="one\ntwo\nthree\n", kernel=kernel)
    assert (done.code, done.out) == (1, "ok\n")
    assert "down" in done.err
    assert len(gateway.calls) == 2


def test_ctrl_c_ends_a_session_that_waits_for_a_pipe(run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: lines.PipedLines, prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(lines.PipedLines, "line", interrupted)
    kernel, _ = scripted("one")
    assert run("session", kernel=kernel).code == 130


def test_an_answer_that_is_not_whole_is_said_to_be(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(chunks("half", finish="length"))
    done = run("session", input="hi\n", kernel=kernel)
    assert (done.code, done.out) == (0, "half\n")
    assert "cut off at its token limit" in done.err


# Commands


def test_help_lists_every_command_of_the_documentation(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted()
    shown = run("session", input="/help\n", kernel=kernel).out
    documented = "exit quit bye e q help h ? commands save s load l clear c regen r back b tools mcp"
    assert set(re.findall(r"/(\S+)", shown)) >= set(documented.split())
    for name in ("/h", "/?", "/commands"):
        assert run("session", input=f"{name}\n", kernel=kernel).out == shown
    assert gateway.calls == []


@pytest.mark.parametrize("name", ["/exit", "/quit", "/bye", "/e", "/q", "/QUIT"])
def test_every_word_for_the_end_ends_it(run: Run, scripted: Any, name: str) -> None:
    kernel, gateway = scripted(chunks("never"))
    assert run("session", input=f"{name}\nhi\n", kernel=kernel).code == 0
    assert gateway.calls == []


def test_turns_are_taken_back_asked_again_and_cleared(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(*(chunks(name) for name in ("1", "2", "3", "4", "5")))
    done = run("session", "-s", "Be kind.", input="a\nb\n/back\nc\n/regen 7\n/c\nd\n", kernel=kernel)
    assert done.out == "1\n2\n3\n4\n5\n"
    assert [message["content"] for message in gateway.calls[2].messages] == ["Be kind.", "a", "1", "c"]
    assert gateway.calls[3].messages == gateway.calls[2].messages
    assert gateway.calls[3].args["seed"] == 7
    assert [message["content"] for message in sent(gateway)] == ["Be kind.", "d"]


def test_the_old_answer_stays_when_asking_again_fails(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(chunks("1"), [ServerError("down", status=500)])
    done = run("session", "-o", "max_retries=0", input="a\n/regen\n", kernel=kernel)
    assert done.code == 1
    kernel, gateway = scripted(chunks("2"))
    run("session", "--continue", input="b\n", kernel=kernel)
    assert [message["content"] for message in sent(gateway)] == ["a", "1", "b"]


def test_system_model_and_images_change_under_way(run: Run, scripted: Any) -> None:
    Path("dot.png").write_bytes(PIXEL)
    kernel, gateway = scripted(
        chunks("1"),
        chunks("2"),
        config={"heavenbase.llm.presets.other": {"model": "m2", "provider": "scripted", "gateway": "scripted"}},
    )
    done = run(
        "session",
        input="/system\n/system Be brief.\n/image dot.png\nlook\n/model\n/model other\nagain\n",
        kernel=kernel,
    )
    assert done.out == "no system message\nBe brief.\n1\nm by scripted over scripted\nm2 by scripted over scripted\n2\n"
    assert "1 image will go with the next message" in done.err
    assert gateway.calls[0].messages[0] == {"role": "system", "content": "Be brief."}
    assert gateway.calls[0].messages[1]["content"][1]["type"] == "image"
    assert gateway.calls[1].spec.model_id == "m2"
    assert gateway.calls[1].messages[-1]["content"] == "again"


def test_a_command_that_does_not_exist_names_the_nearest_one(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted()
    done = run("session", input="/cleer\n", kernel=kernel)
    assert done.code == 2
    assert "no command /cleer; did you mean /clear?" in done.err
    for wrong, message in (
        ("/load", "name the file"),
        ("/image", "name the image"),
        ("/regen x", "whole number"),
        ("/mcp", "name the server"),
    ):
        assert message in run("session", input=f"{wrong}\n", kernel=kernel).err
    assert gateway.calls == []


# Tools


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of tools in the working folder."""
    import sys

    Path("shop.py").write_text(TOOLS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield lambda: sys.modules["shop"].ran
    sys.modules.pop("shop", None)


def test_tools_of_a_module_run_when_they_are_allowed_to(run: Run, scripted: Any, shop: Any) -> None:
    kernel, gateway = scripted(buying(), chunks("enjoy it"))
    done = run("session", "-t", "shop:buy", "--allow-tools", input="/tools\ntea please\n", kernel=kernel)
    assert done.out == "buy  Buy something.\none moment\nenjoy it\n"
    assert "buy: bought tea" in done.err
    assert shop() == ["tea"]
    assert sent(gateway)[-1]["content"] == "bought tea"


def test_nobody_agrees_to_a_tool_in_a_pipe(run: Run, scripted: Any, shop: Any) -> None:
    kernel, gateway = scripted(buying(), chunks("a pity"))
    assert run("session", "-t", "shop:buy", input="tea please\n", kernel=kernel).code == 0
    assert shop() == []
    assert "--allow-tools" in sent(gateway)[-1]["content"]


@pytest.mark.parametrize(("said", "ran"), [("y", ["tea"]), ("YES", ["tea"]), ("n", []), ("", [])])
def test_a_person_is_asked_before_a_tool_runs(
    run: Run, scripted: Any, shop: Any, monkeypatch: pytest.MonkeyPatch, said: str, ran: list[str]
) -> None:
    person(monkeypatch, "tea please", said)
    kernel, _ = scripted(buying(), chunks("done"))
    done = run("session", "-t", "shop:buy", kernel=kernel)
    assert 'the model asks to run buy({"item": "tea"})' in done.err
    assert shop() == ran


@pytest.mark.parametrize(
    ("source", "message"),
    [("shop", "is no MODULE:NAME"), ("nowhere:x", "No module named"), ("shop:sell", "has no attribute")],
)
def test_tools_that_cannot_be_found_are_an_error(run: Run, scripted: Any, shop: Any, source: str, message: str) -> None:
    kernel, gateway = scripted()
    done = run("session", "-t", source, input="hi\n", kernel=kernel)
    assert (done.code, gateway.calls) == (2, [])
    assert message in done.err


SERVER = '''
from mcp.server import MCPServer

server = MCPServer("shop")

@server.tool()
def buy(item: str) -> str:
    """Buy something."""
    return f"bought {item}"

server.run()
'''


@pytest.mark.slow
def test_the_tools_of_a_server_are_added_under_way(run: Run, scripted: Any) -> None:
    import sys

    pytest.importorskip("mcp")
    Path("server.py").write_text(SERVER)
    kernel, gateway = scripted(buying(), chunks("enjoy it"))
    done = run("session", "--allow-tools", input=f"/mcp {sys.executable} server.py\ntea please\n", kernel=kernel)
    assert (done.code, done.out) == (0, "one moment\nenjoy it\n")
    assert "1 tool: buy" in done.err
    assert sent(gateway)[-1]["content"] == "bought tea"


# A person


class Person(lines.Lines):
    """Types what was prepared; an exception is raised instead."""

    is_interactive = True

    def __init__(self, *typed: Any) -> None:
        self.typed = list(typed)

    def line(self, prompt: str) -> str:
        if not self.typed:
            raise EOFError
        found = self.typed.pop(0)
        if isinstance(found, BaseException):
            raise found
        return str(found)


def person(monkeypatch: pytest.MonkeyPatch, *typed: Any) -> None:
    monkeypatch.setattr(lines, "open_lines", lambda history, commands: Person(*typed))


def test_a_person_hears_of_errors_and_goes_on(run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person(monkeypatch, "one", "/nonsense", "two")
    kernel, gateway = scripted([ServerError("down", status=500)], chunks("fine"))
    done = run("session", "-o", "max_retries=0", kernel=kernel)
    assert (done.code, done.out) == (0, "fine\n")
    assert "down" in done.err
    assert "no command /nonsense" in done.err
    assert [message["content"] for message in sent(gateway)] == ["two"]


def test_ctrl_c_stops_an_answer_which_is_kept_as_far_as_it_came(
    run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(monkeypatch, "one", KeyboardInterrupt(), "two")
    kernel, gateway = scripted([Chunk("half"), KeyboardInterrupt()], chunks("fine"))
    done = run("session", kernel=kernel)
    assert (done.code, done.out) == (0, "half\nfine\n")
    assert "stopped" in done.err
    assert [message["content"] for message in sent(gateway)] == ["one", "half", "two"]
    assert gateway.closed == 2


# Files


def test_a_session_is_saved_and_loaded(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(chunks("hello"))
    run("session", input="hi\n/save talk.json\n", kernel=kernel)
    assert stat.S_IMODE(os.stat("talk.json").st_mode) == 0o600
    kernel, gateway = scripted(chunks("1"), chunks("2"), chunks("3"))
    run("session", "--load", "talk.json", input="one\n", kernel=kernel)
    assert [message["content"] for message in sent(gateway)] == ["hi", "hello", "one"]
    run("session", input="before\n/load talk.json\ntwo\n", kernel=kernel)
    assert [message["content"] for message in sent(gateway)] == ["hi", "hello", "two"]


def test_a_file_is_not_overwritten(run: Run, scripted: Any) -> None:
    Path("talk.json").write_text("precious")
    kernel, _ = scripted(chunks("hello"))
    done = run("session", input="/save talk.json\n", kernel=kernel)
    assert done.code == 2
    assert "talk.json exists; use another name" in done.err
    assert Path("talk.json").read_text() == "precious"


def test_the_last_session_is_gone_on_with(run: Run, scripted: Any, home: Path) -> None:
    kernel, _ = scripted(chunks("hello"))
    run("session", input="hi\n", kernel=kernel)
    (log,) = logs(home)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    kernel, gateway = scripted(chunks("fine"))
    done = run("session", "-c", input="again\n", kernel=kernel)
    assert "2 messages from" in done.err
    assert [message["content"] for message in sent(gateway)] == ["hi", "hello", "again"]
    assert logs(home) == [log]
    assert len(log.read_text().splitlines()) == 3


def test_a_session_in_which_nothing_was_said_leaves_no_log(run: Run, scripted: Any, home: Path) -> None:
    kernel, _ = scripted(chunks("hello"))
    run("session", input="hi\n", kernel=kernel)
    (log,) = logs(home)
    kernel, _ = scripted(chunks("fine"))
    run("session", input="/q\n", kernel=kernel)
    assert logs(home) == [log]


def test_the_last_session_is_the_one_that_was_last_gone_on_with(run: Run, scripted: Any, home: Path) -> None:
    for answer in ("first", "second"):
        kernel, _ = scripted(chunks(answer))
        run("session", input="hi\n", kernel=kernel)
        (newest,) = logs(home)[-1:]
        newest.rename(newest.with_name(f"2020-{answer}.jsonl"))
    os.utime(home / "data" / "sessions" / "2020-first.jsonl", (4e9, 4e9))
    kernel, gateway = scripted(chunks("fine"))
    run("session", "-c", input="again\n", kernel=kernel)
    assert [message["content"] for message in sent(gateway)] == ["hi", "first", "again"]


def test_nothing_is_kept_without_a_log(run: Run, scripted: Any, home: Path) -> None:
    kernel, _ = scripted(chunks("hello"))
    assert run("session", "--no-log", input="hi\n", kernel=kernel).code == 0
    assert logs(home) == []
    done = run("session", "--continue", kernel=kernel)
    assert done.code == 2
    assert "there is no session to continue" in done.err
    assert run("session", "--continue", "--load", "x", kernel=kernel).code == 2


def test_old_logs_make_room(run: Run, scripted: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hb_cli import session

    monkeypatch.setattr(session, "LOGS", 3)
    folder = home / "data" / "sessions"
    folder.mkdir(parents=True)
    for day in range(1, 6):
        (folder / f"2020010{day}-000000-1.jsonl").write_text("")
    kernel, _ = scripted(chunks("hello"))
    run("session", input="hi\n", kernel=kernel)
    names = [log.name for log in logs(home)]
    assert names[:2] == ["20200104-000000-1.jsonl", "20200105-000000-1.jsonl"]
    assert len(names) == 3


# Lines


def test_a_terminal_has_a_private_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readline = pytest.importorskip("readline")
    history = tmp_path / "deep" / "history"
    typed = iter(["hello \\", "world"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    plain = lines.PlainLines(history)
    assert plain.is_interactive
    assert plain.read() == "hello \nworld"
    readline.add_history("hello world")
    plain.close()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "hello" in history.read_text()
    readline.clear_history()
    lines.PlainLines(history)
    assert readline.get_current_history_length() == 1
    readline.clear_history()


def test_lines_are_edited_where_prompt_toolkit_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("prompt_toolkit")
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    history = tmp_path / "history"
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        typed.send_text("one\x1b\rtwo\r")
        edited = lines.EditedLines(history, ["/help"])
        assert edited.read() == "one\ntwo"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "+one" in history.read_text()


def test_a_pipe_is_read_line_by_line(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(chunks("1"), chunks("2"))
    run("session", input="\ufeffone\r\ntwo".encode(), kernel=kernel)
    assert [m["content"] for m in sent(gateway) if m["role"] == "user"] == ["one", "two"]
    done = run("session", input=b"\xff\n", kernel=kernel)
    assert (done.code, "line 1 is not UTF-8" in done.err) == (2, True)
