"""One request and its answer: its limits, how far it came, and the error that a failure at this point is.

The gateway makes an exchange, the transport finds it in `CURRENT` and keeps it up to date, the gateway's reader says
when content came. So each read waits for what its clocks leave, without a timer of its own.

    connecting ── sending ── waiting for the head ── waiting for content ── between pieces of content
     connect       idle       first_token             first_token, stall      idle, stall          total: all along
"""

from __future__ import annotations

import select
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.errors import (
    ConnectError,
    ConnectTimeout,
    DeadlineExceeded,
    FirstTokenTimeout,
    HBError,
    IdleTimeout,
    PoolTimeout,
    ProtocolError,
    ResponseDecodeError,
    ResponseTimeout,
    ResponseTooLarge,
    StallTimeout,
    TLSVerifyError,
    TransportClosed,
)
from heavenbase.http.transport.framing import FIELD_LIMIT
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Headers: TypeAlias = "Sequence[tuple[bytes, bytes]]"
"""Names and values as they came."""

SUCCESSES = (200, 201, 202, 203, 204)
"""The statuses of answers that are read; others say that the body is a part, or something else than was asked for."""

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer after decompression; event streams are bounded by event instead."""

_SETTLED = Timeouts(idle=0.5, stall=0.5)
_REFUSED = Timeouts(idle=2.0, stall=2.0)
_LINGER = Timeouts(idle=0.05, stall=0.2)

_UNSENT = {"maybe_billed": False}
# By the clock that ran out: the error, its words, and what it knows better than the exchange.
_TIMEOUTS: Mapping[str, tuple[type[HBError], str, Mapping[str, bool]]] = {
    "total": (DeadlineExceeded, "the total limit of {limits.total} s passed", {}),
    "pool": (PoolTimeout, "no connection became free within {limits.pool} s", {}),
    "connect": (ConnectTimeout, "no connection to {host} within {limits.connect} s", _UNSENT),
    "write": (IdleTimeout, "{host} took no bytes of the request for {limits.idle} s", _UNSENT | {"retryable": True}),
    "answer": (ResponseTimeout, "no answer within {limits.first_token} s", {}),
    "first": (FirstTokenTimeout, "no content within {limits.first_token} s", {}),
    "idle": (IdleTimeout, "no bytes for {limits.idle} s", {}),
}


@dataclass(slots=True, eq=False, repr=False)
class Exchange:
    """Limits, clocks and progress of one request; not shared between requests."""

    target: str
    timeouts: Timeouts
    _: KW_ONLY
    clock: Callable[[], float] = time.monotonic
    deadline: float | None = None
    body_limit: int = BODY_LIMIT
    may_stream: bool = False
    """Whether an answer of events may be endless."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What every error about this exchange says of the call."""
    host: str = ""
    secrets: Callable[[], Iterable[str]] | None = None
    """What must not be logged of it."""
    is_reused: bool = False
    sent: bool = False
    write_failed: bool = False
    eof: bool = False
    failure: HBError | None = None
    """What broke the answer, where the library below can only be told that the connection ended."""
    status: int | None = None
    headers: Headers = ()
    named: dict[bytes, bytes] = field(default_factory=dict)
    """The headers by their names, in lower case; the last of each."""
    body: Any = None
    """The body of the answer, until it is closed."""
    arm: Callable[[float | None], None] = field(init=False)
    """Sets the timer, on transports that have one of their own."""
    has_body: bool = False
    has_content: bool = False
    started: float = field(init=False)
    _connect_until: float | None = None
    # Only the time spent waiting counts: a caller may take as long as he likes between two chunks.
    _waited: float = 0.0
    _waited_for_body: float = 0.0
    _waiting_for: str = "idle"
    _waiting_since: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self._waiting_since = self.clock()

    @classmethod
    def of(cls, call: Any, *, body_limit: int = BODY_LIMIT) -> Exchange:
        """The exchange of one attempt of a call: its limits, its clock, its deadline."""
        context = call.context
        return cls(
            call.target,
            context.timeouts,
            clock=context.clock,
            deadline=context.deadline,
            body_limit=body_limit,
            may_stream=call.stream,
            fields={"provider": call.spec.provider, "model": call.spec.model_id},
            secrets=call.secrets,
        )

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within this, the transport serves this exchange."""
        token = CURRENT.set(self)
        try:
            yield
        finally:
            CURRENT.reset(token)

    def elapsed(self) -> float:
        """Seconds since the exchange began."""
        return self.clock() - self.started

    # Limits. Each returns the seconds that the next step may take and remembers which clock that is.

    def pool_limit(self) -> float | None:
        """For a free connection."""
        return self._nearest(self.clock(), "pool", self.timeouts.pool)

    def connect_limit(self) -> float | None:
        """For what is left of connecting: name, TCP and TLS together."""
        now, left = self.clock(), self.timeouts.connect
        if left is not None:
            if self._connect_until is None:
                self._connect_until = now + left
            left = max(self._connect_until - now, 0.0)
        return self._nearest(now, "connect", left)

    def write_limit(self) -> float | None:
        """For the peer to take some bytes of the request."""
        return self._nearest(self.clock(), "write", self.timeouts.idle)

    def read_limit(self) -> float | None:
        """For the next bytes of the answer."""
        now = self.clock()
        limits = self.timeouts
        stall = None if limits.stall is None else limits.stall - self._waited
        if self.has_content:
            idle = limits.idle
            if stall is not None and (idle is None or stall < idle):
                return self._nearest(now, "stall", stall)
            return self._nearest(now, "idle", idle)
        self.sent = not self.write_failed
        first = None if limits.first_token is None else limits.first_token - self._waited
        if not self.has_body:
            return self._nearest(now, "answer" if self.status is None else "first", first)
        if stall is not None:
            stall += self._waited_for_body
        if first is not None and (stall is None or first < stall):
            stall = first
        return self._nearest(now, "stall", stall)

    def _nearest(self, now: float, clock: str, limit: float | None) -> float | None:
        self._waiting_for = clock
        self._waiting_since = now
        if self.deadline is not None:
            left = self.deadline - now
            if limit is None or left <= limit:
                self._waiting_for = "total"
                limit = left
        if limit is not None and limit <= 0:
            raise self.timed_out()
        return limit

    # Progress

    def head(self, status: int, headers: Headers) -> None:
        """The status line and the headers came; ProtocolError for a status that no wire answers with."""
        self.status = status
        if len(headers) > FIELD_LIMIT:  # of a transport that a kernel was given; others do not get here with them
            raise self.broken(f"has more than {FIELD_LIMIT} headers")
        if not (300 <= status < 600 or status in SUCCESSES):
            raise self.broken(f"has the status {status}, which no provider's wire knows")
        self.headers = headers
        self.named = {name.lower(): value for name, value in headers}

    def arrived(self) -> None:
        """The wait that `read_limit` began has ended with bytes."""
        self._waited += self.clock() - self._waiting_since
        if not self.has_body:
            self._waited_for_body = self._waited

    def content(self) -> None:
        """Content came: something that the caller sees."""
        self.has_content = True
        self._waited = 0.0

    def settle(self) -> None:
        """The end is proved; what may still come, such as counts, is waited for only so long, whatever else comes."""
        if self.timeouts is not _SETTLED:
            self.timeouts = _SETTLED
            self.deadline = None
            self.content()

    def refused(self) -> None:
        """The status says what the answer is; its body is waited for only so long."""
        self.timeouts = _REFUSED
        self.content()

    def linger(self) -> None:
        """The answer is complete; what may still come of it is waited for only briefly."""
        self.timeouts = _LINGER
        self.deadline = None
        self.content()

    # Failures

    @property
    def is_out_of_time(self) -> bool:
        """Whether the last limit was that of the whole call."""
        return self._waiting_for == "total"

    def timed_out(self) -> HBError:
        """The error of the limit that the last `*_limit` returned."""
        limits, facts = self.timeouts, self.facts()
        if self._waiting_for == "stall":
            given = [limits.stall] if self.has_content else [limits.stall, limits.first_token]
            waited = min((limit for limit in given if limit is not None), default=None)
            facts["retryable"] = not self.has_content
            return StallTimeout(f"{self.target}: bytes came but no content for {waited} s", **facts)
        kind, text, known = _TIMEOUTS[self._waiting_for]
        return kind(f"{self.target}: {text.format(host=self.host, limits=limits)}", **{**facts, **known})

    def connect_failed(self, reason: str) -> HBError:
        """No connection: a name that does not resolve, a refused port, an unreachable network."""
        return ConnectError(f"{self.target}: no connection to {self.host}: {reason}", **self.fields)

    def tls_failed(self, reason: str) -> HBError:
        """The peer's certificate was not accepted."""
        return TLSVerifyError(
            f"{self.target}: the certificate of {self.host} was not accepted: {reason}; if the host is yours, "
            "add its authority with SSL_CERT_FILE",
            **self.fields,
        )

    def closed(self, reason: str) -> HBError:
        """The connection ended before the answer did."""
        return TransportClosed(f"{self.target}: {self.host} {reason}", **self.facts())

    def broken(self, what: str) -> HBError:
        """The answer breaks the rules of HTTP; to ask again would only cost again."""
        return ProtocolError(f"{self.target}: the answer {what}", **self.facts())

    def no_http(self) -> HBError:
        """Bytes came that are no answer: the endpoint's, or while nothing was sent to it those of a proxy."""
        if self.sent:
            return self.broken("is not HTTP/1.1")
        return self.connect_failed("the proxy's answer is not HTTP/1.1")

    def unreadable(self, what: str) -> HBError:
        """The answer is packed in a way that nobody asked for, or not as it claims."""
        return ResponseDecodeError(f"{self.target}: the answer {what}", **self.facts())

    def too_large(self) -> HBError:
        """The answer passed its limit."""
        return ResponseTooLarge(f"{self.target}: the answer has more than {self.body_limit:,} bytes", **self.facts())

    def facts(self) -> dict[str, Any]:
        """What every error about this exchange says beside its message."""
        return {**self.fields, "maybe_billed": self.sent, "status": self.status, "request_id": request_id(self.named)}


CURRENT: ContextVar[Exchange | None] = ContextVar("hb_http_exchange", default=None)
"""The exchange that the transport serves now."""


def current() -> Exchange:
    """The exchange that the calling transport serves."""
    exchange = CURRENT.get()
    if exchange is None:
        raise RuntimeError("a connection was used outside of a transport")
    return exchange


ID_HEADERS = b"x-request-id request-id x-amzn-requestid x-generation-id apim-request-id x-debug-trace-id cf-ray".split()
"""The usual names of such a header, in the order in which they count."""


def request_id(named: Mapping[bytes, bytes]) -> str | None:
    """The provider's name for this request, from headers by their lower-case names; None when it gives none."""
    return next((named[name].decode("latin-1")[:200] for name in ID_HEADERS if named.get(name)), None)


def is_readable(connection: socket.socket) -> bool:
    """Whether a read would not wait."""
    if connection.fileno() < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([connection], [], [], 0)[0])


def reason(error: Exception) -> str:
    """The system's words for a failure."""
    # asyncio tells of several addresses in the text alone.
    return str(getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error) or type(error).__name__)
