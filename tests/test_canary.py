"""A canary key in every credential slot: it reaches the endpoint, and shows nowhere else."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer, refused_port
from tests.forks import Forks

CANARY = "sk-canary-0123456789abcdef"


def surfaces(thing: Any) -> str:
    """Everything that a debugger, a log line or a dump may show of an object."""
    shown = [repr(thing), str(thing), f"{thing}"]
    if hasattr(thing, "to_dict"):
        shown.append(json.dumps(thing.to_dict(), default=repr))
    if hasattr(thing, "__dict__"):
        shown.append(repr(vars(thing)))
    return "\n".join(shown)


def error_surfaces(error: BaseException) -> str:
    """The error with its causes, its local variables, and its pickle."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([*trace.format(), surfaces(error), repr(pickle.dumps(error))])


@pytest.fixture
def server() -> Any:
    with LoopbackServer(require_key=CANARY) as running:
        yield running


@pytest.fixture(params=["argument", "environment", "configuration", "reference"])
def llm(
    request: pytest.FixtureRequest, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> hb.LLM:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path / "home"))
    url, options, rows = server.url("openai"), {}, {}
    if request.param == "argument":
        options = {"api_key": CANARY}
    elif request.param == "environment":
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    elif request.param == "configuration":
        rows = {"heavenbase.llm.providers.openai.api_key": CANARY}
    else:
        monkeypatch.setenv("MY_SECRET", CANARY)
        rows = {"heavenbase.llm.providers.openai.api_key": "${env:MY_SECRET}"}
    kernel = hb.Kernel({"heavenbase.llm.timeouts": {"first_token": 0.2, "idle": 0.2}, **rows}, environ=os.environ)
    return hb.LLM(model="gpt-4o-mini", provider="openai", base_url=url, kernel=kernel, **options)


def test_hb43_no_surface_of_an_llm_shows_its_key(llm: hb.LLM) -> None:
    assert llm.chat("hi")  # the endpoint got it
    completion = llm.complete("hello")
    for thing in (llm, llm.spec, llm.kernel, llm.kernel.config, llm.spec.api_key, completion, completion.attempts):
        assert CANARY not in surfaces(thing)
    assert CANARY not in repr(copy.copy(llm.spec))
    assert CANARY not in llm.spec.hash_key() + llm.spec.client_key()
    with pytest.raises(Exception, match=r"(?i)secret|pickle|credential"):
        pickle.dumps(llm.spec.api_key)
    llm.kernel.close()


@pytest.mark.parametrize("fault", ["S1.401", "S1.400", "S5.500", "B1.html", "N2.c", "E9.a", "S6.302"])
def test_no_error_shows_the_key(llm: hb.LLM, server: LoopbackServer, fault: str) -> None:
    with LoopbackServer() as other:
        server.redirect_to = other.origin
        url = server.url("openai", fault=fault)
        with pytest.raises(hb.HBError) as caught:
            llm.chat("hi", base_url=url, max_retries=0)
        assert CANARY not in error_surfaces(caught.value)
        with pytest.raises(hb.HBError) as caught:
            list(llm.stream("hi", base_url=url, max_retries=0))
        assert CANARY not in error_surfaces(caught.value)

        async def run() -> hb.HBError:
            with pytest.raises(hb.HBError) as raised:
                await llm.achat("hi", base_url=url, max_retries=0)
            await llm.kernel.aclose()
            return raised.value

        assert CANARY not in error_surfaces(asyncio.run(run()))
        assert other.requests == []


def test_a_refused_connection_does_not_show_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path))
    with refused_port() as port, hb.Kernel({}) as kernel:
        url = f"http://127.0.0.1:{port}/v1"
        llm = hb.LLM(preset="custom", model="m", base_url=url, api_key=CANARY, kernel=kernel, max_retries=0)
        with pytest.raises(hb.errors.ConnectError) as caught:
            llm.chat("hi")
        assert CANARY not in error_surfaces(caught.value)


@pytest.mark.parametrize("bad", [CANARY + "\n", CANARY + "\r\nx-evil: 1", CANARY + "é", f" {CANARY}"])
def test_a_malformed_key_is_refused_without_being_shown(
    bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path))
    with hb.Kernel({}) as kernel, pytest.raises(hb.errors.CredentialFormatError) as caught:
        hb.LLM(preset="custom", model="m", base_url="http://127.0.0.1:9", api_key=bad, kernel=kernel)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "hi", "-m", "gpt-4o-mini", "--json"],
        ["chat", "hi", "-m", "gpt-4o-mini", "--json", "-v"],
        ["llm", "status"],
        ["cfg", "list"],
        ["doctor"],
        ["--debug", "chat", "hi", "-m", "gpt-4o-mini", "-o", "base_url=http://127.0.0.1:9/v1", "-o", "max_retries=0"],
    ],
)
def test_the_command_line_never_prints_the_key(
    command: list[str], server: LoopbackServer, tmp_path: Path, forks: Forks
) -> None:
    env = {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(tmp_path),
        "HEAVENBASE_HOME": str(tmp_path / "home"),
        "OPENAI_API_KEY": CANARY,
        "OPENAI_BASE_URL": server.url("openai"),
    }
    program = "import runpy\nrunpy.run_module('heavenbase', run_name='__main__', alter_sys=True)"
    done = forks.run(program, tmp_path, env, *command)
    assert CANARY not in done.stdout + done.stderr
    assert done.stdout + done.stderr
