"""The gateway `local`: llama.cpp in this process. No request leaves the machine."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_local import wire
from hb_provider_local.names import PARAMETERS
from hb_provider_local.weights import locate
from heavenbase.call import WireRequest
from heavenbase.errors import ImageGenerationNotSupported, PluginLoadError
from heavenbase.plugin import Gateway
from heavenbase.types import Embedding, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_provider_local.engine import Engine, Patience
    from hb_provider_local.settings import Settings
    from hb_provider_local.weights import Weights
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion

__all__ = ["LocalGateway"]


class LocalGateway(Gateway):
    """Runs chats and embeddings on engines of the process, which kernels share."""

    wire = "local"
    vision = ""
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS

    def __init__(self) -> None:
        self._engines: dict[tuple[str, Settings], Engine] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """PluginLoadError, which is an ImportError, where the native library is not installed."""
        if find_spec("xllamacpp") is None:
            from hb_provider_local.native import UNSUPPORTED

            raise PluginLoadError(UNSUPPORTED)

    def ensure(self, spec: LLMSpec, *, yes: bool = False, interactive: bool = False) -> None:
        """Fetch the demo model where it is asked for and missing, and the user agrees."""
        if self._locate(spec.model_id) is None:
            from hb_provider_local.cli import ensure

            ensure(yes, interactive)

    def status(self) -> Mapping[str, Any]:
        """The model file, where it comes from, and the version of the library."""
        from hb_provider_local.weights import status

        return status(self.services.setting("heavenbase.local.model", None))

    def prepare(self, call: Call) -> WireRequest:
        """What the engine is asked; the address says which model, and that there is no wire."""
        if call.verb == "imagen":
            raise ImageGenerationNotSupported(f"{call.target} generates no images", provider=call.spec.provider)
        body = wire.embedding_body(call) if call.verb == "embed" else wire.chat_body(call)
        return WireRequest("POST", call.spec.base_url or f"local://{call.spec.model_id}", body)

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One answer."""
        return wire.to_completion(self.engine(call).chat(request.body, patience=_patience(call)))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks, as the model writes; closing the iterator stops it."""
        events = self.engine(call).stream(request.body, patience=_patience(call))
        try:
            for event in events:
                yield wire.to_chunk(event)
        finally:
            events.close()  # type: ignore[attr-defined]

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        engine = self.engine(call)
        return wire.to_completion(await engine.achat(request.body, patience=_patience(call)))

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        events = self.engine(call).astream(request.body, patience=_patience(call))
        try:
            async for event in events:
                yield wire.to_chunk(event)
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input."""
        return _embedding(self.engine(call).embed(call.inputs, check=call.context.remaining))

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        return _embedding(await self.engine(call).aembed(call.inputs, check=call.context.remaining))

    def close(self) -> None:
        """Give the engines back; those that no other kernel uses free their memory."""
        from hb_provider_local.pool import release

        with self._lock:
            engines = list(self._engines.values())
            self._engines.clear()
        for engine in engines:
            release(engine)

    def _locate(self, model_id: str) -> Weights | None:
        services = self.services
        return locate(model_id, services.setting("heavenbase.local.model", None), services.environ)

    def engine(self, call: Call) -> Engine:
        """The engine for a call, leased once per model and settings until this gateway closes.

        PluginLoadError, code "no_model", when there is no file to run.
        """
        from hb_provider_local.notice import NO_MODEL, say_once
        from hb_provider_local.pool import lease
        from hb_provider_local.settings import Settings

        options: dict[str, Any] = call.spec.gateway_record.get("options") or {}
        key = call.spec.model_id, Settings.from_options(options)
        with self._lock:
            if key not in self._engines:
                found = self._locate(call.spec.model_id)
                if found is None:
                    raise PluginLoadError(NO_MODEL, code="no_model")
                self._engines[key] = lease(found.path, key[1])
                say_once(found.path)
            return self._engines[key]


def _patience(call: Call) -> Patience:
    context = call.context

    def patience(begun: bool) -> float | None:
        return context.within(context.timeouts.idle if begun else context.timeouts.first_token)

    return patience


def _embedding(answer: dict[str, Any]) -> Embedding:
    vectors = [row["embedding"] for row in answer["data"]]
    return Embedding(vectors, usage=Usage(answer["usage"]["prompt_tokens"]), model=answer["model"])
