"""Which of the source's providers sells what a provider of hb answers with, and how its ids of models are read."""

from __future__ import annotations

import re
from typing import NamedTuple


class Seller(NamedTuple):
    """A provider of the source. `exact`: ids are names that users choose, and mean a model only where they are its."""

    name: str
    exact: bool = False
    searches: bool = True
    """Whether each search is billed: where some are free, what is known is a least amount."""
    hears_at_text: bool = True
    """Whether sounds in a prompt cost what text does, where they have no price of their own."""
    by_host: re.Pattern[str] | None = None
    """Models that several hosts answer for, each at a price of its own: the listed one is that of one of them."""


SELLERS = {
    "openai": Seller("openai", hears_at_text=False),
    "anthropic": Seller("anthropic"),
    # Only makers that sell their models at one price wherever they are asked; of 78 calls of others, 43 had cost
    # something else than what is listed. OpenRouter tells what each call cost.
    "openrouter": Seller(
        "openrouter",
        by_host=re.compile(
            r"(?!(?:anthropic|openai|x-ai|amazon|cohere|inflection)/|google/gemini-)|openai/gpt-oss|.*:(?!free$)"
        ),
    ),
    "azure": Seller("azure", exact=True, hears_at_text=False),
    "bedrock": Seller("aws"),
    "gemini": Seller("google", searches=False),
    "vertex": Seller("google", searches=False),
    "grok": Seller("x-ai"),
    "deepseek": Seller("deepseek"),
    "groq": Seller("groq"),
    "mistral": Seller("mistral"),
    "cohere": Seller("cohere"),
    "moonshot": Seller("moonshotai"),
    "minimax": Seller("minimax"),
    "voyage": Seller("voyageai"),
    "zai": Seller("zai"),
}
"""By hb's name."""

UNPRICED = {
    "moonshot-zh": "it bills in yuan, and the source has no prices of it",
    "zai-zh": "it bills in yuan; the source's dollars are yuan at a rate of some day",
    "dashscope": "the source has no prices of it",
    **dict.fromkeys(
        ("local", "ollama", "lmstudio", "vllm", "omlx", "mock", "custom"), "it runs on the user's own machines"
    ),
}
"""Providers of which nothing is known, and why: configuration may say what their models cost."""

OTHERS = (
    *("arcee", "avian", "baseten", "cerebras", "cloudflare", "databricks", "doubleword", "fireworks", "meta", "modal"),
    *("novita", "ovhcloud", "together", "typesafe", "quicksilverpro"),
)
"""The source's names of providers that others may publish for hb, under the same name."""


def seller_of(provider: str) -> Seller | None:
    """Who sells a provider's models; None where that is not known."""
    if provider in OTHERS:
        return Seller(provider)
    return SELLERS.get(provider)


KEPT = frozenset({*(seller.name for seller in SELLERS.values()), *OTHERS})
"""The source's providers that a table keeps."""
