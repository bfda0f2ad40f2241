"""One attempt on a wire of OpenAI's: how its answers, its events and the errors in them are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.answers import choice_error, completion
from hb_wire_openai.events import error_reader
from heavenbase.http import IMAGE_EVENT_LIMIT, TEXT_EVENT_LIMIT, HTTPAttempt, ServerEvents, embedded_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hb_wire_openai.answers import Thinking
    from heavenbase.call import Call
    from heavenbase.errors import HBError
    from heavenbase.http import EventSource, StreamState
    from heavenbase.image import LLMImage
    from heavenbase.types import Completion

    Files = Sequence[tuple[str, LLMImage, bytes]]
    """The fields of a form that are images, with their bytes."""


class WireAttempt(HTTPAttempt):
    """One attempt on the chat wire, and on those of embeddings and images; how it is sent is the gateway's to add.

    `files` are to be sent as a form.
    """

    def __init__(
        self,
        call: Call,
        thinking: Thinking,
        wall: Callable[[], float],
        extra_bytes: int = 0,
        files: Files = (),
    ) -> None:
        super().__init__(call, wall, extra_bytes)
        self.thinking = thinking
        self.files = files

    def events(self) -> EventSource:
        """Server-sent events."""
        images = self.call.spec.provider_value("image_endpoint") == "chat"
        return ServerEvents(IMAGE_EVENT_LIMIT if images else TEXT_EVENT_LIMIT)

    def held(self, decoded: Any) -> HBError | None:
        """The error in an answer that came with the status of a success."""
        failure = error_reader(self.embedded)(decoded)
        if failure is None and (error := choice_error(decoded)):
            failure = self.embedded(error)
        return failure

    def embedded(self, error: Any) -> HBError:
        """The error of hb for an error object."""
        return embedded_error(self.call, error, self.exchange.headers, wall=self.wall)

    def completion(self, decoded: Any) -> Completion:
        """The answer in a decoded body."""
        return completion(self.call, decoded, self.thinking)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        from hb_wire_openai.streams import ChatStream

        return ChatStream(self.call, self.thinking, self.embedded)
