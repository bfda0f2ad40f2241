"""Tools of servers that speak the Model Context Protocol, in both colours; the servers run in this process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from heavenbase import LLMSession
from heavenbase.errors import HBError, InputError, InputTypeError
from heavenbase.tools.mcp import MCPToolError, MCPTools

from ..support import both_colours, calling, scripted

mcp_server = pytest.importorskip("mcp.server")
SERVER = '''
import os
import sys

from mcp.server import MCPServer

server = MCPServer("sums")

@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b

@server.tool()
def pid() -> int:
    """The number of this process."""
    return os.getpid()

@server.tool()
def leave() -> int:
    """End this process."""
    with open(os.environ["LEFT"], "a") as log:
        log.write("left\\n")
    os._exit(3)

server.run(*sys.argv[1:2], **({"port": int(sys.argv[2])} if sys.argv[2:] else {}))
'''


def make_server() -> Any:
    made = mcp_server.MCPServer("sums", log_level="CRITICAL")

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    def refuse() -> str:
        """Always refuses."""
        from mcp.server.mcpserver.exceptions import ToolError

        raise ToolError("not today")

    made.add_tool(add)
    made.add_tool(refuse)
    return made


@pytest.fixture
def kit() -> Iterator[MCPTools]:
    with MCPTools(make_server()) as made:
        yield made


def test_the_tools_of_a_server_run_in_both_colours(kit: MCPTools) -> None:
    assert list(kit.tools) == ["add", "refuse"]
    schema = kit.tools["add"].to_openai_tool()["function"]
    assert (schema["description"], schema["parameters"]["required"]) == ("Add two numbers.", ["a", "b"])
    for place in range(2):
        made = scripted(calling(("add", {"a": 40, "b": 2}), ("refuse", {})), "42!")
        answer = both_colours(made.llm, "complete")[place]("what is 40 + 2?", tools=kit)
        assert answer.text == "42!"
        assert [message["content"] for message in answer.messages if message["role"] == "tool"] == [
            "42",
            '{"ok": false, "error": {"type": "MCPToolError", "message": "Error executing tool refuse: not today"}}',
        ]


def test_a_prefix_and_settings_are_for_every_tool() -> None:
    with MCPTools(make_server(), prefix="sums.", confirm=True, timeout=20) as kit:
        assert list(kit.tools) == ["sums_add", "sums_refuse"]
        assert all(tool.confirm is True and tool.timeout == 20 for tool in kit.tools.values())
        assert kit.tools["sums_add"](a=1, b=2) == "3"


def test_a_closed_connection_says_so(kit: MCPTools) -> None:
    kit.close()
    kit.close()
    with pytest.raises(MCPToolError, match="the connection to 'MCPServer' has ended"):
        kit.tools["add"](a=1, b=2)


def test_a_session_uses_the_tools_of_servers_until_it_is_closed() -> None:
    made = scripted(calling(("add", {"a": 40, "b": 2})), "42!")
    with LLMSession(made.llm) as talk:
        assert talk.add_mcp(make_server()) == ["add", "refuse"]
        assert talk.send("what is 40 + 2?", "text") == "42!"
        with pytest.raises(InputError, match="two tools are named"):
            talk.add_mcp(make_server())
        tool = talk.tools[0]
    with pytest.raises(MCPToolError, match="has ended"):
        tool(a=1, b=2)


def test_servers_that_cannot_be_used_are_errors_that_keep_their_secrets() -> None:
    for source in ("hb-no-such-command --key sk-secret", [sys.executable, "-c", "pass", "sk-secret"]):
        with pytest.raises(HBError, match="cannot be used") as caught:
            MCPTools(source)
        assert "sk-secret" not in str(caught.value)
    for wrong, error in ((7, InputTypeError), (None, InputTypeError), ([], InputError), ({"args": []}, InputError)):
        with pytest.raises(error):
            MCPTools(wrong)
    with pytest.raises(InputError, match="cannot be read"):
        MCPTools("server 'unclosed")


@pytest.mark.slow
def test_a_server_is_started_by_its_command(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text(SERVER)
    with MCPTools({"command": sys.executable, "args": [str(tmp_path / "sums.py")]}) as kit:
        assert kit.tools["add"](a=40, b=2) == "42"


def test_c7_the_connection_ends_with_an_async_block_and_with_the_last_who_uses_it() -> None:
    async def use() -> MCPTools:
        async with MCPTools(make_server()) as kit:
            assert await asyncio.to_thread(kit.tools["add"], a=40, b=2) == "42"
        return kit

    with pytest.raises(MCPToolError, match="has ended"):
        asyncio.run(use()).tools["add"](a=1, b=2)
    kit = MCPTools(make_server())
    add = kit.tools["add"]
    threads = {thread for thread in threading.enumerate() if thread.name == "hb-mcp"}
    del kit
    gc.collect()
    assert add(a=40, b=2) == "42"
    del add
    gc.collect()
    assert threads
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.slow
def test_c7_a_server_that_went_away_is_started_once_more_and_no_call_is_made_twice(
    tmp_path: Path,
) -> None:
    (tmp_path / "sums.py").write_text(SERVER)
    left = tmp_path / "left"
    env = {"LEFT": str(left), "PATH": os.environ["PATH"]}
    kit = MCPTools({"command": sys.executable, "args": [str(tmp_path / "sums.py")], "env": env})
    first = int(kit.tools["pid"]())
    os.kill(first, signal.SIGKILL)
    with suppress(ProcessLookupError):
        for _ in range(1000):
            os.kill(first, 0)
            time.sleep(0.01)
    second = int(kit.tools["pid"]())
    assert second != first
    assert kit.tools["add"](a=40, b=2) == "42"
    with pytest.raises(MCPToolError, match="went away during leave; whether it ran, nobody knows"):
        kit.tools["leave"]()
    assert left.read_text() == "left\n"
    assert int(kit.tools["pid"]()) not in (first, second)
    kit.close()
    with pytest.raises(MCPToolError, match="has ended"):
        kit.tools["pid"]()


@pytest.mark.slow
def test_c7_a_server_at_an_address_is_reached_again_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text(SERVER)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]

    def start() -> subprocess.Popen[bytes]:
        made = subprocess.Popen(
            [sys.executable, str(tmp_path / "sums.py"), "streamable-http", str(port)], stderr=subprocess.DEVNULL
        )
        for _ in range(1000):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return made
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    server = start()
    try:
        with MCPTools(f"http://127.0.0.1:{port}/mcp") as kit:
            assert kit.tools["add"](a=40, b=2) == "42"
            for _ in range(2):
                server.kill()
                server.wait()
                with pytest.raises(HBError, match="cannot be used"):
                    kit.tools["add"](a=40, b=2)
                server = start()
                assert kit.tools["add"](a=40, b=2) == "42"
    finally:
        server.kill()
        server.wait()
