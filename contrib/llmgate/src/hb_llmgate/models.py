"""Which provider a model string means: the table of prefixes, and nothing that depends on which keys are set."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

from hb_llmgate.exceptions import EmbeddingsNotSupported, InvalidRequestError, ModelNotFoundError

PROVIDERS = ("openai", "anthropic", "gemini", "groq", "mistral", "cohere", "azure", "bedrock", "ollama")
"""The providers of the page; `provider/model` names each of them."""
BARE = (
    (re.compile(r"gpt-|o\d+(-|$)|chatgpt-|ft:(gpt-|o\d)", re.IGNORECASE), "openai"),
    (re.compile(r"gemini-", re.IGNORECASE), "gemini"),
    (re.compile(r"claude-", re.IGNORECASE), "anthropic"),
)
"""Names of models that say whose they are without a prefix."""
NO_EMBEDDINGS = frozenset({"anthropic", "groq"})


class Target(NamedTuple):
    """What a model string means: the string as asked for, the provider, and the model as that provider knows it."""

    asked: str
    provider: str
    model: str


def chat_target(model: object, provider: object = None, installed: Container[str] = ()) -> Target:
    """The target of a chat; ModelNotFoundError where no prefix matches, InvalidRequestError for what is no name.

    `provider` wins over the prefix. `installed` are the further providers of hb, whose names are prefixes too.
    """
    asked, named = _checked(model, provider)
    head, rest = _split(asked, installed)
    if named is not None:
        return Target(asked, named, rest if head == named else asked)
    if head is not None:
        return Target(asked, head, rest)
    found = next((name for pattern, name in BARE if pattern.match(asked)), None)
    if found is None:
        raise _unknown(asked)
    return Target(asked, found, asked)


def embedding_target(model: object, provider: object = None, installed: Container[str] = ()) -> Target:
    """The target of an embedding: OpenAI where nothing names another; EmbeddingsNotSupported where there are none."""
    asked, named = _checked(model, provider)
    head, rest = _split(asked, installed)
    is_claude = head is None and asked.lower().startswith("claude-")
    chosen = named or head or ("anthropic" if is_claude else "openai")
    if chosen in NO_EMBEDDINGS:
        raise EmbeddingsNotSupported(f"{chosen} has no embeddings", chosen, model=asked)
    return Target(asked, chosen, rest if head == chosen else asked)


def _checked(model: object, provider: object) -> tuple[str, str | None]:
    if not isinstance(model, str):
        raise InvalidRequestError(f"model must be a str, not {type(model).__name__}")
    if not model.strip():
        raise InvalidRequestError("model is empty")
    if provider is not None and not isinstance(provider, str):
        raise InvalidRequestError(f"provider must be a str, not {type(provider).__name__}")
    return model, provider.lower() if provider else None


def _split(asked: str, installed: Container[str]) -> tuple[str | None, str]:
    """The provider before the first slash, in lower case, and what follows; None where there is none."""
    head, _, rest = asked.partition("/")
    name = head.lower()
    return (name, rest) if rest and (name in PROVIDERS or name in installed) else (None, asked)


def _unknown(asked: str) -> ModelNotFoundError:
    known = ", ".join(f"{name}/" for name in PROVIDERS)
    message = (
        f"no provider matches model {asked!r}; begin it with gpt-, o1, chatgpt-, claude-, gemini-, or one of {known}"
        "; or pass provider="
    )
    return ModelNotFoundError(asked, message)
