"""The providers that a stack ends in: Anthropic and OpenRouter, over hb's own wires."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hb_compose.backoff import Backoff
from hb_compose.providers import Event, Provider
from hb_compose.requests import CompletionRequest, CompletionResponse, check_number
from hb_compose.translating import to_options, to_response, to_wire
from heavenbase.errors import InputError, InputTypeError
from heavenbase.llm import LLM
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from heavenbase.kernel import Kernel

# A provider sends what it is asked to send: no default of hb's, no cached answer, and one request for each call.
PLAIN = {"cache": False, "max_retries": 0, "temperature": None, "seed": None}


class DirectProvider(Provider):
    """One model of one provider of hb.

    Args:
        api_key: The key; None takes the provider's own variable.
        model: The model, by the provider's name for it.
        max_tokens: The limit of answers to requests that name none.
        base_url: Where the provider is, for one that is elsewhere.
        timeout: Seconds in all for a call, or a table of clocks.
        kernel: The kernel to use instead of the default one.

    Raises:
        InputError: For a key or model that is none.
    """

    provider: ClassVar[str] = ""

    def __init__(
        self,
        api_key: str | Secret | None,
        model: str,
        *,
        max_tokens: int | None = None,
        base_url: str | None = None,
        timeout: float | dict[str, float] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        if isinstance(api_key, str):
            api_key = Secret(api_key)  # at once, as tracebacks may show locals
        if not isinstance(model, str):
            raise InputTypeError(f"model must be a text, not {type(model).__name__}")
        if not model.strip():
            raise InputError("the model is empty")
        if api_key is not None and not isinstance(api_key, Secret):
            raise InputTypeError(f"api_key must be a text, not {type(api_key).__name__}")
        if api_key is not None and not api_key:
            raise InputError("the api_key is empty")
        check_number("max_tokens", max_tokens, whole=True, least=1)
        given = {"base_url": base_url, "max_tokens": max_tokens, "timeout": timeout}
        self.options: dict[str, Any] = {**PLAIN, **{name: it for name, it in given.items() if it is not None}}
        if api_key is not None:
            self.options["api_key"] = api_key
        self._model = model
        self._kernel = kernel
        self.llm = self._made()

    def _made(self) -> LLM:
        return LLM(model=self._model, provider=self.provider, kernel=self._kernel, **self.options)

    @property
    def model_name(self) -> str:
        """The model, as it was given."""
        return self._model

    @property
    def prompt_caching(self) -> bool:
        """Whether prompts are marked for the provider's cache."""
        return bool(self.options.get("prompt_caching"))

    def with_prompt_caching(self) -> Self:
        """A provider that marks prompts for the cache of its own, in at most three places.

        They are the system prompt, the last tool, and the last block of the second-to-last message of the user.
        """
        return self._with(prompt_caching=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self._model!r}, prompt_caching={self.prompt_caching})"

    def _with(self, **options: Any) -> Self:
        made = copy.copy(self)
        made.options = {**self.options, **options}
        made.llm = made._made()
        return made

    def beside(self, llm: LLM) -> Self:
        """The same provider over another LLM of hb."""
        made = copy.copy(self)
        made.llm = llm
        return made

    def _retrying(self, backoff: Backoff) -> Self:
        return self._with(max_retries=backoff.max_retries, **backoff.options())

    async def _answer(self, request: CompletionRequest, *, is_async: bool) -> CompletionResponse:
        options = to_options(request)
        messages = to_wire(request)
        answer = await self.llm.acomplete(messages, **options) if is_async else self.llm.complete(messages, **options)
        return to_response(answer)

    async def _events(self, request: CompletionRequest, *, is_async: bool) -> AsyncGenerator[Event, None]:
        options, messages = to_options(request), to_wire(request)
        include: Any = ("text", "completion")
        if is_async:
            source: Any = self.llm.astream(messages, include, reduce=False, **options)
            try:
                async for item in source:
                    for event in _events_of(item):
                        yield event
            finally:
                await source.aclose()
            return
        plain: Any = self.llm.stream(messages, include, reduce=False, **options)
        try:
            for item in plain:
                for event in _events_of(item):
                    yield event
        finally:
            plain.close()

    def _target(self) -> Self:
        return self


def _events_of(item: dict[str, Any]) -> list[Event]:
    if (answer := item["completion"]) is not None:
        return [to_response(answer)]
    return [item["text"]] if item["text"] else []


class AnthropicProvider(DirectProvider):
    """Claude on Anthropic's own wire: `AnthropicProvider(api_key, "claude-sonnet-4-20250514")`."""

    provider = "anthropic"


class OpenRouterProvider(DirectProvider):
    """Many makers' models behind one key: `OpenRouterProvider(api_key, "anthropic/claude-sonnet-4-20250514")`."""

    provider = "openrouter"
