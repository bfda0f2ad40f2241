"""From requests of llmgate to calls of hb, and back: options, messages, answers, vectors. Pure, no I/O."""

from __future__ import annotations

import warnings
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from hb_llmgate.exceptions import InvalidRequestError, ProviderAPIError
from hb_llmgate.models import PROVIDERS
from hb_llmgate.types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from heavenbase.errors import LossyRequestWarning, ToolArgsError
from heavenbase.options import CONNECTION
from heavenbase.types import Choice as HBChoice
from heavenbase.types import Completion, Embedding, Usage
from heavenbase.types import ToolCall as HBToolCall

PLAIN: Mapping[str, Any] = {
    # llmgate sends nothing that was not asked for.
    "temperature": None,
    "seed": None,
    # One request per call: RetryMiddleware is the one that asks again, and CacheMiddleware the one that remembers.
    "max_retries": 0,
    "structured_retries": 0,
    "cache": False,
    "repair_tool_calls": True,
}
"""Options of every call that is not told otherwise."""
EMBED_PLAIN: Mapping[str, Any] = {"max_retries": 0, "cache": False}
_FIELDS = ("max_tokens", "temperature", "top_p", "tool_choice", "response_format")
_KNOWN_BY: Mapping[str, tuple[str, ...]] = {
    "task_type": ("gemini",),
    "title": ("gemini",),
    "input_type": ("cohere", "bedrock"),
    "truncate": ("cohere", "ollama", "bedrock"),
    "encoding_format": ("openai", "azure", "mistral", "ollama", "cohere", "bedrock", "gemini"),
    "user": ("openai", "azure"),
}
"""Hints of embeddings by the providers that know them; an encoding is for hb to undo, wherever it is asked for."""
_KNOWN = ", ".join(PROVIDERS)
_HINTS = ("dimensions", "task_type", "title", "input_type", "truncate", "encoding_format", "user")


def completion_request(given: Any, **more: Any) -> CompletionRequest:
    """The request of a mapping or a CompletionRequest with `more` over it; InvalidRequestError says what is wrong."""
    found: CompletionRequest = _made(CompletionRequest, given, more)
    return found


def embedding_request(**given: Any) -> EmbeddingRequest:
    """The request of these fields; InvalidRequestError says what is wrong."""
    found: EmbeddingRequest = _made(EmbeddingRequest, given, {})
    return found


def _made(kind: Any, given: Any, more: Mapping[str, Any]) -> Any:
    if isinstance(given, kind):
        given = {name: getattr(given, name) for name in type(given).model_fields}
    if not isinstance(given, Mapping):
        raise InvalidRequestError(f"a request is a dictionary or a {kind.__name__}, not {type(given).__name__}")
    try:
        return kind(**{**given, **more})
    except ValidationError as error:
        # Without the input: it is a conversation, and may hold more than a log should.
        wrong = "; ".join(
            f"{_place(problem['loc'])}: {problem['msg']}" for problem in error.errors(include_input=False)
        )
        raise InvalidRequestError(wrong) from None
    except TypeError as error:  # keys that are no names
        raise InvalidRequestError(f"the request cannot be read: {error}") from None


def _place(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path)) or "request"


def call_options(request: CompletionRequest) -> dict[str, Any]:
    """The options of hb for a request, but for those that say where it goes."""
    options = {name: value for name, value in _given(request.extra_kwargs).items() if name not in CONNECTION}
    for name in _FIELDS:
        if (value := getattr(request, name)) is not None:
            options[name] = value
    if request.tools:
        options["tools"] = [_tool(tool) for tool in request.tools]
    return options


def connection_of(request: CompletionRequest | EmbeddingRequest) -> dict[str, Any]:
    """The options of hb that say where a request goes: api_key, base_url, headers and the like."""
    return {name: value for name, value in _given(request.extra_kwargs).items() if name in CONNECTION}


def check_keys(keys: Any, installed: Container[str]) -> None:
    """InvalidRequestError for an `api_key` by provider that names what is none."""
    if isinstance(keys, Mapping):
        for name in keys:
            if name not in PROVIDERS and name not in installed:
                raise InvalidRequestError(f"api_key has a key for {name!r}, which is no provider; choices: {_KNOWN}")


def embed_options(request: EmbeddingRequest, provider: str) -> dict[str, Any]:
    """The options of hb for a request of vectors, without the hints that its provider does not know."""
    hints = {name: getattr(request, name) for name in _HINTS}
    unknown = unknown_hints(request, provider)
    given = {name: value for name, value in _given(request.extra_kwargs).items() if name not in CONNECTION}
    return given | {name: value for name, value in _given(hints).items() if name not in unknown}


