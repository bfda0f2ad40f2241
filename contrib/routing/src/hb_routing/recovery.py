"""What follows a stream that breaks behind its first content: nothing, a new beginning, or the rest of the answer."""

from __future__ import annotations

from typing import Any

from heavenbase.call import Call
from heavenbase.errors import (
    CallTimeout,
    ContentFiltered,
    DeadlineExceeded,
    FallbackWarning,
    HBError,
    RateLimitError,
    ResponseError,
    ServerError,
    StreamError,
    TransportError,
    warn_caller,
)
from heavenbase.gather import Gathering
from heavenbase.operations import estimated_text
from heavenbase.routes import Route
from heavenbase.types import Chunk, Usage
from heavenbase.wires import LIMITS

PROMPT = "The answer was cut off. Go on from exactly where it ends, without repeating any of it."


class Recovery:
    """What one streamed answer has delivered, and how the next target goes on with it."""

    def __init__(self, call: Call, route: Route, before: Recovery | None = None) -> None:
        # As it is now: what this route delivers comes by the routes around it too.
        self._before = before.text if before is not None else ""
        self._call = call
        self._route = route
        self.gathering = Gathering()
        self.has_content = False
        self.went_on = False
        """Whether another target goes on with what was delivered."""
        self.told = ""
        self._mode = route.stream_fallback
        self.is_heeded = self._mode != "fail"
        """Whether what is delivered may be needed again."""
        self._prefill = False

    def seen(self, chunk: Chunk) -> None:
        """Note what is delivered."""
        if chunk.kind in ("delta", "continue"):
            self.gathering.feed(chunk)
            if not self.has_content and chunk.has_content:
                self.has_content = True
        elif chunk.kind == "restart":
            self.gathering.feed(chunk)

    @property
    def text(self) -> str:
        """What was delivered of the answer that is gone on with, also before this route was asked."""
        return self._before + self.gathering.completion(self._call).text

    @property
    def usage(self) -> Usage | None:
        """What the target that broke told of its cost."""
        return self.gathering.completion(self._call).usage

    def may_go_on(self, error: HBError, *, has_time: bool) -> bool:
        """Whether a stream that broke with this error may be recovered, as far as the route allows it.

        `has_time`: a deadline that passed was the target's share alone.
        """
        if self._mode == "fail" or isinstance(error, ContentFiltered):
            return False
        if isinstance(error, DeadlineExceeded):
            return has_time
        broke = (StreamError, TransportError, CallTimeout, ServerError, RateLimitError, ResponseError)
        return isinstance(error, broke)

    def announce(self) -> Chunk:
        """The chunk that says how the answer goes on, and the decision what is asked next."""
        mode = self._fitting_mode()
        self.told = mode
        self.has_content = False
        if mode == "restart":
            self.went_on, self._before = False, ""
            chunk = Chunk(kind="restart")
        else:
            self.went_on, self._prefill = True, mode == "prefill"
            chunk = Chunk(kind="continue")
        self.seen(chunk)
        return chunk

    def _fitting_mode(self) -> str:
        call, mode = self._call, self._mode
        if mode == "restart":
            return mode
        args = call.args
        partial = self.gathering.completion(call)
        reasons = [
            (bool(args.get("tools")) or bool(partial.tool_calls), "with tools"),
            (call.format is not None, "with response_format"),
            (args.get("n") not in (None, 1), "with n > 1"),
            (not partial.text, "without any text"),
        ]
        for applies, reason in reasons:
            if applies:
                self._tell(f"{reason} the answer begins again (stream_fallback was {mode!r})")
                return "restart"
        return mode

    def _tell(self, text: str) -> None:
        self._call.context.report.emulated("stream_fallback", text)
        warn_caller(f"a stream broke, and {text}", FallbackWarning)

    def continued(self, call: Call) -> Call:
        """The call to the target that goes on: with what was delivered, and so many tokens fewer."""
        text = self.text
        said: list[dict[str, Any]] = [{"role": "assistant", "content": text}]
        if not (self._prefill and call.spec.capability("prefill")):
            if self._prefill:
                self._tell(f"{call.target} is asked to go on, as it does not begin with a given text")
            said.append({"role": "user", "content": self._route.stream_prompt or PROMPT})
        args = dict(call.args)
        for name in LIMITS:
            if isinstance(args.get(name), int):
                args[name] = max(args[name] - estimated_text(text), 1)
        return call.replace(messages=[*call.messages, *said], args=args, missed=None)
