"""Answers as OpenAI's wire has them: chat.completion, a list of embeddings, images."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from struct import pack
from typing import Any

from heavenbase.types import Completion, Embedding, ImageResult


def body_of(answer: Completion | Embedding | ImageResult, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a response; `asked` is that of the request."""
    if isinstance(answer, Completion):
        return _chat(answer)
    return _embeddings(answer, asked) if isinstance(answer, Embedding) else _images(answer)


def _chat(answer: Completion) -> dict[str, Any]:
    choices = [
        {"index": 0, "message": answer.message, "finish_reason": answer.finish_reason, "logprobs": _logprobs(answer)}
    ]
    if answer.details is not None and answer.details.others:
        choices += [
            {"index": it.index, "message": _message(it), "finish_reason": it.finish_reason, "logprobs": _logprobs(it)}
            for it in answer.details.others
        ]
    return {
        "id": answer.id,
        "object": "chat.completion",
        "created": int(answer.created_at or 0),
        "model": answer.model,
        "choices": choices,
        "usage": _usage(answer.usage),
    }


def _message(choice: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"role": "assistant", "content": choice.text}
    if choice.reasoning:
        found["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        found["tool_calls"] = [call.to_dict() for call in choice.tool_calls]
    return found


def _logprobs(choice: Any) -> dict[str, Any] | None:
    if choice.details is None or not choice.details.logprobs:
        return None
    return {"content": [_token(it) for it in choice.details.logprobs]}


def _token(it: Any) -> dict[str, Any]:
    return {
        "token": it.token,
        "logprob": it.logprob,
        "bytes": it.bytes,
        "top_logprobs": [{"token": top.token, "logprob": top.logprob, "bytes": top.bytes} for top in it.top],
    }


def _usage(usage: Any) -> dict[str, Any] | None:
    if usage is None:
        return None
    found: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cache_read is not None:
        found["prompt_tokens_details"] = {"cached_tokens": usage.cache_read}
    if usage.reasoning is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return found


def _embeddings(answer: Embedding, asked: Mapping[str, Any]) -> dict[str, Any]:
    is_packed = asked.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if is_packed else list(vector)}
        for index, vector in enumerate(answer.vectors)
    ]
    usage = answer.usage
    told = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens} if usage is not None else None
    return {"object": "list", "data": data, "model": answer.model, "usage": told}


def _packed(vector: Any) -> str:
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _images(answer: ImageResult) -> dict[str, Any]:
    data = []
    for image in answer.images:
        item = {"b64_json": image.data} if image.has_bytes else {"url": image.url}
        data.append(item | ({"revised_prompt": image.revised_prompt} if image.revised_prompt else {}))
    return {"created": int(answer.created_at or 0), "data": data, "usage": _usage(answer.usage)}
