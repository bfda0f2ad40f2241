"""`hb prompts`, and `hb chat --prompt`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import ConfigError, InputError, UnknownNameError
from heavenbase.image import make_picture

Run = Callable[..., Any]
REVIEW = """\
description = "reads code"
system = "You review {{ language }}."
user = "At most {{ most }}:\\n{{ input }}"

[parameters.language]
default = "Python"
description = "of the code"

[parameters.most]
type = "int"
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        monkeypatch.setenv("GROQ_API_KEY", "sk-0000000000")
        monkeypatch.setenv("GROQ_BASE_URL", running.url("openai"))
        yield running


@pytest.fixture
def file(home: Path) -> str:
    Path("review.toml").write_text(REVIEW)
    return "review.toml"


def told(run: Run, server: LoopbackServer, *args: str, **fields: Any) -> list[Any]:
    code, _, err = run(
        "chat", *args, "-m", "groq/meta-llama/llama-4-scout-17b-16e-instruct", "--no-stream", "--no-cache", **fields
    )
    assert (code, err) == (0, "")
    return [(message["role"], message["content"]) for message in server.requests[-1].json["messages"]]


def test_g26_the_text_of_a_chat_fills_the_template(run: Run, server: LoopbackServer, file: str) -> None:
    expected = [("system", "You review C."), ("user", "At most 3:\nx = 1")]
    assert told(run, server, "--prompt", file, "-V", "most=3", "--value", "language=C", "x = 1") == expected
    assert told(run, server, "--prompt", file, "-V", "most=3", "-V", "language=C", input="x = 1") == expected
    Path("greet.md").write_text("Say {{ word }}.")
    assert told(run, server, "--prompt", "greet.md", "-V", "word=a=b") == [("user", "Say a=b.")]
    run("cfg", "set", "heavenbase.llm.prompts.greet.user", "Greet {{ input }}.")
    assert told(run, server, "--prompt", "greet", "her") == [("user", "Greet her.")]


def test_g26_values_of_every_type_are_read(run: Run, server: LoopbackServer) -> None:
    Path("a.toml").write_text(
        'user = "{{ words }} {{ deep }} {{ share }}{{ photo }}"\n[parameters]\n'
        'words = {type = "list"}\ndeep = {type = "bool"}\nshare = {type = "float"}\nphoto = {type = "image"}\n'
    )
    Path("p.png").write_bytes(make_picture("a picture"))
    values = ("words=a", "words=b", "deep=yes", "share=0.5", "photo=p.png")
    args = [word for value in values for word in ("-V", value)]
    [(_, content)] = told(run, server, "--prompt", "a.toml", *args)
    assert content[0] == {"type": "text", "text": "a\nb true 0.5"}
    assert content[1]["type"] == "image_url"


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        (("--prompt", "review.toml", "x"), InputError, "needs a value for 'most'"),
        (("--prompt", "review.toml", "-V", "mots=1", "x"), UnknownNameError, "did you mean 'most'"),
        (("--prompt", "review.toml", "-V", "most", "x"), InputError, "no NAME=VALUE"),
        (("--prompt", "review.toml", "-V", "most=many", "x"), InputError, "must be a whole number"),
        (("--prompt", "review.toml", "-V", "most=1"), InputError, "needs a value for 'input'"),
        (("--prompt", "reviw", "x"), UnknownNameError, "unknown prompt 'reviw'"),
        (("--prompt", "./none.md", "x"), ConfigError, "cannot be read"),
        (("-V", "a=b", "x"), None, "name it with --prompt"),
    ],
)
def test_g26_mistakes_are_told_before_anything_is_sent(
    run: Run, server: LoopbackServer, file: str, args: tuple[str, ...], error: type[Exception] | None, words: str
) -> None:
    code, out, err = run("chat", *args, "-m", "groq/llama-3.1-8b-instant")
    assert code != 0
    assert (out, words in err) == ("", True), err
    assert server.requests == []


def test_g26_a_preset_has_a_prompt_in_chat_explain_and_session(run: Run, server: LoopbackServer) -> None:
    run("cfg", "set", "heavenbase.llm.prompts.greet.user", "Greet {{ input }}.")
    run("cfg", "set", "heavenbase.llm.presets.greeter.model", "groq/llama-3.1-8b-instant")
    run("cfg", "set", "heavenbase.llm.presets.greeter.prompt", "greet")
    code, _, err = run("chat", "her", "-p", "greeter", "--no-stream")
    assert (code, err) == (0, "")
    assert server.requests[-1].json["messages"] == [{"role": "user", "content": "Greet her."}]
    story = json.loads(run("explain", "him", "-p", "greeter", "--json").out)
    assert story["request"]["body"]["messages"] == [{"role": "user", "content": "Greet him."}]
    assert story["arguments"]["prompt_template"] == {"value": "greet", "origin": "preset greeter", "sent": False}
    run("session", "them", "-p", "greeter", "--no-log", input="")
    assert server.requests[-1].json["messages"] == [{"role": "user", "content": "Greet them."}]


def test_g26_prompts_are_listed_and_shown(run: Run, file: str) -> None:
    code, out, err = run("prompts", "list")
    assert (code, out) == (0, "")
    assert "there are none" in err
    run("cfg", "set", "heavenbase.llm.prompts.greet.user", "Greet {{ input }} {{{{.")
    run("cfg", "set", "heavenbase.llm.prompts.broken.user", "{{ a.b }}")
    rows = {row["prompt"]: row for row in json.loads(run("prompts", "list", "--json").out)["prompts"]}
    assert [parameter["name"] for parameter in rows["greet"]["parameters"]] == ["input"]
    assert "cannot be used" in rows["broken"]["description"]
    assert "greet" in run("prompts", "list").out
    shown = run("prompts", "show", file).out
    assert "You review {{ language }}." in shown
    assert [line.split() for line in shown.splitlines() if line.startswith("most")] == [["most", "int", "(required)"]]
    data = json.loads(run("prompts", "show", "greet", "--json").out)
    assert data["messages"] == [{"role": "user", "content": "Greet {{ input }} {{{{."}]
    assert "did you mean 'greet'" in run("prompts", "show", "gret").err
