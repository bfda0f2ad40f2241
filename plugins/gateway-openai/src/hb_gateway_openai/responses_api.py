"""ResponsesGateway: chat over OpenAI's Responses wire; embeddings and images go the ways of the openai gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_openai.attempt import OpenAIAttempt
from hb_gateway_openai.gateway import OpenAIGateway
from hb_wire_openai import PARAMETERS, RESPONSES, response_body
from heavenbase.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_wire_openai import Background, WireAttempt
    from heavenbase.call import Call, WireRequest
    from heavenbase.http import StreamState
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Completion


class ResponsesAttempt(OpenAIAttempt):
    """One attempt on the Responses wire."""

    def completion(self, decoded: Any) -> Completion:
        """The answer in a decoded body."""
        from hb_wire_openai import completion_of_response

        return completion_of_response(self.call, decoded, self.thinking)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        from hb_wire_openai import ResponseStream

        return ResponseStream(self.call, self.thinking, self.embedded)


class ResponsesGateway(OpenAIGateway):
    """Chat and streams on the Responses wire, on which thoughts go back from turn to turn."""

    name = "responses"
    wire: ClassVar[str] = "openai_responses"
    blocks = frozenset({"items"})
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS | RESPONSES

    def chat_request(self, call: Call) -> WireRequest:
        """The request of a chat."""
        return self.request(call, "responses", {"model": self.model_id(call.spec), **response_body(call)})

    def attempt_class(self) -> type[WireAttempt]:
        """What reads the answers of a chat."""
        return ResponsesAttempt

    @property
    def background(self) -> Background:
        """Answers in the background, by their ids."""
        from hb_wire_openai import Background

        return Background(self)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """None: the arguments of `client.responses.create` depend on the messages."""
        raise ExportError("gateway 'responses' exports its client, not its arguments; gateway='openai' has both")
