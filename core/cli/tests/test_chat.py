"""`hb chat`: where the prompt comes from, what is printed, what is sent."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import StreamInterrupted
from heavenbase.types import Attempt, Chunk, Completion, ToolCall, ToolCallDelta, Usage

Run = Callable[..., Any]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def answer(text: str = "ok", **fields: Any) -> Completion:
    return Completion(text, **{"finish_reason": "stop", **fields})


def sent(gateway: Any) -> Any:
    return gateway.calls[-1].messages


def test_the_answer_and_nothing_else_goes_to_standard_output(run: Run) -> None:
    assert run("chat", "hi", "-p", "mock") == (0, "mock response\n", "")
    assert run("llm", "chat", "hi", "-p", "mock") == (0, "mock response\n", "")


def test_an_answer_that_ends_with_a_newline_gets_no_second_one(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(answer("a\n\nb\n"))
    assert run("chat", "hi", kernel=kernel).out == "a\n\nb\n"


# The prompt


def test_the_prompt_is_the_argument_the_piped_text_or_both(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(answer(), answer(), answer())
    run("chat", "what is this?", kernel=kernel)
    assert sent(gateway) == [{"role": "user", "content": "what is this?"}]
    run("chat", kernel=kernel, input="piped\ntext\n")
    assert sent(gateway) == [{"role": "user", "content": "piped\ntext"}]
    run("chat", "what is this?", kernel=kernel, input="piped\n")
    assert sent(gateway) == [{"role": "user", "content": "what is this?\n\npiped"}]


def test_files_are_appended_in_order(run: Run, scripted: Any) -> None:
    Path("a.txt").write_text("first\n")
    Path("b.txt").write_bytes(b"\xef\xbb\xbfsecond\r\n")
    kernel, gateway = scripted(answer(), answer())
    run("chat", "read", "-i", "a.txt", "--input", "b.txt", kernel=kernel)
    assert sent(gateway)[0]["content"] == "read\n\nfirst\n\nsecond"
    run("chat", "read", "-i", "a.txt", "-i", "-", kernel=kernel, input="piped")
    assert sent(gateway)[0]["content"] == "read\n\nfirst\n\npiped"


def test_without_a_prompt_nothing_is_sent(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(answer())
    for piped in (None, "", " \n"):
        code, out, err = run("chat", kernel=kernel, input=piped)
        assert (code, out) == (2, "")
        assert err.startswith("error: there is no prompt")
    assert not gateway.calls


@pytest.mark.parametrize(
    ("args", "piped", "message"),
    [
        (["\udcff"], None, "the prompt is not valid UTF-8 at character 1"),
        ([], b"ok\n\xff", "standard input: line 2 is not UTF-8 text"),
        (["hi", "-i", "missing.txt"], None, "missing.txt: cannot be read: No such file or directory"),
        (["hi", "--image", "missing.png"], None, "missing.png"),
        (["hi", "-o", "temperature"], None, "-o 'temperature' is no KEY=VALUE"),
        (["hi", "-o", "model=x"], None, "-o model: use --model"),
        (["hi", "-o", "api_key=sk-123456"], None, "-o api_key would show the credential"),
        (["hi", "-p", "chatt"], None, "did you mean 'chat'?"),
        (["hi", "-g", "nope"], None, "unknown gateway 'nope'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    run: Run, scripted: Any, args: list[str], piped: bytes | None, message: str
) -> None:
    kernel, gateway = scripted(answer())
    code, out, err = run("chat", *args, kernel=kernel, input=piped)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "sk-123456" not in err
    assert not gateway.calls


def test_system_message_images_and_options_reach_the_call(run: Run, scripted: Any) -> None:
    Path("dot.png").write_bytes(PIXEL)
    kernel, gateway = scripted(answer())
    options = [
        "-o",
        "temperature=0.2",
        "-o",
        'stop=["END"]',
        "-o",
        "seed=null",
        "-o",
        "user=me=you",
        "-o",
        "audio_note=NaN",
        "-o",
        "self=1",
    ]
    code, _, err = run("chat", "look", "-s", "be brief", "--image", "dot.png", *options, kernel=kernel)
    assert (code, err) == (0, "")
    system, user = sent(gateway)
    assert system == {"role": "system", "content": "be brief"}
    assert user["content"][0] == {"type": "text", "text": "look"}
    assert user["content"][1]["image"].to_bytes() == PIXEL
    args = gateway.calls[-1].args
    assert args["temperature"] == 0.2
    assert args["stop"] == ["END"]
    assert args["user"] == "me=you"
    assert args["audio_note"] == "NaN"
    assert args["self"] == 1
    assert "seed" not in args


def test_an_image_needs_no_text(run: Run, scripted: Any) -> None:
    Path("dot.png").write_bytes(PIXEL)
    kernel, gateway = scripted(answer())
    assert run("chat", "--image", "dot.png", kernel=kernel).code == 0
    assert sent(gateway)[0]["content"][-1]["type"] == "image"


def test_the_default_preset_is_chat_and_a_model_replaces_it(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(answer(), answer())
    run("chat", "hi", kernel=kernel)
    assert gateway.calls[-1].spec.preset == "chat"
    run("chat", "hi", "-m", "scripted/other", "-g", "scripted", kernel=kernel)
    assert (gateway.calls[-1].spec.preset, gateway.calls[-1].spec.model_id) == (None, "other")


@pytest.mark.parametrize(
    ("names", "model"),
    [
        ([], "gpt-5.4-mini"),
        (["-b", "openai"], "gpt-5.4-mini"),
        (["-m", "gpt-5.5"], "gpt-5.5"),
        (["-m", "gpt-9-next"], "gpt-9-next"),
        (["-m", "gpt"], "gpt-5.6-sol"),
    ],
)
def test_a5_one_vendors_key_alone_is_enough(
    run: Run, monkeypatch: pytest.MonkeyPatch, names: list[str], model: str
) -> None:
    with LoopbackServer(strict=False) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-alone-000")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
        code, out, err = run("chat", "hi", *names, "--no-cache")
        assert (code, err) == (0, ""), out
        (request,) = server.requests
    assert (request.json["model"], request.headers["authorization"]) == (model, "Bearer sk-alone-000")


@pytest.mark.parametrize("command", ["chat", "session", "explain"])
def test_a2_the_default_preset_of_the_settings_is_that_of_chats_and_sessions(
    run: Run, scripted: Any, command: str
) -> None:
    mine = {"model": "mine", "provider": "scripted", "gateway": "scripted"}
    settings = {"heavenbase.llm.presets.mine": mine, "heavenbase.llm.default_preset": "mine"}
    stream = [Chunk("hi"), Chunk(finish_reason="stop")]
    kernel, gateway = scripted(stream if command == "session" else answer(), config=settings)
    assert run(command, "hi", *(["--no-log"] if command == "session" else []), input="", kernel=kernel).code == 0
    assert (gateway.calls[-1].spec.preset, gateway.calls[-1].spec.model_id) == ("mine", "mine")
    assert run("explain", "-p", "chat", kernel=kernel).code == 0
    assert gateway.calls[-1].spec.preset == "chat"


@pytest.mark.parametrize(("flag", "expected"), [("--cache", True), ("--no-cache", False), (None, None)])
def test_the_cache_flag_reaches_the_call(run: Run, scripted: Any, flag: str | None, expected: bool | None) -> None:
    kernel, gateway = scripted(answer(), default_args={}, config={"heavenbase.llm.cache.enabled": False})
    # No cache plugin is installed in this kernel, so --cache would fail to open one.
    if flag == "--cache":
        assert run("explain", "hi", flag, "--json", kernel=kernel).code == 0
    else:
        assert run("chat", "hi", *([flag] if flag else []), kernel=kernel).code == 0
    assert gateway.calls[-1].controls.get("cache") is expected


# What is printed


def test_json_is_one_object_with_everything(run: Run, scripted: Any) -> None:
    whole = answer("hi\x1b", reasoning="hm", usage=Usage(3, 4), tool_calls=[ToolCall("1", "f", "{}")], id="x")
    kernel, _ = scripted(whole)
    code, out, err = run("chat", "hi", "--json", kernel=kernel)
    assert (code, err, out.count("\n")) == (0, "", 1)
    data = json.loads(out)
    assert data["text"] == "hi\x1b"
    assert data["think"] == "hm"
    assert data["finish_reason"] == "tool_calls"
    assert data["tool_calls"] == [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert data["usage"]["total_tokens"] == 7
    assert (data["model"], data["provider"], data["gateway"]) == ("m", "scripted", "scripted")
    assert [attempt["model"] for attempt in data["attempts"]] == ["m"]
    assert data["report"]["temperature"]["outcome"] == "sent"


def test_json_of_a_stream_is_a_line_per_chunk_and_the_answer_last(run: Run) -> None:
    options = ["-o", "mock_text=a b", "-o", "mock_chunk_chars=2"]
    code, out, err = run("chat", "hi", "-p", "mock", "--stream", "--json", *options)
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["kind"] for line in lines[:-1]] == ["delta"] * (len(lines) - 1)
    assert "".join(line.get("text", "") for line in lines[:-1]) == "a b"
    assert lines[-1]["kind"] == "completion"
    assert lines[-1]["text"] == "a b"


def test_a_stream_prints_the_same_as_a_whole_answer(run: Run) -> None:
    text = "one two\nthree \x1b[31m\r\nfour"
    options = ["-p", "mock", "-o", f"mock_text={json.dumps(text)}", "-o", "mock_chunk_chars=1"]
    whole = run("chat", "hi", *options)
    assert run("chat", "hi", *options, "--stream") == whole == (0, "one two\nthree \\x1b[31m\nfour\n", "")


def test_reasoning_is_asked_for_and_shown_on_standard_error(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(answer("yes", reasoning="let me see"), answer("yes", reasoning="let me see"))
    assert run("chat", "hi", "--think", kernel=kernel) == (0, "yes\n", "let me see\n")
    assert gateway.calls[-1].args["think"] is True
    assert run("chat", "hi", kernel=kernel) == (0, "yes\n", "")
    assert "think" not in gateway.calls[-1].args


def test_reasoning_is_streamed_to_standard_error(run: Run, scripted: Any) -> None:
    pieces = [Chunk(reasoning="let "), Chunk(reasoning="me"), Chunk("ye"), Chunk("s"), Chunk(finish_reason="stop")]
    kernel, _ = scripted(pieces)
    assert run("chat", "hi", "--think", "--stream", kernel=kernel) == (0, "yes\n", "let me\n")


def test_no_think_tells_the_model_not_to(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(answer())
    run("chat", "hi", "--no-think", kernel=kernel)
    assert gateway.calls[-1].args["think"] is False


def test_verbose_prints_usage_and_attempts_to_standard_error(run: Run, scripted: Any) -> None:
    whole = answer(usage=Usage(3, 4, cost="0.01", currency="USD"), model="m-2")
    kernel, _ = scripted(whole)
    code, out, err = run("chat", "hi", "-v", kernel=kernel)
    assert (code, out) == (0, "ok\n")
    lines = err.splitlines()
    assert lines[0].startswith("m-2 by scripted over scripted, ")
    assert lines[1] == "tokens: input 3, output 4"
    assert lines[2].startswith("cost: 0.01 USD (provider, 20")
    assert lines[3].startswith("attempt 1: scripted/m answered after ")
    assert lines[3].endswith(", 0.01 USD")


def test_the_lines_of_verbose_tell_failed_attempts() -> None:
    from hb_cli.answers import attempt_lines, usage_line

    failed = Attempt("p", "m", "g", elapsed=0.5, status=503, error="overloaded", request_id="r")
    assert attempt_lines([failed]) == ["attempt 1: p/m failed: overloaded after 0.50 s, status 503, request id r"]
    assert usage_line(None) == "usage unknown"


@pytest.mark.parametrize(
    ("finish", "message"),
    [
        ("length", "the answer was cut off at its token limit; pass a larger max_tokens"),
        ("content_filter", "the provider's filter stopped the answer"),
        ("other", "the answer ended with 'strange'"),
    ],
)
def test_an_answer_that_is_not_whole_is_told(run: Run, scripted: Any, finish: str, message: str) -> None:
    kernel, _ = scripted(answer("par", finish_reason=finish, raw_finish_reason="strange"))
    assert run("chat", "hi", kernel=kernel) == (0, "par\n", f"warning: {message}\n")


def test_tool_calls_are_told(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(answer("", tool_calls=[ToolCall("1", "weather")]))
    code, out, err = run("chat", "hi", kernel=kernel)
    assert (code, out) == (0, "")
    assert err == "warning: the model asks to call weather; --json shows the arguments\n"


def test_a_restart_of_the_stream_is_announced(run: Run, scripted: Any) -> None:
    kernel, _ = scripted([Chunk("wro"), Chunk(kind="restart"), Chunk("right"), Chunk(finish_reason="stop")])
    code, out, err = run("chat", "hi", "--stream", kernel=kernel)
    assert (code, out) == (0, "wro\nright\n")
    assert err == "warning: the answer begins again; what came before is void\n"


def test_a_broken_stream_keeps_what_came_and_fails(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted([Chunk("par"), StreamInterrupted("reset by peer")])
    code, out, err = run("chat", "hi", "--stream", kernel=kernel)
    assert (code, out) == (1, "par\n")
    assert err.startswith("error: reset by peer\n")
    assert gateway.closed == 1


# What a gateway needs on this machine


@pytest.mark.parametrize(
    ("flag", "variable", "agreed"), [(None, "", False), ("--yes", "", True), (None, "1", True), (None, "no", False)]
)
def test_the_gateway_is_asked_to_get_ready_before_the_call(
    run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch, flag: str | None, variable: str, agreed: bool
) -> None:
    monkeypatch.setenv("HB_YES", variable)
    kernel, gateway = scripted(answer())
    assert run("chat", "hi", *([flag] if flag else []), kernel=kernel).code == 0
    assert gateway.ensured == [{"model": "m", "yes": agreed, "interactive": False}]


# Over the wire


def test_without_a_key_the_error_names_the_variable_and_the_way_without_one(run: Run) -> None:
    code, out, err = run("chat", "hi")
    assert (code, out) == (1, "")
    assert "OPENROUTER_API_KEY" in err
    assert "-p local" in err
    assert "or set the key of another provider, such as OPENAI_API_KEY or ANTHROPIC_API_KEY" in err


def test_a_call_goes_over_the_wire_and_its_key_is_never_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback-secret")
    with LoopbackServer() as server:
        server.reply(text="over the wire")
        base = f"base_url={server.url('openai')}"
        code, out, err = run("chat", "hi", "-m", "openai/gpt-4o-mini", "-o", base, "-v", "--no-stream")
        assert (code, out) == (0, "over the wire\n")
        assert server.requests[0].bearer == "sk-loopback-secret"
        assert server.requests[0].json["messages"] == [{"role": "user", "content": "hi"}]
    assert "sk-loopback-secret" not in out + err


def test_hb43_no_command_prints_the_key(run: Run, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    key = "sk-secret-of-the-user"
    monkeypatch.setenv("OPENROUTER_API_KEY", key)
    assert run("cfg", "set", "heavenbase.llm.providers.openai.api_key", "-", input=f"{key}2\n").code == 0
    commands = [
        ["explain", "hi"],
        ["explain", "hi", "--json"],
        ["explain", "hi", "-m", "openai/gpt-4o"],
        ["llm", "verbose", "hi"],
        ["llm", "status"],
        ["llm", "list", "all", "--json"],
        ["providers", "--json"],
        ["doctor"],
        ["doctor", "--json"],
        ["cfg", "list"],
        ["cfg", "list", "-v"],
        ["cfg", "get", "heavenbase.llm.providers", "-v", "--json"],
        ["plugins", "info", "openrouter", "--json"],
    ]
    for command in commands:
        _, out, err = run(*command)
        assert out
        assert key not in out + err, command
    cached = [path for path in home.rglob("*") if path.is_file() and path.name != "config.toml"]
    assert not [path for path in cached if key.encode() in path.read_bytes()]


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
def test_on_a_terminal_the_answer_is_streamed_and_escapes_stay_harmless(home: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "heavenbase", "chat", "hi", "-p", "mock"]
    text = json.dumps("a\x1b[31mb")
    done = subprocess.run(
        [*command, "-o", f"mock_text={text}"], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, check=False
    )
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.close(ours)
    assert done.returncode == 0
    assert shown == b"a\\x1b[31mb\r\n"


# Tools

TOOLS = '''
def buy(item: str) -> str:
    """Buy something."""
    return f"bought {item}"
'''


def buying(*, stream: bool) -> Any:
    made = ToolCall("a", "buy", '{"item": "tea"}')
    if not stream:
        return answer("", tool_calls=[made], finish_reason="tool_calls")
    return [Chunk(tool_calls=[ToolCallDelta(0, made.id, made.name, made.arguments)]), Chunk(finish_reason="tool_calls")]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of tools in the working folder."""
    Path("shop.py").write_text(TOOLS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("shop", None)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_of_a_module_run_when_they_are_allowed_to(run: Run, scripted: Any, shop: None, stream: bool) -> None:
    ending = [Chunk("enjoy it"), Chunk(finish_reason="stop")] if stream else answer("enjoy it")
    kernel, gateway = scripted(buying(stream=stream), ending)
    flag = "--stream" if stream else "--no-stream"
    done = run("chat", "tea please", "-t", "shop:buy", "--allow-tools", flag, kernel=kernel)
    assert (done.code, done.out) == (0, "enjoy it\n")
    assert ("buy: bought tea" in done.err) is stream
    assert sent(gateway)[-1]["content"] == "bought tea"


def test_nobody_agrees_to_a_tool_in_a_pipe(run: Run, scripted: Any, shop: None) -> None:
    kernel, gateway = scripted(buying(stream=False), answer("a pity"))
    assert run("chat", "tea please", "-t", "shop:buy", kernel=kernel).out == "a pity\n"
    assert "run hb chat with --allow-tools" in sent(gateway)[-1]["content"]


@pytest.mark.parametrize(("said", "result"), [("y", "bought tea"), ("", "the user does not allow this call")])
def test_a_person_at_the_terminal_is_asked(
    run: Run, scripted: Any, shop: None, monkeypatch: pytest.MonkeyPatch, said: str, result: str
) -> None:
    from hb_cli import inputs, output

    kernel, gateway = scripted(buying(stream=False), answer("done"))
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    monkeypatch.setattr(inputs, "is_terminal", lambda stream: True)
    done = run("chat", "tea please", "-t", "shop:buy", "--no-stream", input=f"{said}\n", kernel=kernel)
    assert done.out == "done\n"
    assert 'the model asks to run buy({"item": "tea"})' in done.err
    assert "run it? [y/N]" in done.err
    assert result in sent(gateway)[-1]["content"]
