"""Base classes for plugin authors: Gateway, Provider, CacheStore and Cache, VisionFormat.

A gateway is written in natural colours; `Gateway` answers the hooks with the method that fits the call. A provider
that speaks a known wire is one `provider.toml` and `plugin = Provider(__name__, "name")`.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from heavenbase import colour
from heavenbase.call import Call, Services, WireRequest
from heavenbase.errors import (
    EmbeddingsNotSupported,
    ExportError,
    ImageGenerationNotSupported,
    LossyRequestError,
    LossyRequestWarning,
    PluginContractError,
    UnsupportedError,
)
from heavenbase.hookspecs import CONTRACT_VERSION, hookimpl
from heavenbase.options import GUARANTEES
from heavenbase.spec import LLMSpec
from heavenbase.store import CacheEntry, CacheStore
from heavenbase.types import Chunk, Completion, Embedding, ImageResult

if TYPE_CHECKING:
    from heavenbase.hookspecs import Answer
    from heavenbase.image.image import LLMImage


# fmt: off
__all__ = [
    "CONTRACT_VERSION", "GUARANTEES", "Cache", "CacheEntry", "CacheStore", "Gateway", "Loadable", "Plugin", "Provider",
    "VisionFormat", "hookimpl",
]
# fmt: on


class Loadable:
    """What a kernel loads: its kind, its name (the entry point's), and the contract it was built for."""

    kind: ClassVar[str] = ""
    contract: ClassVar[int] = CONTRACT_VERSION
    name: str = ""
    services: Services
    """Set by the kernel that loads the plugin, before its first hook."""

    def status(self) -> Mapping[str, Any]:
        """What `hb doctor` shows of this plugin: plain data, found without a network, without secrets.

        A text under "problem" says what keeps it from working, and what to do.
        """
        return {}

    def close(self) -> None:
        """Free what the plugin holds; called once, when the kernel closes."""


class Plugin(Loadable):
    """Base of plugins that answer hooks."""


class Gateway(Plugin):
    """Adapter that owns an SDK and a wire.

    Implement `prepare` (pure: no I/O) and the verbs you have, each in the colours you have; a missing async form runs
    the sync one in a thread. Errors that leave a verb must be of `heavenbase.errors`. Set the SDK's retries to 0.
    """

    kind = "gateways"
    wire: ClassVar[str] = ""
    """The wire family spoken, such as "openai"; a provider that declares the same is reachable."""
    vision: ClassVar[str] = "openai"
    """The image format (plugin kind vision) of its messages; "" when image parts are left as they are."""
    blocks: ClassVar[frozenset[str]] = frozenset()
    """Types of a vendor's own blocks in messages that its wire has; others are brought into hb's shape before.

    `items` says that it sends the input items of the Responses API that messages have under this name.
    """
    defaults: ClassVar[Mapping[str, Any]] = {}
    """The gateway's own record: default_args, and base_url, base_url_env, api_key_env when it is a place of its own.

    `routes = True` says that it keeps a key of its own apart from the provider's: see `LLMSpec.gateway_key`.
    """
    parameters: ClassVar[frozenset[str] | None] = None
    """The parameters of the wire beside hb's own (`heavenbase.options`), for every verb.

    Other names are refused before anything is sent. None: they are not listed here, and then slips alone are refused.
    """

    options: ClassVar[frozenset[str]] = frozenset()
    """Names in the table `options` of a provider that it reads, beside those that the provider's manifest has."""

    def check(self) -> None:
        """Raise ImportError when the SDK is not installed. Called at resolution: find it, do not import it."""

    def ensure(self, spec: LLMSpec, *, yes: bool = False, interactive: bool = False) -> None:
        """Get onto this machine what calls of this spec need, such as weights; the command line asks before a call.

        `yes` means that the user agreed beforehand, `interactive` that the user can be asked on standard error.
        """

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call and, in `call.context.report`, what became of each parameter. No I/O."""
        raise UnsupportedError(f"gateway {self.name!r} has no {call.verb}", provider=call.spec.provider)

    def needs_image_bytes(self, call: Call) -> bool:
        """Whether an image generation needs its references as bytes: hb fetches those of URLs before `prepare`."""
        return False

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        raise UnsupportedError(f"gateway {self.name!r} has no chat", provider=call.spec.provider)

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer; the last ones carry finish_reason and usage."""
        raise UnsupportedError(f"gateway {self.name!r} has no streams", provider=call.spec.provider)

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per `call.inputs`, in order."""
        raise EmbeddingsNotSupported(f"gateway {self.name!r} has no embeddings", provider=call.spec.provider)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The images for `call.prompt`."""
        raise ImageGenerationNotSupported(f"gateway {self.name!r} generates no images", provider=call.spec.provider)

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        return await colour.call_in_thread(self.chat, call, request)

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        from heavenbase.colour.parallel import iterate_in_thread

        chunks = iterate_in_thread(lambda: self.stream(call, request))
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        return await colour.call_in_thread(self.embed_batch, call, request)

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        return await colour.call_in_thread(self.generate_images, call, request)

    def to_client(self, spec: LLMSpec) -> Any:
        """The openai SDK's sync client for this spec."""
        raise self._no_export("openai")

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The openai SDK's async client for this spec."""
        raise self._no_export("openai")

    def to_anthropic_client(self, spec: LLMSpec) -> Any:
        """The anthropic SDK's sync client for this spec."""
        raise self._no_export("anthropic")

    def to_anthropic_aclient(self, spec: LLMSpec) -> Any:
        """The anthropic SDK's async client for this spec."""
        raise self._no_export("anthropic")

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and request arguments for the exported client."""
        raise self._no_export("openai")

    def _no_export(self, sdk: str) -> ExportError:
        return ExportError(f"gateway {self.name!r} has no {sdk} client to export; use a gateway that is built on it")

    def _prepared(self, call: Call) -> WireRequest:
        if call.verb in _LACKING:
            ability, error, lacks = _LACKING[call.verb]
            if call.spec.capability(ability) is False:
                hint = f'use another provider, such as that of hb.LLM(preset="{call.verb}")'
                raise error(f"{call.target} {lacks}; {hint}", provider=call.spec.provider)
        request = self.prepare(call)
        if call.verb == "complete" and call.spec._keys.get("lacking", True):
            _check_abilities(call)
        if call.context.report.lossy():
            services = getattr(self, "services", None)
            enforce_report(call, services.setting("heavenbase.llm.on_lossy") if services is not None else None)
        return request

    # The hooks. A gateway rarely overrides these.

    @hookimpl
    def complete(self, call: Call) -> Answer | None:
        """Answer a chat in its colour."""
        if call.spec.gateway != self.name:
            return None
        request = self._prepared(call)
        if call.stream:
            return self.astream(call, request) if call.is_async else self.stream(call, request)
        return self.achat(call, request) if call.is_async else self.chat(call, request)

    @hookimpl
    def embed(self, call: Call) -> Embedding | Awaitable[Embedding] | None:
        """Answer one batch of embeddings in its colour."""
        if call.spec.gateway != self.name:
            return None
        request = self._prepared(call)
        return self.aembed_batch(call, request) if call.is_async else self.embed_batch(call, request)

    @hookimpl
    def imagen(self, call: Call) -> ImageResult | Awaitable[ImageResult] | None:
        """Answer an image generation in its colour."""
        if call.spec.gateway != self.name:
            return None
        request = self._prepared(call)
        return self.agenerate_images(call, request) if call.is_async else self.generate_images(call, request)


def _check_abilities(call: Call) -> None:
    """UnsupportedError for what `capabilities` rule out of a chat, where the gateway has not dropped it already."""
    lacking: dict[str, str] | None = call.spec._keys.get("lacking")
    if lacking is None:
        abilities = {name: says for name, says in _SAYS.items() if call.spec.capability(name) is False}
        lacking = call.spec._keys["lacking"] = abilities
    for name, says in lacking.items():
        entry = call.context.report.entries.get(name)
        is_sent = entry is not None and entry.outcome in ("sent", "renamed", "clamped")
        if name == "chat" or (call.stream if name == "stream" else is_sent):
            raise UnsupportedError(f"{call.target} {says} (capabilities.{name})", provider=call.spec.provider)


_SAYS = {"chat": "answers no chats", "stream": "does not stream; ask for the whole answer", "tools": "has no tools"}
_LACKING: dict[str, tuple[str, type[UnsupportedError], str]] = {
    "embed": ("embeddings", EmbeddingsNotSupported, "has no embeddings"),
    "imagen": ("images", ImageGenerationNotSupported, "generates no images"),
}
"""By verb: the ability that an endpoint or model may say it has not, and what is said then."""


def enforce_report(call: Call, configured: Any = None) -> None:
    """Apply `on_lossy` to what `prepare` reported about the parameters that the caller gave.

    `on_lossy` is "error", "warn" or "allow", or a mapping {guarantees, tuning} of those; the default is error for
    guarantees (tools, tool_choice, response_format, stop, max_tokens) and warn for the rest. `configured` is what
    counts where the call says nothing. What the LLM was made with binds its chats alone.
    """
    policy = call.controls.get("on_lossy") or configured or {}
    # An LLM serves every verb: what it was given for chats is no wish for vectors or images.
    wanted = call.explicit if call.verb == "complete" else call.explicit - call.spec.explicit
    for entry in call.context.report.lossy():
        if entry.name not in wanted:
            continue
        side, default = ("guarantees", "error") if entry.name in GUARANTEES else ("tuning", "warn")
        action = policy if isinstance(policy, str) else policy.get(side, default)
        text = f"{entry.name} is {entry.outcome} for {call.target} by gateway {call.spec.gateway!r}: {entry.reason}"
        if action == "error":
            raise LossyRequestError(f'{text}; pass on_lossy="allow" to send the rest', provider=call.spec.provider)
        if action == "warn":
            warnings.warn(text, LossyRequestWarning, stacklevel=2)


class Provider(Plugin):
    """An endpoint, as data: the table [provider] of the `provider.toml` beside the module `package`.

    Override `record` where the endpoint depends on more than data.
    """

    kind = "providers"

    def __init__(self, package: str, name: str, manifest: str = "provider.toml") -> None:
        self.package = package
        self.name = name
        self.manifest = manifest

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record for a model behind a gateway; read once."""
        from heavenbase.discovery.manifest import read_manifest

        return read_manifest(self.package, self.manifest).provider

    @hookimpl
    def resolve(self, provider: str, gateway: str, model_id: str) -> Mapping[str, Any] | None:
        """Answer this provider's record."""
        return self.record(gateway, model_id) if provider == self.name else None


class Cache(Plugin):
    """A cache backend: opens a store from the settings under `heavenbase.llm.cache`."""

    kind = "caches"

    def open(self, settings: Mapping[str, Any]) -> CacheStore:
        """An open store; `settings` holds path, namespaces (with limits), clock and backend options."""
        raise PluginContractError(f"cache backend {self.name!r} does not implement open()")

    @hookimpl
    def cache(self, backend: str, settings: Mapping[str, Any]) -> CacheStore | None:
        """Answer an open store when this backend is configured."""
        return self.open(settings) if backend == self.name else None


class VisionFormat(Plugin):
    """How an image part looks on one wire."""

    kind = "vision"

    def needs_bytes(self, image: LLMImage, spec: LLMSpec) -> bool:
        """Whether `part` must find the bytes of this URL image: hb fetches them before."""
        return False

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """The message part for an image. No network: a URL image that the wire cannot carry was fetched before."""
        raise PluginContractError(f"vision format {self.name!r} does not implement part()")

    @hookimpl
    def encode(self, image: LLMImage, format: str, spec: LLMSpec) -> dict[str, Any] | None:
        """Answer the part when the format is this one."""
        return self.part(image, spec) if format == self.name else None
