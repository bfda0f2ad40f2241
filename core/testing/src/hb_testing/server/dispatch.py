"""From a request to an answer: scripts and queued replies, faults, wires."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from hb_testing.server import built_in
from hb_testing.server.answers import Answer, Reply, Steps, Stream
from hb_testing.server.faults import Fault, find_fault
from hb_testing.server.framing import frame, split
from hb_testing.server.http import response
from hb_testing.server.recorder import RecordedRequest, Recorder
from hb_testing.server.wire import Exchange, Wire
from heavenbase.errors import UnknownNameError

Script = Callable[[RecordedRequest], Answer | None]

_CACHE_ENTRIES = 64
_CACHE_BODY = 1024 * 1024


class Dispatcher:
    """Decides what every request is answered. No sockets; the public face is `LoopbackServer`."""

    def __init__(
        self,
        *,
        wires: Iterable[Wire] = (),
        strict: bool = True,
        require_key: str | None = None,
        clock: Callable[[], float] = time.time,
        redirect_to: str | None = None,
        record: bool = True,
    ) -> None:
        self.strict = strict
        self.require_key = require_key
        self.clock = clock
        self.redirect_to = redirect_to
        self.errors: list[Exception] = []
        self.recorder = Recorder(keep=record)
        known = (make() for make in built_in.WIRES)
        self.wires: dict[str, Wire] = {wire.name: wire for wire in (*known, *wires)}
        self._default = next(iter(self.wires.values()))
        self._replies: deque[Reply] = deque()
        self._script: Script | None = None
        self._struck = ""
        self._counts: Counter[str] = Counter()
        self._encoded: dict[Any, tuple[bytes, bytes]] = {}

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        raise NotImplementedError

    def reply(self, text: str | None = None, **fields: Any) -> Reply:
        """Queue one answer (first in, first out); the fields are those of `Reply`. Returns it."""
        queued = Reply(text, **fields)
        self._replies.append(queued)
        return queued

    def script(self, script: Script | None) -> None:
        """Let `script(request)` answer everything, in the server's thread; None removes it.

        It may return a Reply (which goes through the wire: validation, then the provider's shape), a Stream, raw steps
        (an iterable or async iterable of bytes, Pause and Action; bytes alone are one step), or None for the default.
        """
        self._script = script

    def strike(self, fault: str | None, wire: str = "openai") -> None:
        """Let every request whose path names no fault meet this one; None ends it.

        As a base URL with a fault in it, for clients that are dear to make. Raises UnknownNameError.
        """
        if fault is not None:
            find_fault(fault, self.wires[wire].family)
        self._struck = fault or ""

    def clear(self) -> None:
        """Forget requests, queued replies, the script, the fault that strikes and the counts of faults."""
        self.recorder.requests.clear()
        self._replies.clear()
        self._script = None
        self._struck = ""
        self._counts.clear()

    def now(self) -> float:
        """Wall-clock seconds by the server's clock."""
        return self.clock()

    def next_reply(self) -> Reply | None:
        """Take the next queued reply; None when there is none."""
        return self._replies.popleft() if self._replies else None

    def failed(self, error: Exception) -> None:
        """Keep what a script, fault or handler raised."""
        self.errors.append(error)

    def early(self, request: RecordedRequest) -> Steps | None:
        """Steps of a fault that strikes before the body is read."""
        if not (self._struck or request.path.startswith("/f/")):
            return None
        exchange, name = self._exchange(request)
        try:
            fault = find_fault(name, exchange.wire.family)
        except UnknownNameError:
            return None
        if not fault.before_body:
            return None
        answer = frame(self._strike(fault, name, exchange), b"")
        return (answer,) if isinstance(answer, bytes) else answer

    def answer(self, request: RecordedRequest) -> bytes | Steps:
        """The response to a complete request."""
        try:
            scripted = self._script or self._replies or self.require_key or self._struck
            if not scripted and not request.path.startswith("/f/"):
                return self._plain(request)
            exchange, fault = self._exchange(request)
            return frame(self._decide(exchange, fault), _request_id(exchange))
        except Exception as error:
            self.failed(error)
            return response(500, f"the test server failed: {error!r}".encode(), "text/plain; charset=utf-8")

    def _plain(self, request: RecordedRequest) -> bytes | Steps:
        # Equal requests get equal answers here, so each is validated and encoded once: benchmarks repeat themselves.
        key = (request.method, request.path, request.body, self.strict)
        known = self._encoded.get(key)
        if known is None:
            exchange, _ = self._exchange(request)
            answer = exchange.wire.handle(exchange)
            cacheable = exchange.wire.cacheable and request.body[:1] == b"{" and len(request.body) <= _CACHE_BODY
            cacheable = cacheable and not getattr(answer, "is_unique", False)
            if not cacheable or not isinstance(answer, (Reply, Stream)) or answer.delay or answer.pause:
                return frame(answer, _request_id(exchange))
            if len(self._encoded) >= _CACHE_ENTRIES:
                self._encoded.clear()
            opened, payload = split(answer)
            known = self._encoded[key] = (opened + exchange.wire.request_id_header.encode(), payload)
        return b"%b: req_%d\r\n\r\n%b" % (known[0], request.number, known[1])

    def _decide(self, exchange: Exchange, fault_name: str) -> Answer:
        if self._script is not None:
            answer = self._script(exchange.request)
            if answer is not None and not isinstance(answer, Reply):
                return answer
            exchange.given = answer
        if fault_name:
            return self._strike(find_fault(fault_name, exchange.wire.family), fault_name, exchange)
        return exchange.wire.handle(exchange)

    def _strike(self, fault: Fault, name: str, exchange: Exchange) -> Answer:
        self._counts[name] += 1
        exchange.count = self._counts[name]
        exchange.args = fault.args
        return fault.answer(exchange)

    def _exchange(self, request: RecordedRequest) -> tuple[Exchange, str]:
        path, _, query = request.path.partition("?")
        fault = self._struck
        if path.startswith("/f/"):
            fault, _, path = path[3:].partition("/")
            path = f"/{path}"
        name, _, rest = path[1:].partition("/")
        wire = self._default
        if name in self.wires:
            wire = self.wires[name]
            path = f"/{rest}"
        if path.startswith(f"{wire.base}/"):
            path = path[len(wire.base) :]
        return Exchange(self, request, wire, path, query), fault


def _request_id(exchange: Exchange) -> bytes:
    header = exchange.wire.request_id_header
    return b"%b: req_%d\r\n" % (header.encode(), exchange.request.number) if header else b""
