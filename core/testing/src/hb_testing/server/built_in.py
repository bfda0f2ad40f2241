"""The wires and faults that every loopback server has. A new wire is a module of its own, and a line in each tuple."""

from __future__ import annotations

from collections.abc import Callable

from hb_testing.server import (
    faults_anthropic,
    faults_batches,
    faults_bedrock,
    faults_body,
    faults_cohere,
    faults_connection,
    faults_gemini,
    faults_ollama,
    faults_responses,
    faults_sse,
    faults_status,
    faults_stream,
)
from hb_testing.server.wire import Wire
from hb_testing.server.wire_anthropic import AnthropicWire
from hb_testing.server.wire_bedrock import BedrockWire
from hb_testing.server.wire_cohere import CohereWire
from hb_testing.server.wire_gemini import GeminiWire
from hb_testing.server.wire_mistral import MistralWire
from hb_testing.server.wire_ollama import OllamaWire
from hb_testing.server.wire_openai import OpenAIWire
from hb_testing.server.wire_openrouter import OpenRouterWire
from hb_testing.server.wire_responses import ResponsesWire

# The first one also answers without its name in the path.
WIRES: tuple[Callable[[], Wire], ...] = (
    OpenAIWire,
    OpenRouterWire,
    AnthropicWire,
    BedrockWire,
    GeminiWire,
    OllamaWire,
    CohereWire,
    MistralWire,
    ResponsesWire,
)
# Importing these modules registers their faults.
FAULTS = (
    faults_anthropic,
    faults_batches,
    faults_bedrock,
    faults_body,
    faults_cohere,
    faults_connection,
    faults_gemini,
    faults_ollama,
    faults_responses,
    faults_sse,
    faults_status,
    faults_stream,
)
