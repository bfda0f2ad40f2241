"""The wires of OpenAI, without an SDK: pure mappings of hb's calls and answers, for every gateway that speaks them.

    gateway, attempt                  the bases of gateways
    messages, parameters, dialects    a chat that goes out
    answers, streams, usage           its answer, whole or streamed
    events                            what the streams of both wires share
    embeddings, images                the other verbs
    counting, lists, files, batches   operations
    responses                         chats on the Responses wire

Each name is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.utils import front

if TYPE_CHECKING:
    from hb_wire_openai import images as images
    from hb_wire_openai.answers import Thinking as Thinking
    from hb_wire_openai.answers import completion as completion
    from hb_wire_openai.answers import in_order as in_order
    from hb_wire_openai.answers import thinking_of as thinking_of
    from hb_wire_openai.attempt import Files as Files
    from hb_wire_openai.attempt import WireAttempt as WireAttempt
    from hb_wire_openai.batches import WireBatches as WireBatches
    from hb_wire_openai.embeddings import embedding as embedding
    from hb_wire_openai.files import WireFiles as WireFiles
    from hb_wire_openai.gateway import WireGateway as WireGateway
    from hb_wire_openai.lists import file_page as file_page
    from hb_wire_openai.names import PARAMETERS as PARAMETERS
    from hb_wire_openai.names import RESPONSES as RESPONSES
    from hb_wire_openai.parameters import chat_fields as chat_fields
    from hb_wire_openai.responses.answers import completion_of_response as completion_of_response
    from hb_wire_openai.responses.background import Background as Background
    from hb_wire_openai.responses.fields import response_body as response_body
    from hb_wire_openai.responses.stream import ResponseStream as ResponseStream
    from hb_wire_openai.streams import ChatStream as ChatStream
    from hb_wire_openai.usage import chat_usage as chat_usage

_TABLE = {
    "": "images",
    "answers": "Thinking completion in_order thinking_of",
    "attempt": "WireAttempt",
    "batches": "WireBatches",
    "embeddings": "embedding",
    "files": "WireFiles",
    "gateway": "WireGateway",
    "lists": "file_page",
    "names": "PARAMETERS RESPONSES",
    "parameters": "chat_fields",
    "responses.answers": "completion_of_response",
    "responses.background": "Background",
    "responses.fields": "response_body",
    "responses.stream": "ResponseStream",
    "streams": "ChatStream",
    "usage": "chat_usage",
}
"""The public names of each module; under "" the module that is public as such."""
__getattr__, __dir__ = front(__name__, _TABLE)