def unknown_hints(request: EmbeddingRequest, provider: str) -> list[str]:
    """The hints of a request that a provider does not know."""
    if provider not in PROVIDERS:
        return []
    given = [name for name in _KNOWN_BY if getattr(request, name) is not None]
    return [name for name in given if provider not in _KNOWN_BY[name]]


def warn_of_hints(names: list[str], provider: str) -> None:
    """Tell that these hints are not sent."""
    for name in names:
        told = f"{name} is a hint for {', '.join(_KNOWN_BY[name])}; {provider} does not know it, and it is not sent"
        warnings.warn(told, LossyRequestWarning, stacklevel=4)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _tool(tool: Any) -> Any:
    return tool.model_dump(exclude_none=True) if isinstance(tool, BaseModel) else tool


def chat_messages(messages: list[Message]) -> list[dict[str, Any]]:
    """The messages as hb takes them."""
    return [message.to_dict() for message in messages]


# Answers


def to_response(completion: Completion[Any], asked: str, provider: str = "") -> CompletionResponse:
    """The answer in llmgate's shape; `asked` is the model string. ProviderAPIError for arguments that are no JSON."""
    if isinstance(completion.raw, CompletionResponse):  # a middleware has made it already
        return completion.raw
    first = dict(completion.message)
    first.pop("choices", None)  # they stand beside it
    choices = [_choice(choice, completion, first if choice.index == 0 else None) for choice in completion.choices]
    return CompletionResponse(
        id=completion.id or "",
        model=asked,
        provider=completion.provider or provider,
        choices=choices,
        usage=to_usage(completion.usage),
        raw=completion.raw,
        parsed=completion.structured,
    )


def _choice(choice: HBChoice, completion: Completion[Any], message: dict[str, Any] | None) -> Choice:
    if message is None:
        message = {"role": "assistant", "content": choice.text}
        if choice.reasoning:
            message["reasoning_content"] = choice.reasoning
    calls = to_tool_calls(choice.tool_calls if choice.index else waiting_calls(completion), completion)
    message = {**message, "tool_calls": calls or None, "content": message.get("content") or (None if calls else "")}
    return Choice(index=choice.index, message=Message(**message), finish_reason=choice.finish_reason)


def waiting_calls(completion: Completion[Any]) -> list[HBToolCall]:
    """The tool calls that wait for results: a completion has those that ran in rounds too."""
    if not completion.tool_calls:
        return []
    ids = {call["id"] for call in completion.message.get("tool_calls") or ()}
    return [call for call in completion.tool_calls if call.id in ids]


def to_tool_calls(calls: list[HBToolCall], completion: Completion[Any]) -> list[ToolCall]:
    """Tool calls with their arguments read; ProviderAPIError for those that are no JSON object."""
    try:
        return [ToolCall(id=call.id, function=call.name, arguments=call.parse()) for call in calls]
    except ToolArgsError as error:
        why = " (the answer was cut off)" if completion.finish_reason == "length" else ""
        raise ProviderAPIError(
            f"{error.message}{why}", completion.provider, code="tool_arguments", partial=completion, maybe_billed=True
        ) from None


def to_usage(usage: Usage | None) -> TokenUsage:
    """The counts of tokens; 0 where the provider told none."""
    if usage is None:
        return TokenUsage()
    return TokenUsage(
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        total_tokens=usage.total_tokens or 0,
        cached_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
    )


def to_completion(response: CompletionResponse, before: Completion[Any] | None) -> Completion[Any]:
    """What hb goes on with where a middleware answered: the answer that it was given, or one made of the response."""
    if before is not None:
        return replace(before, raw=response, structured=response.parsed)
    message = response.choices[0].message if response.choices else Message(role="assistant", content="")
    calls = [HBToolCall(call.id, call.function, call.arguments_json()) for call in message.tool_calls or ()]
    finish: Any = (response.choices[0].finish_reason if response.choices else None) or "stop"
    return Completion(
        text=response.text,
        tool_calls=calls,
        finish_reason=finish,
        id=response.id or None,
        model=response.model,
        provider=response.provider,
        raw=response,
        structured=response.parsed,
    )


def to_vectors(answer: Embedding, asked: str, provider: str) -> EmbeddingResponse:
    """The vectors in llmgate's shape; `asked` is the model string."""
    vectors = [[float(number) for number in vector] for vector in answer.vectors]
    return EmbeddingResponse(
        model=asked,
        provider=answer.provider or provider,
        embeddings=vectors,
        usage=to_usage(answer.usage),
        raw=answer.raw,
    )
