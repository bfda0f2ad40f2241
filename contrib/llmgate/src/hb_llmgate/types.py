"""The types of llmgate: messages, tools, requests, answers, chunks, embeddings, batches. Pydantic models, all of them.

What a provider tells beyond these fields is kept on messages as further attributes, so that an answer that is put back
into the conversation brings its reasoning and the provider's own marks along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_serializer, field_validator, model_validator

from heavenbase.options import conceal
from heavenbase.secrets import MASK, Hidden, Secret

__all__ = [
    "BatchError",
    "BatchResult",
    "Choice",
    "CompletionRequest",
    "CompletionResponse",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "FunctionDefinition",
    "ImageBytes",
    "ImagePart",
    "ImageURL",
    "Message",
    "StreamChunk",
    "TextPart",
    "TokenUsage",
    "ToolCall",
    "ToolCallDelta",
    "ToolDefinition",
]


def _plain(value: Any) -> Any:
    """Plain data for JSON: what is hidden is masked, objects that JSON does not have are their repr."""
    if isinstance(value, Hidden | Secret):
        return MASK
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", fallback=repr)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)


def _concealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with what may be a credential hidden, and so in those that go on to a provider."""
    found = dict(options)
    conceal(found)
    if isinstance(extra := found.get("extra_kwargs"), Mapping):
        found["extra_kwargs"] = _concealed(extra)
    return found


class _Open(BaseModel):
    """Keeps fields that this package does not name, for the provider that knows them."""

    model_config = ConfigDict(extra="allow")


# Messages


