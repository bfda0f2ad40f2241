"""What comes back, in the shape of OpenAI's API: attributes, and `model_dump()` or `to_dict()` for plain data.

What a provider does not say is None. Beside OpenAI's fields stand those that hb knows more of, such as
`reasoning_content` of a message, and `reasoning_parts`, which the provider wants back in the next turn.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from heavenbase.details import TokenLogprob, ToolCallDelta
from heavenbase.types import Choice as Given
from heavenbase.types import Chunk, Completion, Embedding, ImageResult, ToolCall
from heavenbase.types import Usage as Tokens


class Answer:
    """Base of all parts of an answer."""

    def model_dump(self, *, mode: str = "python", exclude_none: bool = False) -> dict[str, Any]:
        """Plain data: dictionaries, lists, texts and numbers, whatever the `mode`; without what is None if asked."""
        found = {name: _plain(value, exclude_none) for name, value in vars(self).items() if name[0] != "_"}
        return {name: value for name, value in found.items() if value is not None} if exclude_none else found

    def model_dump_json(self, *, indent: int | None = None, exclude_none: bool = False) -> str:
        """`model_dump` as a text of JSON."""
        return json.dumps(self.model_dump(exclude_none=exclude_none), indent=indent, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data without the fields that are None."""
        return self.model_dump(exclude_none=True)

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as a text of JSON."""
        return self.model_dump_json(indent=indent, exclude_none=True)


def _plain(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, Answer):
        return value.model_dump(exclude_none=exclude_none)
    if isinstance(value, list):
        return [_plain(item, exclude_none) for item in value]
    return {key: _plain(item, exclude_none) for key, item in value.items()} if type(value) is dict else value


def apart(value: Any) -> Any:
    """An answer anew, to its last list, so that what is changed in it changes no other; hb's own answer is shared."""
    if isinstance(value, Answer):
        found = copy(value)
        vars(found).update({name: apart(item) for name, item in vars(value).items()})
        return found
    if type(value) is list:
        return [*value] if value and type(value[0]) is float else [apart(item) for item in value]
    return {key: apart(item) for key, item in value.items()} if type(value) is dict else value


@dataclass
class PromptDetails(Answer):
    """Of the tokens of a prompt, those that the provider had in its cache, and those of sound."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


@dataclass
class CompletionDetails(Answer):
    """Of the tokens of an answer, those of thinking."""

    reasoning_tokens: int | None = None


@dataclass
class Usage(Answer):
    """Tokens; `cost` is the provider's own figure in `currency`. Embeddings have no `completion_tokens`."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    cost: str | None = None
    currency: str | None = None


@dataclass
class FunctionCall(Answer):
    """The function that a tool call asks for; `arguments` is JSON as the model wrote it."""

    name: str | None = None
    arguments: str | None = None


@dataclass
class MessageToolCall(Answer):
    """One tool call of a message."""

    id: str | None = None
    type: str | None = "function"
    function: FunctionCall = field(default_factory=FunctionCall)


@dataclass
class DeltaToolCall(MessageToolCall):
    """A piece of a tool call in a stream: `index` says of which."""

    index: int | None = None


@dataclass
class Message(Answer):
    """A message of the model; it can be put among the `messages` of the next call as it is."""

    role: str = "assistant"
    content: str | None = None
    tool_calls: list[MessageToolCall] | None = None
    reasoning_content: str | None = None
    reasoning_parts: list[dict[str, Any]] | None = None
    images: list[dict[str, Any]] | None = None
    annotations: list[dict[str, Any]] | None = None


@dataclass
class Choice(Answer):
    """One answer to the request."""

    index: int = 0
    message: Message = field(default_factory=Message)
    finish_reason: str | None = None
    logprobs: Any = None


@dataclass
class Kept(Answer):
    """An answer that remembers what hb knows of it."""

    _kept: Any = field(default=None, repr=False, compare=False)


