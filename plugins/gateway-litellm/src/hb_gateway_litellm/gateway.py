"""LiteLLMGateway: requests in the words of the OpenAI wire, sent by LiteLLM to whatever wire the provider has.

LiteLLM's async side is bound to one event loop and leaves tasks in it, so async calls run its sync side in threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from hb_gateway_litellm import sdk as library
from hb_gateway_litellm.failures import failure, interrupted
from hb_wire_openai import WireGateway
from heavenbase.errors import (
    CallTimeout,
    ConfigError,
    DeadlineExceeded,
    FirstTokenTimeout,
    IdleTimeout,
    InputError,
    StreamTruncated,
)
from heavenbase.plugin import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heavenbase.call import Call, WireRequest
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult

_ALWAYS = frozenset({"model", "messages", "stream", "stream_options", "extra_headers"})
_IMAGE_NAME = "image"
_PARAMETERS = frozenset(
    {
        *("betas", "stop_sequences", "cached_content", "labels", "guardrailConfig", "performanceConfig"),
        *("custom_llm_provider", "vertex_project", "vertex_location", "vertex_credentials", "aws_region_name"),
        *("aws_profile_name", "mock_response", "allowed_openai_params", "litellm_metadata", "guardrails"),
        *("context_window_fallback_dict", "merge_reasoning_content_in_choices"),
    }
)
"""Of LiteLLM itself, and of the wires that it turns requests into."""


class LiteLLMGateway(WireGateway):
    """Provider routing by LiteLLM's Python SDK, in this process."""

    name = "litellm"
    parameters: ClassVar[frozenset[str] | None] = (WireGateway.parameters or frozenset()) | _PARAMETERS

    def check(self) -> None:
        """MissingPackage when litellm is not installed; finds it and imports nothing."""
        library.check_installed()

    def model_id(self, spec: LLMSpec) -> str:
        """The provider's id behind LiteLLM's name for the provider."""
        head = f"{spec.provider_backend()}/"
        return spec.model_id if spec.model_id.startswith(head) else head + spec.model_id

    def prepare(self, call: Call) -> WireRequest:
        """What LiteLLM is given, in the words of the OpenAI wire; its address is where LiteLLM begins from."""
        environ, backend = self.services.environ, call.spec.provider_backend()
        if environ.is_embedded and (found := library.surroundings(backend, environ)):
            raise ConfigError(
                f"LiteLLM would read {found} of the process, which this kernel may not; "
                "where it may: Kernel(config, environ=os.environ)"
            )
        proxies = [n for n in ("http_proxy", "https_proxy") if call.controls.get(n)]
        if proxies:
            raise InputError(f"LiteLLM takes its proxies from the environment, not from {proxies[0]}=")
        request = super().prepare(call)
        body: Any = request.body
        if "messages" in body:
            _leave_unsupported(call, body)
        elif call.verb == "embed" and "encoding_format" not in call.args:
            # Other wires know no encodings.
            body.pop("encoding_format", None)
        return request

    # Operations are requests of hb's own, which LiteLLM does not send.

    count_tokens = models = rerank = files = None  # type: ignore[assignment]

    # Verbs. The async ones are those of the base: the same in threads.

    achat = Gateway.achat
    astream = Gateway.astream
    aembed_batch = Gateway.aembed_batch
    agenerate_images = Gateway.agenerate_images

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        from hb_wire_openai import completion, thinking_of

        answer = self._ask(call, lambda: library.sdk().completion(**_chat_options(request), **self._connect(call)))
        return completion(call, _known_usage(answer.model_dump()), thinking_of(call))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer."""
        from hb_wire_openai import ChatStream, thinking_of
        from heavenbase.http import embedded_error, encode_json

        wall = self.services.wall
        state = ChatStream(call, thinking_of(call), lambda error: embedded_error(call, error, [], wall=wall))
        pieces = self._ask(call, lambda: library.sdk().completion(**_chat_options(request), **self._connect(call)))
        try:
            while (piece := self._ask(call, lambda: next(pieces, None), lambda: state.showed)) is not None:
                call.context.remaining()
                data = _known_usage(piece.model_dump())
                if any(c.get("finish_reason") for c in data["choices"]) and pieces.received_finish_reason is None:
                    # LiteLLM makes one up where the provider sent none.
                    raise StreamTruncated(
                        f"{call.target}: the stream ended without a finish reason",
                        provider=call.spec.provider,
                        model=call.spec.model_id,
                        maybe_billed=True,
                        retryable=not state.showed,
                    )
                chunk = state.feed(encode_json(data))
                if chunk is not None:
                    yield chunk
            last = state.end()
            if last is not None:
                yield last
        finally:
            _close(pieces)

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input."""
        from hb_wire_openai import embedding

        answer = self._ask(call, lambda: library.sdk().embedding(**request.body, **self._connect(call)))
        return embedding(call, answer.model_dump())

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The images for the prompt."""
        from hb_wire_openai import images

        if images.by_chat(call):
            answer = self._ask(call, lambda: library.sdk().completion(**_chat_options(request), **self._connect(call)))
            return images.images_of_chat(call, answer.model_dump())
        options = {name: value for name, value in request.body.items() if name != _IMAGE_NAME}
        if call.images:
            options[_IMAGE_NAME] = [image.to_bytes() for image in call.images]
            answer = self._ask(call, lambda: library.sdk().image_edit(**options, **self._connect(call)))
        else:
            answer = self._ask(call, lambda: library.sdk().image_generation(**options, **self._connect(call)))
        return images.images(call, answer.model_dump())

    def _connect(self, call: Call) -> dict[str, Any]:
        from heavenbase.http import added_parts

        spec = call.spec
        limits = [limit for limit in (call.context.remaining(), call.context.timeouts.first_token) if limit is not None]
        options: dict[str, Any] = {
            "api_key": self.credential(spec),
            "api_base": api_base(call),
            "max_retries": 0,
            "num_retries": 0,
            "timeout": min(limits, default=None),
        }
        headers = {**spec.headers, **added_parts(call)[0]}
        if headers:
            options["extra_headers"] = headers
        return options

    def _ask(self, call: Call, ask: Callable[[], Any], showed: Callable[[], bool] = lambda: False) -> Any:
        try:
            return ask()
        except Exception as error:
            found = failure(call, error, self.services.wall)
        if isinstance(found, CallTimeout):
            found = _timeout(call, found, showed())
        # Raised out here, so that LiteLLM's error is not attached.
        raise interrupted(found) if showed() else found


def api_base(call: Call) -> str:
    """The address as LiteLLM's adapter for the provider wants it."""
    spec = call.spec
    url = spec.base_url or ""
    paths = spec.provider_record.get("options", {}).get("litellm_paths", {})
    if paths:
        # This adapter wants the whole address of an operation.
        known = next((path for path in paths.values() if url.endswith(path)), "")
        return url.removesuffix(known) + str(paths.get(call.verb, ""))
    if spec.provider_record.get("wire") != LiteLLMGateway.wire and urlsplit(url).path == "/v1":
        # Adapters for other wires add the version themselves.
        return url.removesuffix("/v1")
    return url