class ImageURL(_Open):
    """An image by its address, or as a data URL; `detail` is the hint auto, low or high."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImageBytes(_Open):
    """An image as base64 text without a prefix."""

    data: str
    mime_type: str = "image/png"


class TextPart(_Open):
    """A text in a message of several parts."""

    type: Literal["text"] = "text"
    text: str


class ImagePart(_Open):
    """An image in a message of several parts, by `image_url` or by `image_bytes`, as `type` says."""

    type: Literal["image_url", "image_bytes"]
    image_url: ImageURL | None = None
    image_bytes: ImageBytes | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_url(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("image_url"), str):
            return {**data, "image_url": {"url": data["image_url"]}}
        return data

    @model_validator(mode="after")
    def _has_what_it_says(self) -> Self:
        if getattr(self, self.type) is None:
            raise ValueError(f"a part of the type {self.type} needs the field {self.type}")
        return self


Part = Annotated[TextPart | ImagePart | dict[str, Any], Field(union_mode="left_to_right")]
"""A part of a message; those of other kinds (sound, files) are dictionaries as the provider has them."""


class ToolCall(_Open):
    """A call of a tool by the model: `function` is the tool's name, `arguments` what it is called with."""

    id: str
    function: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        """The shape of OpenAI's wire is taken too."""
        if not isinstance(data, Mapping):
            return data
        made = dict(data)
        if isinstance(made.get("function"), Mapping):
            inner = made.pop("function")
            made.pop("type", None)
            made |= {"function": inner.get("name"), "arguments": inner.get("arguments")}
        if isinstance(made.get("arguments"), str):
            text = made["arguments"]
            try:
                made["arguments"] = json.loads(text) if text.strip() else {}
            except ValueError as error:
                raise ValueError(f"the arguments of tool call {made.get('function')!r} are not JSON: {error}") from None
        elif made.get("arguments") is None:
            made["arguments"] = {}
        return made

    def arguments_json(self) -> str:
        """The arguments as JSON text."""
        return json.dumps(self.arguments, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """The call in the shape of OpenAI's wire."""
        more = {name: value for name, value in (self.model_extra or {}).items() if value is not None}
        function = {"name": self.function, "arguments": self.arguments_json()}
        return {**more, "id": self.id, "type": "function", "function": function}


class Message(_Open):
    """One message of a conversation; `content` is a text, or a list of parts."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The message as plain data, without what is None, its tool calls in the shape of OpenAI's wire."""
        found = self.model_dump(exclude_none=True, exclude={"tool_calls"})
        found.setdefault("content", None)
        if self.tool_calls:
            found["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return found


# Tools


class FunctionDefinition(_Open):
    """A function that the model may call; `parameters` is its JSON schema."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class ToolDefinition(_Open):
    """A tool in the shape of OpenAI's wire."""

    type: Literal["function"] = "function"
    function: FunctionDefinition


# Requests


class _Request(BaseModel):
    """What completion and embedding requests share. Fields that are not named go to `extra_kwargs`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    provider: str | None = None
    extra_kwargs: dict[str, Any] = Field(default_factory=dict)
    _scope: str = PrivateAttr("")
    """Whose answers may be shared: names the endpoint and the credential, and shows neither."""
    _io: Any = PrivateAttr(None)
    """Clock, random numbers and sleep of the kernel that answers."""

    @field_serializer("extra_kwargs", when_used="json")
    def _masked(self, given: dict[str, Any]) -> Any:
        return _plain(_concealed(given))

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = {name: value for name, value in data.items() if name in cls.model_fields}
        further = {name: value for name, value in data.items() if name not in cls.model_fields}
        extra = {**(known.get("extra_kwargs") or {}), **further}
        conceal(extra)
        return {**known, "extra_kwargs": extra}

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        # A pickle holds no credential: what may be one is left out, and the reader's own is used.
        from heavenbase.options import secret_options

        kept = dict(state["__dict__"])
        extra = kept["extra_kwargs"]
        kept["extra_kwargs"] = {name: extra[name] for name in extra.keys() - secret_options(extra)}
        return {**state, "__dict__": kept, "__pydantic_private__": {"_scope": "", "_io": None}}


class CompletionRequest(_Request):
    """One chat. `model` is a model string, or a list of them that are tried in order.

    Everything that is no field of its own (seed, stop, api_key, base_url, timeout, headers …) is in `extra_kwargs`.
    """

    model: str | list[str]
    messages: list[Message]
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    stream: bool = False
    tools: list[Any] | None = None
    tool_choice: Any = None
    response_format: Any = None

    @field_serializer("tools", "tool_choice", "response_format", when_used="json")
    def _shown(self, given: Any) -> Any:
        return _plain(given)

    @field_validator("messages", mode="before")
    @classmethod
    def _text(cls, given: Any) -> Any:
        """A text is a message of the user."""
        return [{"role": "user", "content": given}] if isinstance(given, str) else given

    @field_validator("tools", mode="after")
    @classmethod
    def _defined(cls, given: list[Any] | None) -> list[Any] | None:
        """Dictionaries of OpenAI's shape are ToolDefinition objects; functions and tools of hb stay as they are."""
        if given is None:
            return None
        is_plain = [isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping) for tool in given]
        return [ToolDefinition(**tool) if plain else tool for tool, plain in zip(given, is_plain, strict=True)]


class EmbeddingRequest(_Request):
    """Texts to embed; the fields below `input` are hints that some providers know."""

    model: str
    input: str | list[str]
    dimensions: int | None = Field(None, ge=1)
    task_type: str | None = None
    title: str | None = None
    input_type: str | None = None
    truncate: str | bool | None = None
    encoding_format: str | None = None
    user: str | None = None


# Answers


class TokenUsage(BaseModel):
    """Tokens, as far as the provider told. `cached_tokens` are those of the prompt that its cache had."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Choice(BaseModel):
    """One of the answers to a request."""

    index: int = 0
    message: Message
    finish_reason: str | None = None


class CompletionResponse(BaseModel):
    """The answer of a chat. `raw` is the provider's own answer and `parsed` the value of `response_format`; neither is
    serialised. `fallback_attempts` are the models that failed before this one answered.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: str = ""
    model: str
    provider: str
    choices: list[Choice]
    usage: TokenUsage = Field(default_factory=TokenUsage)
    raw: Any = Field(default=None, exclude=True, repr=False)
    parsed: Any = Field(default=None, exclude=True, repr=False)
    fallback_attempts: list[str] = Field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the first choice; empty where it has none."""
        content = self.choices[0].message.content if self.choices else None
        return content if isinstance(content, str) else ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice."""
        return (self.choices[0].message.tool_calls or []) if self.choices else []


class ToolCallDelta(BaseModel):
    """A piece of a tool call in a stream: `arguments` is the next piece of its JSON text."""

    index: int | None = None
    id: str | None = None
    function: str | None = None
    arguments: str = ""


class StreamChunk(BaseModel):
    """A piece of a streamed answer: `delta` is the next piece of text.

    The last chunk has `finish_reason`, `usage` and the whole `tool_calls`; their pieces come in `tool_call_deltas`.
    The first chunk of a model has `fallback_attempts`, the models that failed before it, and `resumed_from_partial`,
    True where one of them had said something already. With n > 1 `index` says of which choice it is; each has a last
    chunk of its own, the first choice at the end.
    """

    id: str = ""
    model: str = ""
    provider: str = ""
    delta: str = ""
    finish_reason: str | None = None
    index: int = 0
    usage: TokenUsage | None = None
    fallback_attempts: list[str] = Field(default_factory=list)
    resumed_from_partial: bool = False
    reasoning: str = ""
    tool_call_deltas: list[ToolCallDelta] | None = None
    tool_calls: list[ToolCall] | None = None
    _chunk: Any = PrivateAttr(None)
    """The piece of hb that this one was made of."""


class EmbeddingResponse(BaseModel):
    """Vectors: one in `embeddings` per input, in order. `raw` is not serialised."""

    model: str
    provider: str
    embeddings: list[list[float]]
    usage: TokenUsage = Field(default_factory=TokenUsage)
    raw: Any = Field(default=None, exclude=True, repr=False)


# Batches


class BatchError(BaseModel):
    """A request of a batch that failed: its place, the request as it was given, and what went wrong."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: int
    request: Any = Field(None, repr=False)
    error: str
    error_type: str
    exception: Any = Field(None, exclude=True, repr=False)

    @field_serializer("request", when_used="json")
    def _shown(self, given: Any) -> Any:
        return _plain(_concealed(given) if isinstance(given, Mapping) else given)


class BatchResult(BaseModel):
    """The answers of a batch in the order of its requests, None for each that failed; `errors` say why."""

    results: list[CompletionResponse | None] = Field(default_factory=list)
    errors: list[BatchError] = Field(default_factory=list)
    successful: int = 0
    failed: int = 0
    total_tokens: int = 0

    @property
    def success_rate(self) -> float:
        """The share of requests that were answered, from 0 to 1; 0 for an empty batch."""
        asked = self.successful + self.failed
        return self.successful / asked if asked else 0.0
