"""What the engine does to the process around it: no noise, no open port, and a clean end."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hb_provider_local import native
from hb_provider_local.gguf import read_header
from hb_provider_local.settings import Settings

START = """
import os, sys
from pathlib import Path
from hb_provider_local.engine import Engine
from hb_provider_local.settings import Settings
from heavenbase.errors import HBError
engine = Engine(Path(sys.argv[1]), Settings(context=512, embedding_context=64))
def ask(**more):
    body = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0, "max_tokens": 3, **more}
    return engine.chat(body)["choices"][0]["message"]["content"]
"""


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_neither_good_nor_bad_requests_make_any_noise(model_path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model_path.read_bytes()[: 1 << 20])
    code = """
ask()
engine.embed(["x"])
schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)y"}}}
tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
for more in (
    {"messages": [{"role": "user", "content": "word " * 1000}]},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "odd"}}}},
    {"tools": [tool]},
    {"temperature": "hot"},
):
    try:
        ask(**more)
    except HBError:
        pass
try:
    engine.embed(["word " * 500])
except HBError:
    pass
try:
    Engine(Path(sys.argv[2])).chat({"messages": [{"role": "user", "content": "x"}]})
except HBError:
    os._exit(0) if engine.close() is None else None
"""
    found = run(code, str(model_path), str(cut))
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="reads the tables of the Linux kernel")
def test_no_port_is_opened_and_no_socket_left_on_disk(model_path: Path, tmp_path: Path) -> None:
    code = """
ask(); engine.embed(["x"])
mine = set()
for descriptor in os.listdir("/proc/self/fd"):
    try:
        mine.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:
        pass
listening = []
for table in ("tcp", "tcp6"):
    for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
            listening.append(fields[1])
print(listening, os.listdir(sys.argv[2]))
"""
    found = run(code, str(model_path), str(tmp_path), TMPDIR=str(tmp_path))
    assert found.stdout.strip() == "[] []", found.stderr


def test_the_port_that_windows_needs_answers_nobody_without_the_key(model_path: Path) -> None:
    settings = Settings(context=256)
    params = native._params(model_path, settings)
    params.n_ctx = 256
    server = native.open_server(params, model_path, read_header(model_path), loopback=True)
    address = urlsplit(server.listening_address)
    assert address.hostname == "127.0.0.1"
    chat = json.dumps({"messages": [{"role": "user", "content": "x"}], "max_tokens": 1})
    for path in ("/v1/chat/completions", "/completion", "/v1/embeddings", "/tokenize", "/v1/messages", "/slots/0"):
        for headers in ({}, {"Authorization": "Bearer guess"}):
            connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=10)
            connection.request("POST", path, chat, {"Content-Type": "application/json", **headers})
            assert connection.getresponse().status == 401, path
            connection.close()
    for path in ("/v1/models", "/props", "/"):
        connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=10)
        connection.request("GET", path)
        assert str(model_path.parent).encode() not in connection.getresponse().read(), path
        connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_in_the_middle_of_an_answer_gets_a_clear_error(model_path: Path) -> None:
    code = """
chunks = engine.stream({"messages": [{"role": "user", "content": "Write a long story"}], "temperature": 0})
next(chunks)
child = os.fork()
if child == 0:
    try:
        ask()
    except HBError as error:
        print(type(error).__name__, error, flush=True)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), bool(next(chunks)))
"""
    found = run(code, str(model_path))
    said = found.stdout.splitlines()
    assert said[0].startswith("UnsupportedError this process was forked"), found.stderr
    assert said[1] == "7 True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_loads_its_own_model_and_ends(model_path: Path) -> None:
    code = """
first = ask()
engine.embed(["x"])
child = os.fork()
if child == 0:
    assert not engine.is_loaded
    print("child", ask() == first, len(engine.embed(["x"])["data"]), flush=True)
    raise SystemExit(7)
status = os.waitpid(child, 0)[1]
print("parent", os.waitstatus_to_exitcode(status), ask() == first)
"""
    found = run(code, str(model_path))
    assert found.stdout.split("\n")[:2] == ["child True 1", "parent 7 True"], found.stderr


def test_a_process_ends_cleanly_in_the_middle_of_an_answer(model_path: Path) -> None:
    code = """
chunks = engine.stream({"messages": [{"role": "user", "content": "Write a long story"}], "temperature": 0})
next(chunks)
print(bool(next(chunks)))
"""
    found = run(code, str(model_path))
    assert (found.stdout.strip(), found.stderr, found.returncode) == ("True", "", 0)


def test_an_uncaught_error_in_the_middle_of_an_answer_is_all_that_is_seen(model_path: Path) -> None:
    code = """
for chunk in engine.stream({"messages": [{"role": "user", "content": "Write a long story"}], "temperature": 0}):
    raise LookupError("mine")
"""
    found = run(code, str(model_path))
    assert found.returncode == 1
    assert found.stderr.strip().splitlines()[-1] == "LookupError: mine"


def test_a_missing_library_is_an_import_error_that_says_where_it_works() -> None:
    code = """
import sys
sys.modules["xllamacpp"] = None
from hb_provider_local import native
try:
    native.load()
except ImportError as error:
    print(type(error).__name__, error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.startswith("PluginLoadError the local engine"), found.stderr
    for word in ("Linux with glibc", "macOS", "Windows", "-p mock"):
        assert word in found.stdout
