"""The server: one listening socket on 127.0.0.1 and one daemon thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

from hb_testing.server.connection import Connection
from hb_testing.server.dispatch import Dispatcher
from hb_testing.server.faults import find_fault
from hb_testing.server.recorder import RecordedRequest
from hb_testing.server.wire import Wire
from heavenbase.errors import InputError, UnknownNameError

_BACKLOG = 4096


class LoopbackServer(Dispatcher):
    """A scriptable HTTP server on 127.0.0.1 that speaks provider wires and misbehaves on request.

        with LoopbackServer() as server:
            client = openai.OpenAI(base_url=server.url("openai"), api_key="k")
            server.reply(text="hello")
            ...
            assert server.requests[0].json["model"] == "m"

    `wires` adds wires to (or, by name, replaces) the built-in `openai`, `openrouter` and `anthropic`. `strict` refuses
    requests that the provider would refuse. `require_key` answers 401 to any other key. `clock` gives wall-clock
    seconds for dates in headers. `redirect_to` is the origin that fault S6 points to. `record=False` only counts, for
    benchmarks. `tls` is a server-side context; see `tls_server`. After `patience` seconds the server drops everything
    and stops, whatever its peers wait for. All but the last four may be changed while the server runs.

    What a script, fault or handler raised is answered with status 500, kept in `errors`, and raised again when the
    `with` block ends without an exception of its own.
    """

    def __init__(
        self,
        *,
        wires: Iterable[Wire] = (),
        strict: bool = True,
        require_key: str | None = None,
        clock: Callable[[], float] = time.time,
        redirect_to: str | None = None,
        record: bool = True,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        patience: float | None = None,
    ) -> None:
        super().__init__(
            wires=wires,
            strict=strict,
            require_key=require_key,
            clock=clock,
            redirect_to=redirect_to,
            record=record,
        )
        self._tls = tls
        self._patience = patience
        self._port = port
        self._connections: set[Connection] = set()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    # -- life

    def start(self) -> Self:
        """Listen and serve; the port is free to connect when this returns."""
        if self._thread is not None:
            raise InputError("this server was started already; use one LoopbackServer per with block")
        listener = socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG)
        # asyncio does this for sockets that name their protocol, which those of create_server do not: without it an
        # answer in several writes waits 40 ms for the peer's delayed acknowledgement. Accepted sockets inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = listener.getsockname()[1]
        ready = threading.Event()
        name = f"loopback-server-{self._port}"
        self._thread = threading.Thread(target=self._run, args=(listener, ready), daemon=True, name=name)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def close(self) -> None:
        """Drop every connection, stop the thread and free the port. Safe to call twice."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is not None and stop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
            thread.join()
        self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close()
        if kind is None and self.errors:
            raise self.errors[0]

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        try:
            # A selector loop on every system: it lets us accept by hand.
            with listener, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(listener, ready))
        except Exception as error:
            self._failure = error
        finally:
            ready.set()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        greetings: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        loop.add_reader(listener, self._accept, listener, greetings)
        ready.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self._patience)
        # In this order no accepted socket is without an owner that closes it.
        loop.remove_reader(listener)
        await asyncio.sleep(0)
        for greeting in greetings:
            greeting.cancel()
        await asyncio.gather(*greetings, return_exceptions=True)
        while self._connections:
            for connection in tuple(self._connections):
                connection.abandon()
            await asyncio.sleep(0)

    def _accept(self, listener: socket.socket, greetings: set[asyncio.Task[None]]) -> None:
        for _ in range(_BACKLOG):
            try:
                accepted, _address = listener.accept()
            except OSError:
                # Nobody is waiting any more, or one left already, or no descriptor is free.
                return
            accepted.setblocking(False)
            greeting = asyncio.get_running_loop().create_task(self._greet(accepted))
            greetings.add(greeting)
            greeting.add_done_callback(greetings.discard)

    async def _greet(self, accepted: socket.socket) -> None:
        # A client that refuses the certificate is what tls_server is for.
        with contextlib.suppress(OSError):
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: Connection(self), accepted, ssl=self._tls)

    # -- addresses

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    def url(self, wire: str = "openai", *, fault: str | None = None) -> str:
        """The base URL to configure in a client of `wire`; with `fault` (`"E1.after"`), one whose requests meet it.

        Raises UnknownNameError for a wire or fault that does not exist.
        """
        if wire not in self.wires:
            raise UnknownNameError("wire", wire, self.wires)
        speaker = self.wires[wire]
        if fault is None:
            return f"{self.origin}/{wire}{speaker.base}"
        find_fault(fault, speaker.family)
        return f"{self.origin}/f/{fault}{'' if speaker is self._default else '/' + wire}{speaker.base}"

    # -- watching

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in order of arrival (a copy)."""
        return list(self.recorder.requests)

    @property
    def request_count(self) -> int:
        """Requests since the start, also with record=False and after `clear`."""
        return self.recorder.numbered

    @property
    def connections(self) -> int:
        """Connections open now."""
        return self.recorder.open

    @property
    def accepted_connections(self) -> int:
        """Connections accepted since the start."""
        return self.recorder.accepted

    @property
    def peak_connections(self) -> int:
        """The most connections that were open at one time."""
        return self.recorder.peak

    def wait_for(self, predicate: Callable[[LoopbackServer], object], timeout: float = 5.0) -> None:
        """Block until `predicate(server)` holds; AssertionError after `timeout` seconds."""
        if not self.recorder.wait(lambda: predicate(self), timeout):
            self._not_in_time(timeout)

    async def await_for(self, predicate: Callable[[LoopbackServer], object], timeout: float = 5.0) -> None:
        """As `wait_for`, without blocking the caller's event loop."""
        if not await self.recorder.wait_async(lambda: predicate(self), timeout):
            self._not_in_time(timeout)

    def _not_in_time(self, timeout: float) -> None:
        seen = ", ".join(map(repr, self.requests[-5:])) or "none"
        raise AssertionError(
            f"not within {timeout:g} s; {self.connections} connections are open; last requests: {seen}"
        )

    # -- what connections call, in the server's thread

    def joined(self, connection: Connection) -> None:
        """Keep a connection, to drop it when the server closes."""
        self._connections.add(connection)

    def left(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
