"""LLMHub: calls by role.

Which calls a role takes is its `mode`: `chat` completion and stream; `tool` the same, with tools offered; `embedding`
embedding; `image` image; `audio` none yet; `other` all of them. A call of another kind is refused before it is sent.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Self

from hb_roles.answers import ChatCompletion, ChatCompletionChunk, EmbeddingResponse, ImagesResponse
from hb_roles.calls import ByRole, check_mode
from hb_roles.config_loader import load_runtime_config, parse_runtime_config
from hb_roles.errors import EnvVarMissingError
from hb_roles.hooks import Hook, Hooks
from hb_roles.models import ResolvedCall, RuntimeConfig
from hb_roles.resolver import CHAT_ALONE, filled, find_role, resolve_role
from hb_roles.settings import Settings, made, missing
from heavenbase import Kernel, LLMSpec
from heavenbase.errors import InputError, InputTypeError, UnsupportedError
from heavenbase.messages import to_images
from heavenbase.prompts import prompted

Override = Mapping[str, Any] | None


class LLMHub:
    """Calls language models by role.

    Args:
        config_path: The file of roles; or
        config_obj: what it would hold, as a RuntimeConfig or plain data.
        strict_env: Whether each variable that a provider's key comes from must be set now, and not first in its call.
        on_before_call: Told of each call before its request: a table of role, provider, model, mode, params, and
            messages or input. Plain or async.
        on_after_call: Told of each call when it is over, of a stream after its last piece: the same, with success,
            error, response and duration in seconds. What either raises is logged.
        settings: Settings of hb under the roles' kernel, such as `{"heavenbase.llm.retry.max_attempts": 5}`.
        environ: The variables that are read; those of the process by default.
        kernel_options: More for `heavenbase.Kernel`: plugins, middleware, clock, transport and so on.

    Raises:
        InputError: Neither or both of the first two are given.
        ConfigError: The roles are wrong; says the path, and the line where there is a file.
        EnvVarMissingError: `strict_env`, and a variable is not set, or is empty.
    """

    kernel: Kernel
    """The kernel of the roles: `hb.LLM(preset="llm.inference", kernel=hub.kernel)` is the role in hb's own way."""
    config: RuntimeConfig

    def __init__(
        self,
        config_path: str | os.PathLike[str] | None = None,
        config_obj: RuntimeConfig | Mapping[str, Any] | None = None,
        strict_env: bool = False,
        on_before_call: Hook | None = None,
        on_after_call: Hook | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        kernel_options: Mapping[str, Any] | None = None,
    ) -> None:
        if (config_path is None) == (config_obj is None):
            which = "neither" if config_path is None else "both"
            raise InputError(f"give config_path= or config_obj=, not {which}")
        if not isinstance(strict_env, bool):
            raise InputTypeError(f"strict_env must be True or False, not {type(strict_env).__name__}")
        for name, table in {"settings": settings, "environ": environ, "kernel_options": kernel_options}.items():
            if not isinstance(table, Mapping | None):
                raise InputTypeError(f"{name} must be a mapping, not {type(table).__name__}")
        self._environ = os.environ if environ is None else environ
        if config_path is not None:
            self.config = load_runtime_config(config_path, environ=self._environ)
        else:
            self.config = parse_runtime_config(config_obj, environ=self._environ)  # type: ignore[arg-type]
        if strict_env and (lost := missing(self.config, self._environ)):
            told = ", ".join(f"{variable} (providers.{name})" for name, variable in lost)
            names = [variable for _, variable in lost]
            raise EnvVarMissingError(f"not set, or empty: {told}", variables=names)
        self._hooks = Hooks(on_before_call, on_after_call)
        options = dict(kernel_options or {})
        if "plugins" in options:  # which two kernels look at
            options["plugins"] = list(options["plugins"])
        plugins = {name: options[name] for name in ("plugins", "discover_plugins") if name in options}
        self._settings = Settings(self.config, self._environ, strict=False, **plugins)
        self.kernel = Kernel(made(self._settings, settings, self._environ), **options)

    def __repr__(self) -> str:
        return f"LLMHub(project={self.config.project!r}, env={self.config.env!r}, roles={list(self.config.roles)!r})"

    @property
    def roles(self) -> list[str]:
        """The names of the roles."""
        return list(self.config.roles)

    def resolve(self, role: str, params_override: Override = None) -> ResolvedCall:
        """What a role comes to, with parameters over its own; sends nothing. Errors as of `resolve_role`."""
        return resolve_role(self.config, role, params_override, environ=self._environ)

    def target(self, role: str) -> LLMSpec:
        """Where the calls of a role go, and with what; sends nothing, and raises what keeps a call from being made."""
        return self._aim(self.resolve(role))

    # Chat

    def completion(self, role: str, messages: Any, params_override: Override = None) -> ChatCompletion:
        """The answer of a role of mode chat (tool, other).

        Args:
            role: The role.
            messages: Messages in OpenAI's shape; a text is one message of the user, a PromptTemplate stands for all.
            params_override: Parameters for this call, over those of the role. With `stream` true the answer is what
                `stream` gives.

        Raises:
            UnknownRoleError: There is no such role.
            InputError: Mode, messages or parameters do not fit; nothing was sent.
            HBError: What the provider, or the way to it, answers.
        """
        call = self._chat(role, messages, params_override, is_async=False)
        return call.chunks() if call.streams else call.answer()  # type: ignore[return-value]

    async def acompletion(self, role: str, messages: Any, params_override: Override = None) -> ChatCompletion:
        """Async form of `completion`."""
        call = self._chat(role, messages, params_override, is_async=True)
        return call.achunks() if call.streams else await call.aanswer()  # type: ignore[return-value]

    def stream(self, role: str, messages: Any, params_override: Override = None) -> Iterator[ChatCompletionChunk]:
        """The answer of a role in pieces, as they come; leaving the loop closes the connection."""
        return self._chat(role, messages, params_override, is_async=False, stream=True).chunks()

    def astream(self, role: str, messages: Any, params_override: Override = None) -> AsyncIterator[ChatCompletionChunk]:
        """Async form of `stream`: `async for chunk in hub.astream(...)`."""
        return self._chat(role, messages, params_override, is_async=True, stream=True).achunks()

    # Embeddings

    def embedding(self, role: str, input: str | Sequence[str], params_override: Override = None) -> EmbeddingResponse:
        """The vectors of a text or of several, by a role of mode embedding (other)."""
        return self._embed(role, input, params_override, is_async=False).answer()  # type: ignore[no-any-return]

    async def aembedding(
        self, role: str, input: str | Sequence[str], params_override: Override = None
    ) -> EmbeddingResponse:
        """Async form of `embedding`."""
        return await self._embed(role, input, params_override, is_async=True).aanswer()  # type: ignore[no-any-return]

    # Other modes

    def image(self, role: str, prompt: str, params_override: Override = None, *, images: Any = None) -> ImagesResponse:
        """Images for a prompt, by a role of mode image (other); `images` are references."""
        return self._imagen(role, prompt, images, params_override, is_async=False).answer()  # type: ignore[no-any-return]

    async def aimage(
        self, role: str, prompt: str, params_override: Override = None, *, images: Any = None
    ) -> ImagesResponse:
        """Async form of `image`."""
        return await self._imagen(role, prompt, images, params_override, is_async=True).aanswer()  # type: ignore[no-any-return]

    def audio(self, role: str, input: Any = None, params_override: Override = None) -> Any:
        """UnsupportedError: no gateway of hb speaks or listens yet."""
        resolved = self.resolve(role, params_override)
        check_mode(resolved, "audio")
        raise UnsupportedError(f"role {role!r} has mode audio, and no gateway speaks or transcribes yet")

    async def aaudio(self, role: str, input: Any = None, params_override: Override = None) -> Any:
        """Async form of `audio`."""
        return self.audio(role, input, params_override)

    # Making calls

    def _chat(
        self, role: str, messages: Any, params_override: Override, *, is_async: bool, stream: bool = False
    ) -> ByRole:
        resolved = self.resolve(role, params_override)
        check_mode(resolved, "completion")
        asked = resolved.params.get("stream", False)
        if not isinstance(asked, bool):
            raise InputTypeError(f"stream of role {role!r} must be True or False, not {type(asked).__name__}")
        options = self._options(resolved, params_override)
        spec = self._aim(resolved)
        checked = prompted(self.kernel.config, spec, messages, options)
        return self._made(
            resolved, spec, "complete", options, checked, is_async=is_async, streams=stream or asked, messages=checked
        )

    def _embed(self, role: str, input: Any, params_override: Override, *, is_async: bool) -> ByRole:
        resolved = self.resolve(role, params_override)
        check_mode(resolved, "embedding")
        if not isinstance(input, str | Sequence) or isinstance(input, bytes | bytearray):
            raise InputTypeError(f"input must be a text or a list of texts, not {type(input).__name__}")
        texts = [input] if isinstance(input, str) else list(input)
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputTypeError(f"input[{place}] must be a str, not {type(text).__name__}")
        if not texts:
            raise InputError("input is empty")
        options = self._options(resolved, params_override, chats=False)
        return self._made(resolved, self._aim(resolved), "embed", options, input, is_async=is_async, inputs=texts)

    def _imagen(self, role: str, prompt: Any, images: Any, params_override: Override, *, is_async: bool) -> ByRole:
        resolved = self.resolve(role, params_override)
        check_mode(resolved, "image")
        if not isinstance(prompt, str):
            raise InputTypeError(f"prompt must be a str, not {type(prompt).__name__}")
        if not prompt.strip():
            raise InputError("the prompt is empty")
        references = to_images(images) if images is not None else []
        options = self._options(resolved, params_override, chats=False)
        return self._made(
            resolved,
            self._aim(resolved),
            "imagen",
            options,
            prompt,
            is_async=is_async,
            prompt=prompt,
            images=references,
        )

    def _options(self, resolved: ResolvedCall, params_override: Override, *, chats: bool = True) -> dict[str, Any]:
        """What the call gives beside the defaults of its spec."""
        for name in () if chats else sorted(CHAT_ALONE.intersection(params_override or ())):
            raise InputError(f"params_override.{name} is for chats")
        # The merged values: over an open table of the role lies the call's own.
        found = {name: resolved.params.get(name) for name in params_override or ()}
        found.pop("stream", None)
        return found

    def _made(
        self,
        resolved: ResolvedCall,
        spec: LLMSpec,
        verb: str,
        options: dict[str, Any],
        given: Any,
        *,
        is_async: bool,
        streams: bool = False,
        **content: Any,
    ) -> ByRole:
        return ByRole(
            self.kernel, self._hooks, resolved, spec, verb, options, content, given,
            is_async=is_async, streams=streams, key=self._key(resolved),
        )  # fmt: skip

    def _aim(self, resolved: ResolvedCall) -> LLMSpec:
        """As `_spec`; raises why the provider of a role cannot be used."""
        self._settings.check(resolved.provider)
        return self._spec(resolved)

    def _spec(self, resolved: ResolvedCall) -> LLMSpec:
        """The target of a role with its own parameters."""
        role, uses_defaults = find_role(self.config, resolved.role)
        provider = self._settings.name(resolved.provider)
        if not uses_defaults:
            preset = self._settings.presets[resolved.role]
            if "${" in role.model + role.provider:  # the variables may have changed since
                return self.kernel.resolve(preset=preset, model=resolved.model, provider=provider)
            return self.kernel.resolve(preset=preset)
        params = filled(role.params, "defaults.params", self._environ)
        params.pop("stream", None)
        return self.kernel.resolve(model=resolved.model, provider=provider, **params)

    def _key(self, resolved: ResolvedCall) -> str | None:
        """The variable that holds the key of a call, where it is not set."""
        variable = self.config.providers[resolved.provider].env_key
        return variable if variable is not None and not self._environ.get(variable, "").strip() else None

    # Closing

    def close(self) -> None:
        """Close connections; a closed hub takes no calls."""
        self.kernel.close()

    async def aclose(self) -> None:
        """Like `close`, and waits for the async clients of the running loop."""
        await self.kernel.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
