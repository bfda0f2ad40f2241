"""The tools of a server that speaks the Model Context Protocol, as a toolkit; by the official SDK, imported on use."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Self

from heavenbase.errors import HBError, InputError, InputTypeError, MissingPackage
from heavenbase.tools.base import Tool
from heavenbase.tools.results import result_content

PATIENCE = 30.0
"""Seconds that a server has to start and to name its tools."""
_ODD = re.compile(r"[^A-Za-z0-9_-]")


class MCPToolError(HBError):
    """What a server answered when a tool of its failed; the model reads it."""


class MCPTools:
    """A toolkit: `LLM(...).chat(prompt, tools=MCPTools("npx -y some-server"))`, in both colours.

    `source` is the URL of a server, the command that starts one (a text, a list of words, or {command, args, env}), or
    what `mcp.Client` takes. The connection is made now, and lives in a thread of its own until `close`. `tools` are
    those of the server by name; `prefix` is put before the names, `settings` (as of a Tool, such as confirm) are for
    all of them. `timeout` is seconds for the connection, and for each tool. HBError when the server cannot be used.
    """

    def __init__(self, source: Any, *, prefix: str = "", timeout: float | None = None, **settings: Any) -> None:
        self._target = _target(source)
        self.source = _label(self._target)
        self._timeout = timeout if timeout is not None else PATIENCE
        self._ready: Future[tuple[Any, list[Any]]] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: Any = None
        self._thread = threading.Thread(target=self._serve, name="hb-mcp", daemon=True)
        self._thread.start()
        client, found = self._connected()
        self.tools: dict[str, Tool] = {}
        for item in found:
            name, run = _ODD.sub("_", f"{prefix}{item.name}"), partial(self._call, client, item.name)
            about = item.description or item.title
            self.tools[name] = Tool(name, about, item.input_schema, run, timeout=timeout, **settings)

    def __repr__(self) -> str:
        return f"MCPTools({self.source!r}, {len(self.tools)} tools)"

    def close(self) -> None:
        """End the connection, and the server where it was started here."""
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # In the thread of the connection

    def _serve(self) -> None:
        try:
            asyncio.run(self._talk())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _talk(self) -> None:
        from mcp import Client

        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with Client(self._target) as client:
            page = await client.list_tools()
            found = page.tools
            while page.next_cursor:
                page = await client.list_tools(cursor=page.next_cursor)
                found += page.tools
            self._ready.set_result((client, found))
            await self._over.wait()

    # In the threads of callers

    def _connected(self) -> tuple[Any, list[Any]]:
        try:
            return self._ready.result(self._timeout)
        except TimeoutError:
            self.close()
            raise HBError(f"the MCP server {self.source!r} did not answer within {self._timeout:g} s") from None
        except BaseException as error:
            reason = _innermost(error)
            raise HBError(f"the MCP server {self.source!r} cannot be used: {reason}") from error

    def _call(self, client: Any, name: str, /, **arguments: Any) -> Any:
        if self._loop is None or not self._thread.is_alive():
            raise MCPToolError(f"the connection to {self.source!r} has ended")
        running: Future[Any] = asyncio.run_coroutine_threadsafe(client.call_tool(name, arguments), self._loop)
        try:
            return _result(running.result())
        except HBError:
            raise
        except Exception as error:
            raise MCPToolError(f"{name} of {self.source!r} failed: {_innermost(error)}") from error


def _target(source: Any) -> Any:
    """What `mcp.Client` is given."""
    try:
        from mcp import StdioServerParameters
    except ImportError:
        raise MissingPackage('servers of tools need the MCP SDK: pip install "hb-kernel[mcp]"') from None
    if isinstance(source, str):
        if source.startswith(("http://", "https://")):
            return source
        import shlex

        try:
            source = shlex.split(source)
        except ValueError as error:
            raise InputError(f"the command {source!r} cannot be read: {error}") from error
    if isinstance(source, list | tuple):
        if not source or not all(isinstance(word, str) for word in source):
            raise InputError("the command of an MCP server is a list of words, and not empty")
        return StdioServerParameters(command=source[0], args=list(source[1:]))
    if isinstance(source, dict):
        if isinstance(source.get("url"), str):
            return source["url"]
        if not isinstance(source.get("command"), str):
            raise InputError("an MCP server is given as {command, args, env} or {url}")
        known = ("command", "args", "env", "cwd")
        return StdioServerParameters(**{name: source[name] for name in known if name in source})
    if source is None or isinstance(source, int | float | bytes):
        raise InputTypeError(f"{type(source).__name__} is no MCP server; pass its URL or the command that starts it")
    return source


def _label(target: Any) -> str:
    """A server's name in messages: arguments and queries may hold a credential, so they are left out."""
    if isinstance(target, str):
        from urllib.parse import urlsplit

        parts = urlsplit(target)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"
    return str(getattr(target, "command", type(target).__name__))


def _result(answer: Any) -> Any:
    """A tool's answer for the model: its text, its data, or a list where pictures and files are among its texts."""
    content = [block.text if block.type == "text" else block for block in answer.content]
    if not answer.is_error and isinstance(result_content(content), list):
        return content  # pictures or files are in it
    texts = [said if isinstance(said, str) else said.model_dump_json(exclude_none=True) for said in content]
    text = "\n".join(texts)
    if answer.is_error:
        raise MCPToolError(text or "the tool failed without a word")
    return text if texts or answer.structured_content is None else answer.structured_content


def _innermost(error: BaseException) -> str:
    """What went wrong, without the groups that task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
