"""llmgate's functions, types and errors over hb: `from hb_llmgate import completion`.

Every name is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hb_llmgate.exceptions import (
        AllProvidersFailedError,
        AuthError,
        BatchTimeoutError,
        ConfigError,
        EmbeddingsNotSupported,
        InvalidRequestError,
        LLMGateError,
        ModelNotFoundError,
        ProviderAPIError,
        ProviderError,
        RateLimitError,
        StreamingNotSupported,
        StructuredOutputError,
        VisionNotSupported,
    )
    from hb_llmgate.gate import LLMGate, abatch, acompletion, aembed, aparse, batch, completion, embed, parse
    from hb_llmgate.middleware import (
        BaseMiddleware,
        CacheMiddleware,
        FallbackMiddleware,
        LoggingMiddleware,
        RateLimitMiddleware,
        RetryMiddleware,
    )
    from hb_llmgate.types import (
        BatchError,
        BatchResult,
        Choice,
        CompletionRequest,
        CompletionResponse,
        EmbeddingRequest,
        EmbeddingResponse,
        FunctionDefinition,
        ImageBytes,
        ImagePart,
        ImageURL,
        Message,
        StreamChunk,
        TextPart,
        TokenUsage,
        ToolCall,
        ToolDefinition,
    )

__version__ = "0.2.0"

# fmt: off
_HOMES = {
    "exceptions": "AllProvidersFailedError AuthError BatchTimeoutError ConfigError EmbeddingsNotSupported "
    "InvalidRequestError LLMGateError ModelNotFoundError ProviderAPIError ProviderError RateLimitError "
    "StreamingNotSupported StructuredOutputError VisionNotSupported",
    "gate": "LLMGate abatch acompletion aembed aparse batch completion embed parse",
    "middleware": "BaseMiddleware CacheMiddleware FallbackMiddleware LoggingMiddleware RateLimitMiddleware "
    "RetryMiddleware",
    "types": "BatchError BatchResult Choice CompletionRequest CompletionResponse EmbeddingRequest EmbeddingResponse "
    "FunctionDefinition ImageBytes ImagePart ImageURL Message StreamChunk TextPart TokenUsage ToolCall ToolDefinition",
}
__all__ = [
    "AllProvidersFailedError", "AuthError", "BaseMiddleware", "BatchError", "BatchResult", "BatchTimeoutError",
    "CacheMiddleware", "Choice", "CompletionRequest", "CompletionResponse", "ConfigError", "EmbeddingRequest",
    "EmbeddingResponse", "EmbeddingsNotSupported", "FallbackMiddleware", "FunctionDefinition", "ImageBytes",
    "ImagePart", "ImageURL", "InvalidRequestError", "LLMGate", "LLMGateError", "LoggingMiddleware", "Message",
    "ModelNotFoundError", "ProviderAPIError", "ProviderError", "RateLimitError", "RateLimitMiddleware",
    "RetryMiddleware", "StreamChunk", "StreamingNotSupported", "StructuredOutputError", "TextPart", "TokenUsage",
    "ToolCall", "ToolDefinition", "VisionNotSupported", "__version__", "abatch", "acompletion", "aembed", "aparse",
    "batch", "completion", "embed", "parse",
]
# fmt: on

_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
