"""Providers that compose by wrapping: `CascadingProvider` -> `RetryingProvider` -> `AnthropicProvider`.

    from hb_compose import AnthropicProvider, RetryingProvider

    provider = RetryingProvider.with_defaults(AnthropicProvider(api_key, "claude-sonnet-4-20250514"))
    print(provider.complete("Name three primes.").text)

Each has `complete()` and `stream_complete()`, and `acomplete()` and `astream_complete()` for async code.
`load_provider("heartbit.toml")` makes the whole stack of a file. All requests go over hb's own wires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.utils import front

if TYPE_CHECKING:
    from hb_compose.blocks import AudioBlock as AudioBlock
    from hb_compose.blocks import ImageBlock as ImageBlock
    from hb_compose.blocks import Message as Message
    from hb_compose.blocks import TextBlock as TextBlock
    from hb_compose.blocks import ToolChoice as ToolChoice
    from hb_compose.blocks import ToolDefinition as ToolDefinition
    from hb_compose.blocks import ToolResultBlock as ToolResultBlock
    from hb_compose.blocks import ToolUseBlock as ToolUseBlock
    from hb_compose.boxed import BoxedProvider as BoxedProvider
    from hb_compose.cascading import CascadingProvider as CascadingProvider
    from hb_compose.direct import AnthropicProvider as AnthropicProvider
    from hb_compose.direct import OpenRouterProvider as OpenRouterProvider
    from hb_compose.gates import ConfidenceGate as ConfidenceGate
    from hb_compose.gates import HeuristicGate as HeuristicGate
    from hb_compose.providers import AsyncResponseStream as AsyncResponseStream
    from hb_compose.providers import LlmProvider as LlmProvider
    from hb_compose.providers import Provider as Provider
    from hb_compose.providers import ResponseStream as ResponseStream
    from hb_compose.requests import CompletionRequest as CompletionRequest
    from hb_compose.requests import CompletionResponse as CompletionResponse
    from hb_compose.requests import TokenUsage as TokenUsage
    from hb_compose.retrying import RetryingProvider as RetryingProvider
    from hb_compose.settings import load_provider as load_provider

_HOME = {
    "blocks": "AudioBlock ImageBlock Message TextBlock ToolChoice ToolDefinition ToolResultBlock ToolUseBlock",
    "boxed": "BoxedProvider",
    "cascading": "CascadingProvider",
    "direct": "AnthropicProvider OpenRouterProvider",
    "gates": "ConfidenceGate HeuristicGate",
    "providers": "AsyncResponseStream LlmProvider Provider ResponseStream",
    "requests": "CompletionRequest CompletionResponse TokenUsage",
    "retrying": "RetryingProvider",
    "settings": "load_provider",
}
"""Where each name is; it is loaded on first use, as a program that asks nobody needs none of them."""
__version__ = "0.2.0"
__getattr__, __dir__ = front(__name__, _HOME)
__all__ = __dir__()
