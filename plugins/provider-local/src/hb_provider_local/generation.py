"""One chat in the engine: it runs in a thread of its own, hands over each chunk as it comes, and can be stopped."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from hb_provider_local.faults import from_exception, from_payload
from heavenbase.errors import HBError, ResponseDecodeError, StreamTruncated

if TYPE_CHECKING:
    from collections.abc import Callable

Item: TypeAlias = "dict[str, Any] | HBError | None"
"""A chunk, the error that ended the stream, or None for its end."""


class Generation:
    """Calls `deliver` from its thread: chunks, then one None or one error; `done` before the last of these.

    After `cancel` nothing but the end need come any more.
    """

    def __init__(
        self, server: Any, payload: bytes, deliver: Callable[[Item], None], done: Callable[[Generation], None]
    ) -> None:
        self._server = server
        self._payload = payload
        self._deliver = deliver
        self._done = done
        self.cancelled = False
        self._ending: Item = None
        self._finished = False
        # A daemon, so that an abandoned generation does not hold up the end of the process; the engine stops it there.
        self._thread = threading.Thread(target=self._run, name="hb-local", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self, reason: HBError | None = None) -> None:
        """Stop at the next token, or between two batches of the prompt; who still reads gets the reason. Does not wait.

        Does nothing to an answer that is complete.
        """
        if not self._finished:
            self._ending = self._ending or reason
        self.cancelled = True

    def join(self) -> None:
        """Wait until the engine has let go."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._server.handle_chat_completions(self._payload, self._receive)
            if self._ending is None and not self._finished and not self.cancelled:
                self._ending = StreamTruncated("the local engine stopped without a finish reason")
        except Exception as error:
            self._ending = from_exception(error)
        finally:
            # The thread object may outlive the engine; the model must not.
            self._server = None
        # First, so that whoever reads the end may count on the engine being free.
        self._done(self)
        self._hand_over(self._ending)

    def _receive(self, data: bytes) -> bool:
        """Called by the engine for each event; True stops it. Must not raise: the library would swallow it."""
        if self.cancelled:
            return True
        try:
            event = json.loads(data)
            if "error" in event:
                self._ending = from_payload(event["error"])
                return True
            if "prompt_progress" in event:
                return False
            self._finished = self._finished or any(choice.get("finish_reason") for choice in event["choices"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._ending = ResponseDecodeError(f"the local engine sent what is no chunk: {error!r}")
            return True
        return not self._hand_over(event)

    def _hand_over(self, item: Item) -> bool:
        try:
            self._deliver(item)
        except RuntimeError:
            # The event loop that waited is closed: nobody is there to read.
            self.cancelled = True
        return not self.cancelled
