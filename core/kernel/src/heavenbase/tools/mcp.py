"""The tools of a server that speaks the Model Context Protocol, as a toolkit; by the official SDK, imported on use."""

from __future__ import annotations

import asyncio
import re
import threading
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Self

from heavenbase.errors import HBError, InputError, InputTypeError, MissingPackage
from heavenbase.tools.base import Tool
from heavenbase.tools.results import result_content

PATIENCE = 30.0
"""Seconds that a server has to start and to name its tools."""
GRACE = 1.0
"""Seconds in which a connection that has ended says why."""
TURNS = 20
"""Turns of the loop before a call, in which the end of a server is seen that has come before it."""
_ODD = re.compile(r"[^A-Za-z0-9_-]")


class MCPToolError(HBError):
    """What a server answered when a tool of its failed; the model reads it."""


class MCPTools:
    """A toolkit: `LLM(...).chat(prompt, tools=MCPTools("npx -y some-server"))`, in both colours.

    `source` is the URL of a server, the command that starts one (a text, a list of words, or {command, args, env}), or
    what `mcp.Client` takes. The connection is made now, lives in a thread of its own, and ends with `close`, at the end
    of a `with` or `async with` block, or when nobody uses the toolkit and its tools any more. A call that finds the
    server gone connects once more, or starts it again; a call that was under way when it went is not repeated. `tools`
    are those of the server by name; `prefix` is put before the names, `settings` (as of a Tool, such as confirm) are
    for all of them. `timeout` is seconds for the connection, and for each tool. HBError when the server cannot be used.
    """

    def __init__(self, source: Any, *, prefix: str = "", timeout: float | None = None, **settings: Any) -> None:
        self._link = _Link(_target(source), timeout if timeout is not None else PATIENCE)
        self.source = self._link.source
        self.tools: dict[str, Tool] = {}
        for item in self._link.connection().found:
            name, run = _ODD.sub("_", f"{prefix}{item.name}"), partial(self._link.call, item.name)
            about = item.description or item.title
            self.tools[name] = Tool(name, about, item.input_schema, run, timeout=timeout, **settings)

    def __repr__(self) -> str:
        return f"MCPTools({self.source!r}, {len(self.tools)} tools)"

    def close(self) -> None:
        """End the connection, and the server where it was started here."""
        self._link.close()

    async def aclose(self) -> None:
        """Async form of `close`."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Gone(Exception):
    """The server went away. `is_sent` says that it may have had the request before."""

    def __init__(self, is_sent: bool) -> None:
        super().__init__("the server went away")
        self.is_sent = is_sent


class _Link:
    """The way to one server, over one connection after the other."""

    def __init__(self, target: Any, timeout: float) -> None:
        self.source = _label(target)
        self._target, self._timeout = target, timeout
        self._can_repeat = isinstance(target, str) or hasattr(target, "command")
        self._lock = threading.Lock()
        self._is_closed = False
        self._live: list[_Connection] = []
        weakref.finalize(self, _end, self._live)

    def connection(self, gone: _Connection | None = None) -> _Connection:
        """The one that is there, or a new one in place of one that is gone; HBError when the server cannot be used."""
        with self._lock:
            if self._is_closed or (self._live and not self._can_repeat and not self._live[0].is_alive):
                raise MCPToolError(f"the connection to {self.source!r} has ended")
            if not self._live or self._live[0] is gone or not self._live[0].is_alive:
                while self._live:
                    self._live.pop().end()  # nobody waits for what is gone
                made = _Connection(self._target, self.source, self._timeout)
                self._live.append(made)
                made.opened()
            return self._live[0]

    def call(self, name: str, /, **arguments: Any) -> Any:
        """What a tool of the server answers; MCPToolError for its failure and for a server that is gone for good."""
        connection = self.connection()
        try:
            return connection.call(name, arguments)
        except _Gone as error:
            if error.is_sent or not self._can_repeat:
                raise MCPToolError(f"{self.source!r} went away during {name}; whether it ran, nobody knows") from error
        try:
            return self.connection(connection).call(name, arguments)
        except _Gone as error:
            raise MCPToolError(f"{self.source!r} goes away on {name}") from error

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            _end(self._live)


class _Connection:
    """One connection, which lives in a thread of its own until `close`; `found` are the server's tools."""

    def __init__(self, target: Any, source: str, timeout: float) -> None:
        self.found: list[Any] = []
        self._target, self._source, self._timeout = target, source, timeout
        self._ready: Future[Any] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: Any = None
        self._failure: BaseException | None = None
        self._written = 0
        self._thread = threading.Thread(target=self._serve, name="hb-mcp", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    # In the thread of the connection

    def _serve(self) -> None:
        try:
            asyncio.run(self._talk())
        except BaseException as error:
            self._failure = error
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _talk(self) -> None:
        from mcp import Client

        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with Client(self._counted() if hasattr(self._target, "command") else self._target) as client:
            page = await client.list_tools()
            self.found = page.tools
            while page.next_cursor:
                page = await client.list_tools(cursor=page.next_cursor)
                self.found += page.tools
            self._ready.set_result(client)
            await self._over.wait()

    async def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return await self._ready.result().call_tool(name, arguments)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[Any]:
        """The streams to and from a command, with a count of what it was written."""
        from mcp.client.stdio import stdio_client

        async with stdio_client(self._target) as (read, write):
            yield read, _Writer(write, self)

    # In the threads of callers

    def opened(self) -> None:
        """Wait until it stands; HBError when it does not."""
        try:
            self._ready.result(self._timeout)
        except TimeoutError:
            self.close()
            raise HBError(f"the MCP server {self._source!r} did not answer within {self._timeout:g} s") from None
        except BaseException as error:
            reason = _innermost(error)
            raise HBError(f"the MCP server {self._source!r} cannot be used: {reason}") from error

    def call(self, name: str, arguments: dict[str, Any]) -> Any:
        """The answer of a tool; MCPToolError when it failed, _Gone where the server is no longer there."""
        if self._loop is None or not self.is_alive:
            raise _Gone(is_sent=False)
        before = self._written
        try:
            return _result(asyncio.run_coroutine_threadsafe(self._ask(name, arguments), self._loop).result())
        except HBError:
            raise
        except Exception as error:
            if str(error).endswith("Session terminated"):  # the server has begun anew, and knows nothing of this one
                raise _Gone(is_sent=False) from error
            if not str(error).endswith("Connection closed"):
                raise MCPToolError(f"{name} of {self._source!r} failed: {_innermost(error)}") from error
            if hasattr(self._target, "command"):
                raise _Gone(is_sent=self._written > before) from error
            self._thread.join(GRACE)
            is_refused = self._failure is not None and _innermost(self._failure).startswith("ConnectError")
            raise _Gone(is_sent=not is_refused) from error

    def end(self) -> None:
        """Begin to end it."""
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._over.set)

    def close(self) -> None:
        """End it, and wait for that."""
        self.end()
        self._thread.join(self._timeout)


class _Writer:
    """The stream to a server, which counts what is written."""

    def __init__(self, stream: Any, connection: _Connection) -> None:
        self._stream, self._connection = stream, connection

    async def send(self, item: Any) -> None:
        await self._stream.send(item)
        self._connection._written += 1

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _end(live: list[_Connection]) -> None:
    while live:
        live.pop().close()


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
