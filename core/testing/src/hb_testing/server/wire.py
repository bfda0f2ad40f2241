"""A wire: one provider's HTTP API, as a class whose methods are routes.

Write one for another API so:

    class EchoWire(Wire):
        name = "echo"                     # server.url("echo") -> http://127.0.0.1:PORT/echo/v2
        base = "/v2"

        @route("POST", "/say")
        def say(self, exchange: Exchange) -> Answer:
            payload = exchange.json()     # 400 in this wire's error shape when the body is not a JSON object
            reply = exchange.reply()      # the next queued reply, or an empty one: the default answer
            if reply.raw:
                return reply
            return Reply(body={"said": reply.text or payload["text"]}, headers=reply.headers)

        def error(self, status, message, **details):
            return Reply(status=status, body={"oops": message})

    with LoopbackServer(wires=[EchoWire()]) as server: ...

A path may have words to fill in: `@route("POST", "/models/{model}:generate")` puts them into `exchange.params`.

The generic faults (status codes, resets, stalls, cut streams) work on it at once; those that cut streams need `stream`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar
from urllib.parse import unquote

from hb_testing.server.answers import Answer, Reply, Stream

if TYPE_CHECKING:
    from hb_testing.server.recorder import RecordedRequest

Framing = Literal["sse", "lines", "frames"]
Handler = TypeVar("Handler", bound=Callable[..., Answer])


class Rejected(Exception):
    """A request that the wire refuses. Raised by handlers and checks, answered by `Wire.error`."""

    def __init__(self, message: str, *, status: int = 400, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.details = details


class Settings(Protocol):
    """What an exchange may know of its server."""

    strict: bool
    require_key: str | None
    redirect_to: str | None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""

    def now(self) -> float:
        """Wall-clock seconds by the server's clock."""

    def next_reply(self) -> Reply | None:
        """Take the next queued reply."""


class Exchange:
    """One request on its way to an answer.

    `path` is the request path below the wire's base, `query` what follows the question mark, `params` what stands in
    the route's braces; `args` are the words after a fault's name, and `count` numbers the requests made to that fault
    since the server started or was cleared.
    """

    __slots__ = ("args", "count", "given", "params", "path", "query", "request", "server", "wire")

    def __init__(self, server: Settings, request: RecordedRequest, wire: Wire, path: str, query: str = "") -> None:
        self.server = server
        self.request = request
        self.wire = wire
        self.path = path
        self.query = query
        self.params: Mapping[str, str] = {}
        self.args: tuple[str, ...] = ()
        self.count = 0
        self.given: Reply | None = None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; raises Rejected for anything else, NaN and Infinity included."""
        try:
            payload = json.loads(self.request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Rejected("We could not parse the JSON body of your request.") from None
        if not isinstance(payload, dict):
            raise Rejected("The JSON body of your request must be an object.")
        return payload

    def reply(self, default: Reply | None = None) -> Reply:
        """The reply a script gave, else the next queued one, else `default`, else an empty one."""
        return self.given or self.server.next_reply() or default or Reply()

    def stream(self) -> Stream:
        """A good stream of the wire, for faults to cut: the next queued reply, or one with `FAULT_TOKENS`."""
        return self.wire.stream(self, self.reply(Reply(chunks=FAULT_TOKENS)))


FAULT_TOKENS = ("Grüße", ", ", "schöne ", "Welt ", "🌍", "!")
FAULT_TEXT = "".join(FAULT_TOKENS)


def paged(exchange: Exchange, rows: list[Any], size: str, cursor: str) -> tuple[list[Any], str | None]:
    """(the rows of one page, the cursor of the next one), by what these fields of the query say."""
    from urllib.parse import parse_qs

    asked = {name: values[-1] for name, values in parse_qs(exchange.query).items()}
    start, most = asked.get(cursor, "0"), asked.get(size, "1000")
    if not (start.isdigit() and most.isdigit()) or not 1 <= int(most) <= 1000:
        raise Rejected(f"{size} or {cursor} is invalid")
    end = int(start) + int(most)
    return rows[int(start) : end], str(end) if end < len(rows) else None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Mark a Wire's method as the handler of `method` and `path`, below the wire's base.

    The path is exact, but for words in braces: `/models/{model}:generate` takes any model without a slash.
    """

    def mark(handler: Handler) -> Handler:
        vars(handler).setdefault("routes", []).append((method, path))
        return handler

    return mark