@dataclass
class ChatCompletion(Kept):
    """The answer of a chat; `completion` is hb's own, with the ledger of requests and what became of parameters."""

    id: str | None = None
    object: str = "chat.completion"
    created: int | None = None
    model: str | None = None
    choices: list[Choice] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def completion(self) -> Completion:
        """hb's own answer: `attempts`, `report`, `provider`, `request_id` and more."""
        return self._kept  # type: ignore[no-any-return]


@dataclass
class Delta(Answer):
    """What a piece of a stream adds to the message."""

    role: str | None = None
    content: str | None = None
    tool_calls: list[DeltaToolCall] | None = None
    reasoning_content: str | None = None
    images: list[dict[str, Any]] | None = None


@dataclass
class ChunkChoice(Answer):
    """A piece of one answer."""

    index: int = 0
    delta: Delta = field(default_factory=Delta)
    finish_reason: str | None = None
    logprobs: Any = None


@dataclass
class ChatCompletionChunk(Answer):
    """One piece of a streamed chat, with at least one choice; the last has the finish reason and the usage.

    `kind` is "delta"; or "restart" where what came before is void, "continue" where another target goes on, "round"
    where tools have run and another answer begins.
    """

    id: str | None = None
    object: str = "chat.completion.chunk"
    created: int | None = None
    model: str | None = None
    choices: list[ChunkChoice] = field(default_factory=list)
    usage: Usage | None = None
    kind: str = "delta"


@dataclass
class EmbeddingData(Answer):
    """The vector of one input, by the place of the input."""

    object: str = "embedding"
    index: int = 0
    embedding: list[float] = field(default_factory=list, repr=False)


@dataclass
class EmbeddingResponse(Kept):
    """The vectors of all inputs, in order; `result` is hb's own answer."""

    object: str = "list"
    data: list[EmbeddingData] = field(default_factory=list)
    model: str | None = None
    usage: Usage | None = None

    @property
    def result(self) -> Embedding:
        """hb's own answer."""
        return self._kept  # type: ignore[no-any-return]


@dataclass
class Image(Answer):
    """A generated image: its bytes in base64, or where they are."""

    b64_json: str | None = field(default=None, repr=False)
    url: str | None = None
    revised_prompt: str | None = None


@dataclass
class ImagesResponse(Kept):
    """Generated images; `result` is hb's own answer, whose images can be saved and shown."""

    created: int | None = None
    data: list[Image] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def result(self) -> ImageResult:
        """hb's own answer."""
        return self._kept  # type: ignore[no-any-return]


def chat_completion(answer: Completion) -> ChatCompletion:
    """A chat's answer in OpenAI's shape."""
    found = ChatCompletion(
        id=answer.id,
        created=_second(answer.created_at),
        model=answer.model,
        choices=[_choice(choice) for choice in answer.choices],
        usage=usage(answer.usage),
    )
    if answer.tool_turns:  # the calls of earlier rounds have run, and the message that comes last does not ask for them
        waiting = {call["id"] for call in answer.message.get("tool_calls", ())}
        message = found.choices[0].message
        message.tool_calls = [call for call in message.tool_calls or () if call.id in waiting] or None
    found._kept = answer
    return found


def _choice(given: Given) -> Choice:
    message = Message(
        content=given.text if given.text or not given.tool_calls else None,
        tool_calls=[_tool_call(call) for call in given.tool_calls] or None,
        reasoning_content=given.reasoning or None,
        reasoning_parts=given.reasoning_parts or None,
        images=[image.to_dict() for image in given.images] or None,
        annotations=[citation.to_dict() for citation in given.citations] or None,
    )
    return Choice(
        index=given.index, message=message, finish_reason=given.finish_reason, logprobs=_logprobs(given.logprobs)
    )


def _tool_call(call: ToolCall) -> MessageToolCall:
    function = FunctionCall(name=call.name, arguments=call.arguments)
    return MessageToolCall(id=call.id, type=call.type, function=function)


def _logprobs(tokens: list[TokenLogprob]) -> dict[str, Any] | None:
    return {"content": [_token(token) for token in tokens]} if tokens else None


