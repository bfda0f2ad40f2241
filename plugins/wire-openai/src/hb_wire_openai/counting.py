"""Requests that count the input tokens of a chat: OpenAI's, Moonshot's, and that of servers like vLLM's. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from heavenbase.errors import UnsupportedError
from heavenbase.operations import countable

if TYPE_CHECKING:
    from hb_wire_openai.gateway import WireGateway
    from heavenbase.call import Call, WireRequest

_COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "parallel_tool_calls")
"""What a request to count tokens may hold; `conversation` and its like come by extra_body."""
_COUNTED_IDS = ("conversation", "previous_response_id", "truncation", "personality")
_ESTIMATED = ("model", "messages", "tools", "tool_choice", "response_format", "thinking")
_TOKENIZED = ("model", "messages", "tools", "chat_template_kwargs", "mm_processor_kwargs")


def count_request(gateway: WireGateway, call: Call) -> tuple[WireRequest, str]:
    """(the request, the field of its answer that is the count, also one within another).

    UnsupportedError where no endpoint is known.
    """
    way, spec = call.spec.capability("count_tokens"), call.spec
    if way == "responses":
        from hb_wire_openai.responses.fields import response_body

        body = {"model": gateway.model_id(spec), **response_body(call)}
        left = countable(call, body, (*_COUNTED, *_COUNTED_IDS))
        return gateway.request(call, "responses/input_tokens", left), "input_tokens"
    if way == "tokenizers":
        chat = gateway.chat_request(call)
        left = countable(call, chat.body, _ESTIMATED)
        return gateway.request(call, "tokenizers/estimate-token-count", left), "data.total_tokens"
    if way == "tokenize":
        chat = gateway.chat_request(call)
        left = countable(call, chat.body, _TOKENIZED)
        # It stands beside the version of the API.
        address = chat.url.partition("?")[0].removesuffix("/chat/completions").removesuffix("/v1")
        return replace(chat, url=f"{address}/tokenize", body=left), "count"
    raise UnsupportedError(
        f"gateway {spec.gateway!r} knows no endpoint of provider {spec.provider!r} that counts tokens",
        provider=spec.provider,
        model=spec.model_id,
    )
