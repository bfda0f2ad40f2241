"""The options of calls for editors and type checkers: what `**options` of `LLM` and its methods may be.

A test holds that it equals the table in `heavenbase.options`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from heavenbase.secrets import Secret

class Asked(TypedDict, total=False):
    """The options that leave the type of an answer as it is."""

    base_url: str | None
    api_key: str | Secret | None
    auth_token: str | Secret | None
    headers: Mapping[str, Any] | None
    gateway_key: str | Secret | None
    provider_url: str | None
    timeout: Any
    max_retries: int | None
    retry: Mapping[str, Any] | None
    on_retry: Callable[..., Any] | None
    middleware: Any
    tenant: str | None
    session: str | None
    by_provider: Mapping[str, Any] | None
    on_lossy: str | Mapping[str, Any] | None
    allow_unknown: bool | None
    http_proxy: str | None
    https_proxy: str | None
    no_proxy: str | None
    cache: bool | Mapping[str, Any] | None
    cache_config: Mapping[str, Any] | None
    cache_policy: str | bool | None
    stream_chat: bool | None
    structured_stream: bool | None
    enforce_non_stream_structured: bool | None
    structured_retries: int | None
    max_tool_turns: int | None
    tool_timeout: float | None
    tool_concurrency: int | None
    confirm: Callable[..., Any] | None
    on_round: Callable[..., Any] | None
    repair_tool_calls: Any
    tool_call_repair: Any
    embedding_batch_size: int | None
    embedding_max_workers: int | None
    dim: int | None
    prompt_template: Any
    prompt_values: Mapping[str, Any] | None
    mock: Any
    mock_text: str | None
    mock_chat: Any
    mock_embed: Any
    mock_imagen: Any
    mock_chunk_chars: int | None
    mock_pause: float | Sequence[Any] | None
    mock_seed: int | None
    temperature: float | None
    seed: int | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    logit_bias: Mapping[str, Any] | None
    max_tokens: int | None
    max_completion_tokens: int | None
    stop: str | Sequence[str] | None
    n: int | None
    logprobs: bool | int | None
    top_logprobs: int | None
    think: bool | str | None
    reasoning_effort: str | None
    reasoning_max_tokens: int | None
    reasoning_exclude: bool | None
    tools: Any
    tool_choice: Any
    parallel_tool_calls: bool | None
    verbosity: str | None
    modalities: Sequence[str] | None
    audio: Mapping[str, Any] | None
    prediction: Mapping[str, Any] | None
    web_search_options: Mapping[str, Any] | None
    stream_options: Mapping[str, Any] | None
    wire_include: str | Sequence[str] | None
    service_tier: str | None
    store: bool | None
    metadata: Mapping[str, Any] | None
    user: str | None
    safety_identifier: str | None
    prompt_caching: bool | str | Mapping[str, Any] | None
    prompt_cache_key: str | None
    dimensions: int | None
    encoding_format: str | None
    input_type: str | None
    task_type: str | None
    truncate: str | bool | None
    size: str | None
    aspect_ratio: str | None
    quality: str | None
    style: str | None
    background: str | None
    moderation: str | Mapping[str, Any] | None
    output_format: str | Mapping[str, Any] | None
    output_compression: int | None
    input_fidelity: str | None
    negative_prompt: str | None
    mask: Any
    extra_body: Mapping[str, Any] | None
    extra_query: Mapping[str, Any] | None
    extra_headers: Mapping[str, Any] | None
    default_headers: Mapping[str, Any] | None

class Options(Asked, total=False):
    """Every option. What a provider has beyond them goes through `extra_body`."""

    response_format: Any
