"""The hooks of hb. All are plain `def` and `firstresult`: answer None when the call is not yours.

`complete`, `embed` and `imagen` answer in the colour of the call: a value for a sync call, an awaitable for an async
one; with `call.stream`, an iterator or an async iterator of `Chunk`. The base classes in `heavenbase.plugin` do this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pluggy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping

    from heavenbase.call import Call
    from heavenbase.image.image import LLMImage
    from heavenbase.spec import LLMSpec
    from heavenbase.store import CacheStore
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult

    Answer: TypeAlias = Completion | Iterator[Chunk] | Awaitable[Completion] | AsyncIterator[Chunk]

PROJECT = "heavenbase"
CONTRACT_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def resolve(provider: str, gateway: str, model_id: str) -> Mapping[str, Any] | None:
    """Called once per resolution; the provider of that name answers its record (base_url, api_key_env, …)."""


@hookspec(firstresult=True)
def complete(call: Call) -> Answer | None:
    """Called once per attempt of a chat; the gateway `call.spec.gateway` answers."""


@hookspec(firstresult=True)
def embed(call: Call) -> Embedding | Awaitable[Embedding] | None:
    """Called once per batch of `call.inputs`; the gateway answers one vector per input, in order."""


@hookspec(firstresult=True)
def imagen(call: Call) -> ImageResult | Awaitable[ImageResult] | None:
    """Called once per attempt of an image generation; the gateway answers."""


@hookspec(firstresult=True)
def cache(backend: str, settings: Mapping[str, Any]) -> CacheStore | None:
    """Called once per kernel, on the first cacheable call; the cache backend of that name answers an open store."""


@hookspec(firstresult=True)
def encode(image: LLMImage, format: str, spec: LLMSpec) -> dict[str, Any] | None:
    """Called once per image part; the vision plugin of that format answers the part as its wire wants it."""
