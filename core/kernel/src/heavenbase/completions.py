"""Calls as functions, over the default kernel.

hb.completion("gpt-4o-mini", "Say hello.").text
hb.completion(["gpt-4o-mini", "groq/llama-3.1-8b-instant"], messages, stream=True)
hb.parse("gpt-4o-mini", "Name a film.", response_format=Film)
hb.embed("text-embedding-3-small", ["one", "two"])
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from heavenbase.errors import InputTypeError, MissingPackage
from heavenbase.functions import kernel_of
from heavenbase.llm import LLM
from heavenbase.options import CONNECTION, TARGET
from heavenbase.projection import is_on
from heavenbase.types import Chunk, Completion

if TYPE_CHECKING:
    from heavenbase.kernel import Kernel


@overload
def completion(
    model: Any = None, messages: Any = None, *, stream: Literal[False] = False, **options: Any
) -> Completion: ...
@overload
def completion(
    model: Any = None, messages: Any = None, *, stream: Literal[True], **options: Any
) -> Iterator[Chunk]: ...
def completion(model: Any = None, messages: Any = None, *, stream: bool = False, **options: Any) -> Any:
    """One chat with a model, and all there is to know of its answer.

    Args:
        model: The name of a model, or a list of them (a fallback); None for the default preset, or `preset=`, `route=`.
        messages: A text, a message, or several messages.
        stream: Give the answer as it comes, as chunks.
        options: What `LLM` and its methods take: preset, provider, gateway, route, kernel, and all options.

    Raises:
        HBError: As `LLM` and `LLM.complete` do.
    """
    is_stream = is_on("stream", stream)
    llm, asked = _llm(model, options)
    if is_stream:
        return llm.stream(messages, **{"include": "chunk", **asked})
    return llm.complete(messages, **asked)


@overload
async def acompletion(
    model: Any = None, messages: Any = None, *, stream: Literal[False] = False, **options: Any
) -> Completion: ...
@overload
async def acompletion(
    model: Any = None, messages: Any = None, *, stream: Literal[True], **options: Any
) -> AsyncIterator[Chunk]: ...
async def acompletion(model: Any = None, messages: Any = None, *, stream: bool = False, **options: Any) -> Any:
    """Async form of `completion`; with `stream=True` the awaited value is an async iterator."""
    is_stream = is_on("stream", stream)
    llm, asked = _llm(model, options)
    if is_stream:
        return llm.astream(messages, **{"include": "chunk", **asked})
    return await llm.acomplete(messages, **asked)


def parse(model: Any = None, messages: Any = None, *, response_format: Any, **options: Any) -> Any:
    """The value that an answer holds, of the type or schema `response_format`; the rest is as in `completion`.

    Raises:
        StructuredOutputError: The answer does not have that form; `partial` is the answer.
    """
    llm, asked = _llm(model, options)
    return llm.complete(messages, response_format=_form(response_format), **asked).structured


async def aparse(model: Any = None, messages: Any = None, *, response_format: Any, **options: Any) -> Any:
    """Async form of `parse`."""
    llm, asked = _llm(model, options)
    return (await llm.acomplete(messages, response_format=_form(response_format), **asked)).structured


def embed(model: Any = None, inputs: Any = None, **options: Any) -> Any:
    """One vector for a text, a list of vectors for several, in order; or what `include` names.

    Args:
        model: The name of a model, or a list of endpoints of one model; None for the preset `embed`, or `preset=`.
        inputs: A text, or an iterable of texts.
        options: What `LLM` and `LLM.embed` take.

    Raises:
        HBError: As `LLM` and `LLM.embed` do.
    """
    llm, asked = _llm(model, options, "embed")
    return llm.embed(inputs, **asked)


async def aembed(model: Any = None, inputs: Any = None, **options: Any) -> Any:
    """Async form of `embed`."""
    llm, asked = _llm(model, options, "embed")
    return await llm.aembed(inputs, **asked)


def batch(requests: Any, *, kernel: Any = None, **options: Any) -> Any:
    """Many requests at once, answered in their order: a `hb_batch.BatchResult`, with errors, counts, tokens and cost.

    Args:
        requests: Texts, lists of messages, or tables such as {"model": …, "messages": …}, {"input": …}, {"prompt": …}.
        kernel: Whose calls they are; by default that of `llm`, or the default kernel.
        options: What hb-batch takes (llm, max_concurrency, fail_fast, timeout, …), and what calls take.

    Raises:
        MissingPackage: hb-batch is not installed.
        HBError: An option is wrong; with `fail_fast` the first failure.
    """
    found = _kernel_of_batch(kernel, options)
    return _batches(found).batch(found, requests, **options)


async def abatch(requests: Any, *, kernel: Any = None, **options: Any) -> Any:
    """Async form of `batch`."""
    found = _kernel_of_batch(kernel, options)
    return await _batches(found).abatch(found, requests, **options)


def _kernel_of_batch(kernel: Any, options: Mapping[str, Any]) -> Kernel:
    llm = options.get("llm")
    return llm.kernel if kernel is None and isinstance(llm, LLM) else kernel_of(kernel)


def _batches(kernel: Kernel) -> Any:
    if not kernel.registry.has("contrib", "batch"):
        raise MissingPackage("many requests at once need another package: pip install hb-batch")
    return kernel.registry.load("contrib", "batch")


def _llm(model: Any, options: dict[str, Any], preset: str | None = None) -> tuple[LLM, dict[str, Any]]:
    """The target that these arguments name, and the options that are left for the call."""
    first = model[0] if isinstance(model, list | tuple) and model else model
    if isinstance(first, Mapping) and "role" in first:
        raise InputTypeError("model is a message; the model comes first, and the messages behind it")
    named = {name: options.pop(name) for name in (TARGET | CONNECTION).intersection(options)}
    if model is None and not {"preset", "route"}.intersection(named):
        named["preset"] = preset
    return LLM(model=model, **named), options


def _form(response_format: Any) -> Any:
    if response_format is None:
        raise InputTypeError("parse needs response_format: a type, or a JSON schema")
    return response_format
