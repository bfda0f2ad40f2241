"""A streamed answer of the engine as the one answer that it would have been without streaming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Assembly:
    """Takes the chunks of one OpenAI-shaped stream with one choice, and gives the `chat.completion`."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._tools: dict[int, dict[str, Any]] = {}
        self._logprobs: list[Any] = []
        self._finish_reason: str | None = None

    def feed(self, chunk: dict[str, Any]) -> None:
        """Take one chunk."""
        self._last.update({name: value for name, value in chunk.items() if name != "choices"})
        for choice in chunk["choices"]:
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            self._logprobs.extend((choice.get("logprobs") or {}).get("content") or ())
            delta = choice.get("delta") or {}
            for name in ("content", "reasoning_content"):
                if delta.get(name):
                    self._texts.setdefault(name, []).append(delta[name])
            self._feed_tools(delta.get("tool_calls") or ())

    def result(self) -> dict[str, Any]:
        """The answer, in the engine's own shape."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._texts.get("content", ()))}
        if "reasoning_content" in self._texts:
            message["reasoning_content"] = "".join(self._texts["reasoning_content"])
        if self._tools:
            message["tool_calls"] = [self._tools[index] for index in sorted(self._tools)]
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": self._finish_reason}
        if self._logprobs:
            choice["logprobs"] = {"content": self._logprobs}
        return {**self._last, "object": "chat.completion", "choices": [choice]}

    def _feed_tools(self, fragments: Iterable[dict[str, Any]]) -> None:
        for fragment in fragments:
            call = self._tools.setdefault(
                fragment.get("index", 0), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] = fragment.get("id") or call["id"]
            function = fragment.get("function") or {}
            call["function"]["name"] = function.get("name") or call["function"]["name"]
            call["function"]["arguments"] += function.get("arguments") or ""