class Wire:
    """Base of wires. Subclasses set `name` and `base`, mark handlers with `route`, and shape their errors.

    family             the wire whose special faults (malformed answers in that wire's shape) also fit this one
    cacheable          an answer without a queued reply depends on the request alone, so it may be encoded once
    request_id_header  the header in which every answer names its request; "" when the provider sends none
    framing            how streams are framed: server-sent events, lines of JSON, or binary frames
    stream_type        the content type of streams
    keepalive          what a stream may send while nothing happens; b"" when the wire has nothing of the kind

    What the conformance kit has to know of the wire beyond its bytes:

    finish_reasons     the provider's words for why an answer ended, and what they are in hb's vocabulary
    usage_buckets      what its counts tell apart, of input, cache_read, output and reasoning
    call_ids           whether tool calls carry ids
    end_marker         whether something after the finish reason ends a stream; else the finish reason itself does
    many_images        whether one request may ask for several images
    """

    name: str = ""
    base: str = ""
    family: str = ""
    cacheable: ClassVar[bool] = False
    request_id_header: ClassVar[str] = "x-request-id"
    framing: ClassVar[Framing] = "sse"
    stream_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    keepalive: ClassVar[bytes] = b": keepalive\n\n"
    finish_reasons: ClassVar[Mapping[str, str]] = {}
    usage_buckets: ClassVar[Collection[str]] = ("input", "cache_read", "output", "reasoning")
    call_ids: ClassVar[bool] = True
    end_marker: ClassVar[bool] = True
    many_images: ClassVar[bool] = True
    routes: ClassVar[Mapping[tuple[str, str], str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        routes = dict(cls.routes)
        for name, member in vars(cls).items():
            routes.update(dict.fromkeys(getattr(member, "routes", ()), name))
        cls.routes = routes
        cls.family = vars(cls).get("family") or cls.family or cls.name

    def handle(self, exchange: Exchange) -> Answer:
        """Answer one request: find the route, check the key, call the handler, shape what it refuses."""
        request = exchange.request
        name, exchange.params = self._find(request.method, exchange.path)
        try:
            if name is None:
                known = any(_matched(path, exchange.path) is not None for _, path in self.routes)
                raise Rejected(
                    f"Invalid URL ({request.method} {request.path})" if not known else "Method not allowed",
                    status=405 if known else 404,
                )
            self.authorize(exchange)
            answer: Answer = getattr(self, name)(exchange)
        except Rejected as refusal:
            return self.error(refusal.status, refusal.message, **refusal.details)
        if isinstance(answer, Reply) and answer.body is None and answer.status >= 400:
            shaped = self.error(answer.status, answer.text or self.message(answer.status))
            shaped.headers = {**shaped.headers, **answer.headers}
            shaped.delay = answer.delay
            return shaped
        return answer

    def _find(self, method: str, path: str) -> tuple[str | None, Mapping[str, str]]:
        name = self.routes.get((method, path))
        if name is not None:
            return name, {}
        for (expected, pattern), name in self.routes.items():
            params = _matched(pattern, path) if expected == method and "{" in pattern else None
            if params is not None:
                return name, params
        return None, {}

    def authorize(self, exchange: Exchange) -> None:
        """Raise Rejected when the server requires a key and the request brings another one."""
        required = exchange.server.require_key
        if required is not None and self.key(exchange.request) != required:
            raise Rejected(self.message(401), status=401)

    def key(self, request: RecordedRequest) -> str | None:
        """The credential that the request presents."""
        return request.bearer

    def message(self, status: int) -> str:
        """What the provider says with an error status."""
        return MESSAGES.get(status, "The request failed.")

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in the provider's shape; `details` may hold `kind`, `code` and `param`."""
        raise NotImplementedError

    def error_event(self, status: int, message: str) -> bytes:
        """An error in the provider's shape as one event of a stream; not overridden where streams carry no errors."""
        raise NotImplementedError

    @property
    def has_error_events(self) -> bool:
        """Whether streams may carry an error."""
        return type(self).error_event is not Wire.error_event

    def event(self, payload: bytes) -> bytes:
        """One event of a stream with this payload, good or bad; wires of binary frames override it."""
        if self.framing == "frames":
            raise NotImplementedError
        return b"data: " + payload + b"\n\n" if self.framing == "sse" else payload + b"\n"

    def streams(self, exchange: Exchange) -> bool:
        """Whether the request asks for a stream."""
        raise NotImplementedError

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`."""
        raise NotImplementedError


def _matched(pattern: str, path: str) -> Mapping[str, str] | None:
    found = _compiled(pattern).fullmatch(path)
    return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", pattern)
    return re.compile("".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts)))


MESSAGES = {
    400: "Invalid value in the request.",
    401: "Incorrect API key provided.",
    402: "Insufficient Balance",
    403: "You are not allowed to use this resource.",
    404: "The model does not exist or you do not have access to it.",
    422: "The request was well-formed but could not be processed.",
    429: "Rate limit reached for requests.",
    500: "The server had an error while processing your request. Sorry about that!",
    502: "Bad gateway.",
    503: "The engine is currently overloaded, please try again later.",
    504: "Gateway timeout.",
    529: "Overloaded",
}
