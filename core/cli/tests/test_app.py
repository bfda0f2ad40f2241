"""The root command: listing, plugin commands, failures and exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from hb_cli import cfg, llm, plugins
from hb_cli.app import TABLE, app
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.state import State
from heavenbase import __version__, errors
from heavenbase.types import Attempt, Completion

Run = Callable[..., Any]
SITE_COMMAND = """
import click

@click.command()
@click.argument("name")
def hello(name):
    click.echo(f"hello {name}")
"""
SHOW_COMMAND = """
import click
from hb_cli import pass_state

@click.command()
@pass_state
def show(state):
    click.echo(state.kernel.config.get("heavenbase.llm.default_preset"))
"""
GROUPS = [("", app, TABLE), ("llm ", llm.llm, llm.TABLE), ("cfg ", cfg.cfg, cfg.TABLE)]
GROUPS += [("plugins ", plugins.plugins, plugins.TABLE)]


@pytest.mark.parametrize(
    ("group", "name", "entry"),
    [
        pytest.param(group, name, entry, id=f"{prefix}{name}")
        for prefix, group, t in GROUPS
        for name, entry in t.items()
    ],
)
def test_every_listed_command_exists_and_says_what_the_list_says(group: LazyGroup, name: str, entry: Entry) -> None:
    command = group.get_command(click.Context(group, obj=State()), name)
    assert command is not None
    assert command.help is not None
    assert command.help.split()[0] in ("The", entry.help.split()[0])
    assert entry.help.endswith(".")


def test_help_lists_the_commands(run: Run) -> None:
    for args in (["--help"], ["-h"], []):
        code, out, err = run(*args)
        assert (code, err) == (0, "")
        assert all(f"\n  {name} " in out for name in TABLE)


def test_version_prints_the_version_and_with_v_every_distribution(run: Run) -> None:
    assert run("--version") == (0, f"hb {__version__}\n", "")
    code, out, _ = run("--version", "-v")
    assert code == 0
    assert f"hb {__version__}\nPython {sys.version.split()[0]}\n" in out
    assert "hb-core " in out
    assert "hb-gateway-mock " in out


def test_an_unknown_command_is_bad_input_and_names_the_nearest(run: Run) -> None:
    code, out, err = run("chta")
    assert (code, out) == (2, "")
    assert err == "error: no command 'chta'; did you mean 'chat'?\ntry: hb --help\n"


def test_an_unknown_option_is_bad_input(run: Run) -> None:
    code, _, err = run("chat", "hi", "--bogus")
    assert code == 2
    assert err.startswith("error: No such option")
    assert err.endswith("try: hb chat --help\n")


@pytest.mark.parametrize("given", ["--max-tokens", "--max_tokens=5", "--MaxTokens", "--temprature"])
def test_an_option_of_the_call_given_as_one_of_the_command_is_told_how_it_is_given(run: Run, given: str) -> None:
    code, _, err = run("chat", "hi", given)
    assert code == 2
    assert re.search(r"Options of the call are given as -o (max_tokens|temperature)=VALUE", err)


def test_aliases_reach_the_same_command(run: Run) -> None:
    assert run("config", "path") == run("cfg", "path")


# Commands of plugins


def test_a_plugin_command_is_listed_without_being_imported(run: Run, poisoned: Any) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert "\n  poisoned    Command of hb-poisoned." in out


def test_a_plugin_command_runs_when_it_is_named(run: Run, site: Any) -> None:
    site.module("site_command", SITE_COMMAND)
    site.add("hb-hello", {"heavenbase.cli": {"hello": "site_command:hello"}})
    assert run("hello", "world") == (0, "hello world\n", "")
    assert run("hello", "--nope")[0] == 2


def test_a_plugin_command_that_cannot_be_imported_harms_only_itself(run: Run, poisoned: Any) -> None:
    code, _, err = run("poisoned")
    assert code == 1
    assert "cli:poisoned of hb-poisoned 1.0 cannot be imported: RuntimeError" in err
    assert run("chat", "hi", "-p", "mock")[0] == 0


def test_a_disabled_plugin_command_is_not_imported(run: Run, poisoned: Any) -> None:
    assert run("plugins", "disable", "cli:poisoned")[0] == 0
    code, _, err = run("poisoned")
    assert code == 1
    assert "cli:poisoned is disabled; hb plugins enable cli:poisoned" in err


def test_two_distributions_with_one_command_are_an_error_naming_both(run: Run, site: Any) -> None:
    for name in ("hb-one", "hb-two"):
        site.add(name, {"heavenbase.cli": {"same": "nothing:nothing"}})
    code, _, err = run("same")
    assert code == 1
    assert "hb-one 1.0 and hb-two 1.0 both bring the command 'same'" in err


def test_a_plugin_command_that_is_no_command_is_a_contract_error(run: Run, site: Any) -> None:
    site.module("no_command", "command = 42\n")
    site.add("hb-odd", {"heavenbase.cli": {"odd": "no_command:command"}})
    code, _, err = run("odd")
    assert code == 1
    assert "cli:odd of hb-odd is int, not a click command" in err


def test_a_plugin_command_has_the_settings_file_that_is_named(run: Run, site: Any, tmp_path: Any) -> None:
    """It is looked for before the root command runs, which must not be the first to know the file."""
    site.module("site_show", SHOW_COMMAND)
    site.add("hb-show", {"heavenbase.cli": {"show": "site_show:show"}})
    file = tmp_path / "mine.toml"
    file.write_text('[heavenbase.llm]\ndefault_preset = "mine"\n')
    assert run("--config", str(file), "show")[1] == "mine\n"


def test_a_plugin_cannot_take_the_name_of_a_command_of_hb(run: Run, site: Any) -> None:
    site.add("hb-taker", {"heavenbase.cli": {"chat": "nothing:nothing"}})
    assert run("chat", "hi", "-p", "mock").out == "mock response\n"


# Failures


def test_bad_input_exits_with_2_and_other_errors_with_1(run: Run, scripted: Any) -> None:
    assert run("chat", "hi", "-p", "nope").code == 2
    kernel, _ = scripted(errors.ServerError("down", retryable=False))
    assert run("chat", "hi", kernel=kernel).code == 1


def test_an_error_tells_status_attempts_and_request_id(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(errors.AuthError("bad key", status=401, request_id="req_1", maybe_billed=True))
    code, out, err = run("chat", "hi", kernel=kernel)
    assert (code, out) == (1, "")
    assert err == (
        "error: bad key\n(1 request to scripted/m; status 401; request id req_1; "
        "the provider may have charged for it)\n"
    )


def test_an_interrupt_exits_with_130_and_closes_the_stream(run: Run, scripted: Any) -> None:
    from heavenbase.types import Chunk

    kernel, gateway = scripted([Chunk("one "), KeyboardInterrupt()])
    code, out, _ = run("chat", "hi", "--stream", kernel=kernel)
    assert (code, out) == (130, "one \n")
    assert gateway.closed == 1


def test_an_unexpected_exception_is_one_line_and_a_hint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: State) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(State, "kernel", property(fail))
    code, out, err = run("chat", "hi")
    assert (code, out) == (1, "")
    assert err.startswith("error: RuntimeError: boom\n(this should not happen")
    assert "Traceback" not in err


@pytest.mark.parametrize("how", ["option", "variable"])
def test_debug_shows_the_traceback_without_secrets(
    run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-very-secret")
    kernel, _ = scripted(errors.AuthError("the key sk-very-secret is wrong"))
    if how == "variable":
        monkeypatch.setenv("HB_DEBUG", "1")
    code, _, err = run(*(["--debug"] if how == "option" else []), "chat", "hi", kernel=kernel)
    assert code == 1
    assert "Traceback" in err
    assert "the key *** is wrong" in err
    assert "sk-very-secret" not in err


def test_an_error_without_debug_hides_secrets_too(run: Run, scripted: Any) -> None:
    settings = {"heavenbase.llm.providers.other": {"base_url": "https://x.test", "api_key": "sk-configured-1"}}
    kernel, _ = scripted(errors.AuthError("got sk-configured-1"), config=settings)
    assert run("chat", "hi", kernel=kernel).err.startswith("error: got ***\n")


def test_control_characters_of_a_server_do_not_reach_the_terminal(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(errors.RequestRejected("no\x1b[2J\x07"))
    assert run("chat", "hi", kernel=kernel).err.startswith("error: no\\x1b[2J\\x07\n")


def test_warnings_are_one_line_without_source_code(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(Completion("ok", finish_reason="stop"))
    chat = gateway.chat

    def warn(call: Any, request: Any) -> Any:
        warnings.warn("take care", errors.CacheWarning, stacklevel=1)
        return chat(call, request)

    gateway.chat = warn
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, out, err = run("chat", "hi", kernel=kernel)
    assert (code, out, err) == (0, "ok\n", "warning: take care\n")


def test_a_reader_that_leaves_ends_hb_without_a_word(home: Path) -> None:
    command = [sys.executable, "-m", "heavenbase", "chat", "hi", "-p", "mock", "--stream", "-o", "mock_pause=0.01"]
    with subprocess.Popen(
        [*command, "-o", f"mock_text={'x' * 400}", "-o", "mock_chunk_chars=1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        assert started.stdout.read(3) == b"xxx"
        started.stdout.close()
        assert started.stderr.read() == b""
        assert started.wait(30) == 1


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children take SIGINT, also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_control_c_in_a_real_process_exits_with_130(home: Path, interruptible: None) -> None:
    command = [sys.executable, "-m", "heavenbase", "chat", "hi", "-p", "mock", "--stream", "-o", "mock_pause=0.02"]
    with subprocess.Popen(
        [*command, "-o", f"mock_text={'x' * 4000}", "-o", "mock_chunk_chars=1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.read(3) == b"xxx"
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=30)
        assert started.returncode == 130
        assert b"Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the stream")
def test_f3_nothing_is_paid_for_an_answer_that_a_closed_standard_output_would_lose(home: Path) -> None:
    for arguments in ("chat hi -p mock", "embed hi -p mock", "models"):
        command = f"{sys.executable} -m heavenbase {arguments} >&-"
        done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == 1, arguments
        assert done.stderr == b"error: standard output is closed, so the answer has nowhere to go\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
def test_f3_a_full_disk_is_told(home: Path, buffered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "" if buffered else "1")
    command = [sys.executable, "-m", "heavenbase", "chat", "hi", "-p", "mock"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_f3_what_is_said_beside_an_answer_costs_neither_it_nor_the_exit_code(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    for arguments, code, said in (("-p nope", 2, b""), ("-p mock -v", 0, b"mock response\n")):
        command = [sys.executable, "-m", "heavenbase", "chat", "hi", *arguments.split()]
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=full, check=False)
        assert (done.returncode, done.stdout) == (code, said)


def test_a_prompt_in_place_of_a_command_is_told_how_to_ask(run: Run) -> None:
    code, _, err = run("Say it's me.")
    assert code == 2
    assert """to ask a model: hb chat 'Say it'"'"'s me.'""" in err


def test_help_works_when_plugins_cannot_be_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: State) -> None:
        raise OSError("no such folder")

    monkeypatch.setattr(State, "inventory", property(fail))
    code, out, err = run("--help")
    assert code == 0
    assert "\n  doctor " in out
    assert err == "warning: plugins cannot be listed: no such folder; try `hb doctor`\n"


def test_a_fallback_of_the_gateway_is_told(run: Run) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, _, err = run("chat", "hi", "-g", "litellm")
    assert code == 1
    assert err.startswith("warning: gateway 'litellm' cannot be used")
    assert "pip install hb-gateway-litellm" in err


# Completion in shells


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hb ch", "plain,chat"),
        ("hb plugins li", "plain,list"),
        ("hb chat -p chat-p", "plain,chat-pro"),
        ("hb chat -g moc", "plain,mock"),
        ("hb cfg get heavenbase.llm.cache.pol", "plain,heavenbase.llm.cache.policy"),
    ],
)
def test_a_shell_completes_commands_and_names(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: str, expected: str
) -> None:
    variables = {"_HB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.splitlines() == [expected]


def test_a_shell_gets_no_error_instead_of_names(run: Run, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (home / "config.toml").write_text("nonsense = 1\n")
    for name, value in {"_HB_COMPLETE": "bash_complete", "COMP_WORDS": "hb chat -p m", "COMP_CWORD": "3"}.items():
        monkeypatch.setenv(name, value)
    assert run() == (0, "\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(run: Run, shell: str) -> None:
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert f"_HB_COMPLETE={shell}_complete" in out


def test_the_ledger_of_an_error_counts_requests(run: Run, scripted: Any) -> None:
    error = errors.ServerError("down", retryable=False)
    error.attempts = (Attempt("p", "m", "g"),)
    kernel, _ = scripted(error)
    assert "(1 request to scripted/m)" in run("chat", "hi", kernel=kernel).err


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16", "utf-8"])
def test_f1_what_programs_read_does_not_depend_on_the_encoding_of_the_console(
    home: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    text = "🎉 日本 é \x85"
    command = [
        sys.executable,
        "-m",
        "heavenbase",
        "chat",
        "hi",
        "-p",
        "mock",
        "-o",
        f"mock={json.dumps({'text': text})}",
    ]
    plain = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert plain.stdout.decode() == "🎉 日本 é \\x85\n"
    for extra in ([], ["--stream"]):
        done = subprocess.run([*command, "--json", *extra], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        last = done.stdout.decode().splitlines()[-1]
        assert json.loads(last)["text"] == text


@pytest.mark.skipif(os.name != "posix", reason="pipes are watched on POSIX alone")
def test_f2_a_prompt_that_was_given_waits_for_no_pipe_that_says_nothing(home: Path) -> None:
    reader, writer = os.pipe()
    try:
        command = [sys.executable, "-m", "heavenbase", "chat", "hi", "-p", "mock"]
        done = subprocess.run(command, stdin=reader, capture_output=True, timeout=60, check=False)
    finally:
        os.close(reader)
        os.close(writer)
    assert (done.returncode, done.stdout) == (0, b"mock response\n")
    assert b"-i - waits for it" in done.stderr
