"""OpenRouter's dialect of OpenAI's wire: its extra fields, reasoning and errors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hb_testing.server import openai_chat as chat
from hb_testing.server.answers import Reply
from hb_testing.server.wire_openai import OpenAIWire

EXTENSIONS = frozenset(
    [
        "cache_control",
        "image_config",
        "include_reasoning",
        "min_p",
        "models",
        "plugins",
        "provider",
        "reasoning",
        "repetition_penalty",
        "route",
        "session_id",
        "structured_outputs",
        "top_a",
        "top_k",
        "trace",
        "transforms",
        "usage",
    ]
)
MESSAGE_EXTENSIONS = frozenset({"reasoning", "reasoning_details", "images", "cache_control"})


class OpenRouterWire(OpenAIWire):
    """OpenRouter: numeric error codes, `reasoning` instead of `reasoning_content`, errors inside streams."""

    name = "openrouter"
    base = "/api/v1"
    reasoning_field = "reasoning"

    def __init__(self, *, extensions: Collection[str] = (), message_extensions: Collection[str] = ()) -> None:
        super().__init__(
            extensions=EXTENSIONS | set(extensions),
            message_extensions=MESSAGE_EXTENSIONS | set(message_extensions),
            models=("openai/gpt-4o-mini", "openai/gpt-5-image-mini"),
        )

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in OpenRouter's shape: the code is the HTTP status."""
        metadata = {"provider_name": "loopback", "error_type": details.get("kind") or "provider_error"}
        return Reply(status=status, body={"error": {"message": message, "code": status, "metadata": metadata}})

    def error_event(self, status: int, message: str) -> bytes:
        """An error inside a stream: a chunk that carries an error and the finish reason `error`."""
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "error"}
        return chat.event(
            {
                "id": "gen-loopback",
                "object": "chat.completion.chunk",
                "created": chat.CREATED,
                "model": "loopback",
                "error": {"code": status, "message": message},
                "choices": [choice],
            }
        )
