"""A loopback HTTP server that speaks provider wires, records what it gets and misbehaves on request.

    from hb_testing.server import LoopbackServer

    with LoopbackServer() as server:
        server.reply(text="hello", reasoning="greet back")
        hb.LLM(model="m", base_url=server.url("openai"), api_key="k").chat("hi")
        assert server.requests[0].json["messages"][-1] == {"role": "user", "content": "hi"}

Faults are chosen by base URL: `server.url("openai", fault="E2.3")` resets every stream after three tokens.
`fault_names()` lists them; `fault` registers more; `Wire` and `route` add the API of another provider. Everything is
standard library, but for `tls_server`, which needs trustme.
"""

from __future__ import annotations

from hb_testing.server.answers import Action, Answer, Pause, Reply, Step, Steps, Stream
from hb_testing.server.faults import Fault, argument, fault, fault_names, find_fault
from hb_testing.server.faults_sse import SEPARATORS_TEXT
from hb_testing.server.faults_wire import body_faults
from hb_testing.server.http import LAST_CHUNK, chunk, head, response
from hb_testing.server.loopback import LoopbackServer
from hb_testing.server.recorder import RecordedRequest
from hb_testing.server.sockets import RawServer, black_hole, refused_port, resetting_port
from hb_testing.server.sse_vectors import SSE_VECTORS, SseEvent, SseVector
from hb_testing.server.tls import TLSServer, tls_server
from hb_testing.server.wire import FAULT_TEXT, FAULT_TOKENS, Exchange, Rejected, Wire, route
from hb_testing.server.wire_anthropic import AnthropicWire
from hb_testing.server.wire_bedrock import BedrockWire
from hb_testing.server.wire_cohere import CohereWire
from hb_testing.server.wire_gemini import GeminiWire
from hb_testing.server.wire_mistral import MistralWire
from hb_testing.server.wire_ollama import OllamaWire
from hb_testing.server.wire_openai import OpenAIWire
from hb_testing.server.wire_openrouter import OpenRouterWire
from hb_testing.server.wire_responses import ResponsesWire

__all__ = [
    "FAULT_TEXT",
    "FAULT_TOKENS",
    "LAST_CHUNK",
    "SEPARATORS_TEXT",
    "SSE_VECTORS",
    "Action",
    "Answer",
    "AnthropicWire",
    "BedrockWire",
    "CohereWire",
    "Exchange",
    "Fault",
    "GeminiWire",
    "LoopbackServer",
    "MistralWire",
    "OllamaWire",
    "OpenAIWire",
    "OpenRouterWire",
    "Pause",
    "RawServer",
    "RecordedRequest",
    "Rejected",
    "Reply",
    "ResponsesWire",
    "SseEvent",
    "SseVector",
    "Step",
    "Steps",
    "Stream",
    "TLSServer",
    "Wire",
    "argument",
    "black_hole",
    "body_faults",
    "chunk",
    "fault",
    "fault_names",
    "find_fault",
    "head",
    "refused_port",
    "resetting_port",
    "response",
    "route",
    "tls_server",
]