def _chat_options(request: WireRequest) -> dict[str, Any]:
    """The arguments of `litellm.completion`: what it does not translate goes to the provider as it is."""
    known = library.standard_parameters() | _ALWAYS
    options = {name: value for name, value in request.body.items() if name in known}
    extra = {name: value for name, value in request.body.items() if name not in known}
    if extra:
        options["extra_body"] = extra
    return options


def _leave_unsupported(call: Call, body: dict[str, Any]) -> None:
    """Take out what LiteLLM would refuse for this provider, and report it."""
    supported = library.supported_parameters(call.spec.model_id, call.spec.provider_backend())
    if supported is None:
        return
    for name in [n for n in body if n in library.standard_parameters() and n not in supported | _ALWAYS]:
        del body[name]
        if name in call.context.report.entries:
            call.context.report.dropped(name, f"LiteLLM has no {name} for this provider")


def _timeout(call: Call, error: CallTimeout, showed: bool) -> CallTimeout:
    """LiteLLM has one clock; which of hb's has run out shows when it stops."""
    try:
        call.context.remaining()
    except DeadlineExceeded as late:
        found: CallTimeout = late
    else:
        if not call.stream:
            return error
        found = IdleTimeout(error.message) if showed else FirstTokenTimeout(error.message, retryable=True)
    found.provider, found.model, found.maybe_billed = error.provider, error.model, True
    return found


def _known_usage(data: dict[str, Any]) -> dict[str, Any]:
    """The answer without a usage of nothing, which LiteLLM fills in where the provider sent none."""
    usage = data.get("usage")
    if usage and not usage.get("total_tokens"):
        return {**data, "usage": None}
    return data


def _close(pieces: Any) -> None:
    """Close the connection of a stream that was left; which of these objects has it differs between adapters."""
    inner = getattr(pieces, "completion_stream", None)
    for thing in (inner, getattr(inner, "response", None), getattr(inner, "streaming_response", None)):
        close = getattr(thing, "close", None)
        if callable(close):
            try:
                close()
            except Exception:  # a generator that is running, or was closed
                continue