def _token(token: TokenLogprob) -> dict[str, Any]:
    return {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": token.bytes,
        "top_logprobs": [{"token": other.token, "logprob": other.logprob, "bytes": other.bytes} for other in token.top],
    }


def chat_chunk(chunk: Chunk, known: ChatCompletionChunk) -> ChatCompletionChunk:
    """A piece of a stream in OpenAI's shape, and in it what an earlier one says; no finish reason, no usage."""
    choices = [_chunk_choice(0, chunk)] if _says_something(chunk) else []
    choices += [_chunk_choice(other.index, other) for other in chunk.choices if _says_something(other)]
    if not choices and chunk.kind != "delta":
        choices = [ChunkChoice(delta=Delta())]
    return ChatCompletionChunk(
        id=chunk.id or known.id,
        created=known.created,
        model=chunk.model or known.model,
        choices=choices,
        kind=chunk.kind,
    )


def first_chunk(model: str, created: float) -> ChatCompletionChunk:
    """What is known of the pieces of a stream before the first one."""
    return ChatCompletionChunk(model=model, created=_second(created))


def last_chunk(whole: ChatCompletion, known: ChatCompletionChunk) -> ChatCompletionChunk:
    """The piece that ends a stream: why it ended, and all tokens."""
    ends = [
        ChunkChoice(index=choice.index, delta=Delta(), finish_reason=choice.finish_reason) for choice in whole.choices
    ]
    return ChatCompletionChunk(
        id=known.id, created=known.created, model=known.model, choices=ends, usage=whole.usage, kind="delta"
    )


def _says_something(chunk: Chunk) -> bool:
    return bool(chunk.text or chunk.reasoning or chunk.tool_calls or chunk.images or chunk.logprobs)


def _chunk_choice(index: int, chunk: Chunk) -> ChunkChoice:
    delta = Delta(
        content=chunk.text or None,
        tool_calls=[_tool_call_piece(piece) for piece in chunk.tool_calls or ()] or None,
        reasoning_content=chunk.reasoning or None,
        images=[image.to_dict() for image in chunk.images or ()] or None,
    )
    return ChunkChoice(index=index, delta=delta, logprobs=_logprobs(chunk.logprobs))


def _tool_call_piece(piece: ToolCallDelta) -> DeltaToolCall:
    function = FunctionCall(name=piece.name, arguments=piece.arguments)
    return DeltaToolCall(
        index=piece.index, id=piece.id, type=(piece.type or "function") if piece.id else None, function=function
    )


def embedding_response(answer: Embedding) -> EmbeddingResponse:
    """Vectors in OpenAI's shape."""
    found = EmbeddingResponse(
        data=[EmbeddingData(index=place, embedding=list(vector)) for place, vector in enumerate(answer.vectors)],
        model=answer.model,
        usage=usage(answer.usage),
    )
    found._kept = answer
    return found


def images_response(answer: ImageResult) -> ImagesResponse:
    """Images in OpenAI's shape; nothing is fetched."""
    found = ImagesResponse(
        created=_second(answer.created_at),
        data=[
            Image(
                b64_json=image.to_b64() if image.has_bytes else None,
                url=image.url,
                revised_prompt=image.revised_prompt,
            )
            for image in answer.images
        ],
        usage=usage(answer.usage),
    )
    found._kept = answer
    return found


def usage(tokens: Tokens | None) -> Usage | None:
    """Counts of tokens in OpenAI's shape."""
    if tokens is None:
        return None
    cached = PromptDetails(
        cached_tokens=tokens.cache_read, cache_write_tokens=tokens.cache_write, audio_tokens=tokens.audio
    )
    thought = CompletionDetails(reasoning_tokens=tokens.reasoning)
    return Usage(
        prompt_tokens=tokens.prompt_tokens,
        completion_tokens=tokens.completion_tokens,
        total_tokens=tokens.total_tokens,
        prompt_tokens_details=cached if cached.to_dict() else None,
        completion_tokens_details=thought if tokens.reasoning is not None else None,
        cost=tokens.cost,
        currency=tokens.currency,
    )


def _second(moment: float | None) -> int | None:
    return int(moment) if moment is not None else None
