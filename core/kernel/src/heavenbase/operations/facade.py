"""The methods of `LLM` for operations, each in both colours over one flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive as drive
from heavenbase.errors import InputError, InputTypeError, ProviderError, RequestRejected, UnsupportedError
from heavenbase.operations.jobs import Jobs
from heavenbase.options import OPTIONS, check_slips, conceal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.operations.files import Files
    from heavenbase.operations.results import Listing, ModelInfo, Ranking, TokenCount
    from heavenbase.spec import LLMSpec

NOWHERE = (404, 405, 501)
"""Statuses of a path that an endpoint does not have."""
BODIED = ("rerank", "files.upload")
"""Operations that `extra_body` adds to; others have no body, or one of bytes."""
OWN = {
    "models": ("limit",),
    "files.list": ("limit",),
    "files.upload": ("file", "name", "purpose"),
    "rerank": ("query", "documents", "top_n"),
}
"""The arguments of the methods themselves, for those that a caller misspells."""
MOST_MODELS = 10_000
"""Entries of a list of models that are read."""


class Operations(Jobs):
    """What an LLM does beside its verbs. UnsupportedError says who has an operation that its target has not."""

    kernel: Any
    spec: LLMSpec

    @property
    def files(self) -> Files:
        """The files that the provider keeps for the account."""
        from heavenbase.operations.files import Files

        return Files(self)

    def count_tokens(
        self, messages: Any, *, system: str | None = None, images: Any = None, estimate: bool | None = None,
        **options: Any,
    ) -> TokenCount:  # fmt: skip
        """How many input tokens a chat with these messages, tools and options would have.

        The provider counts where it has an endpoint for it; else hb estimates, and the result says so in `method`.
        `estimate=True` asks for that at once, without a request; `estimate=False` makes it an UnsupportedError.
        """
        return drive.run(_count(self, messages, system, images, estimate, options, is_async=False))

    async def acount_tokens(
        self, messages: Any, *, system: str | None = None, images: Any = None, estimate: bool | None = None,
        **options: Any,
    ) -> TokenCount:  # fmt: skip
        """Async form of `count_tokens`."""
        return await _count(self, messages, system, images, estimate, options, is_async=True)

    def models(self, limit: int = MOST_MODELS, **options: Any) -> Listing[ModelInfo]:
        """The models that the endpoint lists, `limit` at most; `options` are those that steer a call."""
        conceal(options)  # before anything can fail
        return drive.run(ask(self, "models", options, is_async=False, subject=to_limit(limit)))

    async def amodels(self, limit: int = MOST_MODELS, **options: Any) -> Listing[ModelInfo]:
        """Async form of `models`."""
        conceal(options)
        return await ask(self, "models", options, is_async=True, subject=to_limit(limit))  # type: ignore[no-any-return]

    def rerank(self, query: str, documents: Iterable[str], top_n: int | None = None, **options: Any) -> Ranking:
        """The documents by how well they answer the query, best first: all of them, or the best `top_n`.

        Each has its place among those that were given, its score (the higher the better, on the model's own scale) and
        its text. `options` are those that steer a call, and parameters that the provider has for this alone.
        """
        return drive.run(_ranked(self, query, documents, top_n, options, is_async=False))

    async def arerank(self, query: str, documents: Iterable[str], top_n: int | None = None, **options: Any) -> Ranking:
        """Async form of `rerank`."""
        return await _ranked(self, query, documents, top_n, options, is_async=True)


def to_limit(limit: Any) -> int:
    """A number of entries that is at least 1."""
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise InputTypeError(f"limit must be a whole number, not {type(limit).__name__}")
    if limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    return limit


async def _ranked(
    llm: Any, query: Any, documents: Any, top_n: Any, options: dict[str, Any], *, is_async: bool
) -> Ranking:
    from heavenbase.operations.rerank import to_rerank

    conceal(options)
    asked = to_rerank(query, documents, top_n)
    return await ask(llm, "rerank", options, is_async=is_async, subject=asked)  # type: ignore[no-any-return]


async def ask(llm: Any, operation: str, options: dict[str, Any], *, is_async: bool, **content: Any) -> Any:
    """The answer of an operation that takes no parameters of chats, on the flow of every call."""
    from heavenbase.operations.asking import lacking, refusal

    conceal(options)
    check_slips(f"argument of {operation}", options, OWN.get(operation, ()), OPTIONS)
    for name in options:
        if name in OPTIONS and OPTIONS[name].kind == "argument":
            raise InputError(f"{operation} takes no {name}, which is a parameter of calls to a model")
    if "extra_body" in options and operation not in BODIED:
        raise InputError(f"{operation} takes no extra_body: its request has no body; extra_query adds to the address")
    kernel = llm.kernel
    call = kernel.call(operation, llm._target(options), options, is_async=is_async, **content)
    if reason := lacking(kernel.registry, call.spec, operation):
        raise refusal(kernel.registry, call.spec, operation, reason)
    try:
        return await kernel.answer_once(call)
    except ProviderError as error:
        if operation == "models" and error.status in NOWHERE:
            raise UnsupportedError(
                f"the endpoint of provider {call.spec.provider!r} has no list of its models: {error}",
                provider=call.spec.provider,
                status=error.status,
            ) from error
        raise


async def _count(
    llm: Any, messages: Any, system: str | None, images: Any, estimate: bool | None, options: dict[str, Any],
    *, is_async: bool,
) -> TokenCount:  # fmt: skip
    from heavenbase.operations.asking import lacking, refusal

    conceal(options)
    if estimate not in (None, True, False):
        raise InputTypeError(f"estimate must be True, False or None, not {type(estimate).__name__}")
    kernel = llm.kernel
    # As a chat, so that tools, form and messages are made ready for the wire as those of one.
    call = llm._chat_call(messages, system, images, options, is_async=is_async)
    reason = "it was asked for" if estimate else lacking(kernel.registry, call.spec, "count_tokens")
    if not reason and call.spec.capability("count_tokens") is None:
        reason = f"nothing says that provider {call.spec.provider!r} counts tokens (capabilities.count_tokens)"
    if not reason:
        try:
            return await kernel.answer_once(call.replace(verb="count_tokens", tools={}))  # type: ignore[no-any-return]
        except UnsupportedError as error:  # a gateway that counts, and not for this provider or model
            reason = str(error)
        except RequestRejected as error:
            if error.status not in NOWHERE:
                raise
            reason = f"the endpoint counts no tokens: {error}"
    if estimate is False:
        raise refusal(kernel.registry, call.spec, "count_tokens", reason)
    from heavenbase.operations.estimate import estimated

    return estimated(call, reason)
