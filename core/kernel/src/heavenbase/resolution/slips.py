"""Slips in names: of models, where one letter off may also be a newer model of a family; of providers and gateways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from heavenbase.config.config import Config
from heavenbase.errors import UnknownNameError
from heavenbase.registry import Registry
from heavenbase.resolution.catalog import Catalog, fold

LIKE = 0.8
"""How like a listed name another must be to be a slip of it."""
WORD = 0.75


def meant_model(name: str, listed: Iterable[str]) -> str | None:
    """The listed name that a name is a slip of; None for one that differs in numbers, or by a word of its own.

    `claude-sonet-5` is a slip of `claude-sonnet-5`; `claude-sonnet-9` and `gpt-4o-mini` are models that are not listed.
    """
    from difflib import SequenceMatcher, get_close_matches

    by_lower = {each.lower(): each for each in listed}
    lowered = name.lower()
    near = get_close_matches(lowered, by_lower, 1, LIKE)
    if not near or near[0] == lowered:
        return None
    known = set(_words(" ".join(by_lower)))
    for word in _words(lowered):
        if word in known:
            continue
        for other in known:
            is_longer = word.startswith(other)  # flashx, turbos: a name of its own, more likely than a slip
            ratio = SequenceMatcher(None, word, other).ratio()
            if not is_longer and (ratio >= WORD or sorted(word) == sorted(other)):
                return by_lower[near[0]]
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", text.lower())


def check_providers(names: Any, catalog: Catalog) -> None:
    """UnknownNameError for a key of `by_provider` that is the name of no provider."""
    known = {*catalog.providers, *catalog.wanted}
    for name in names if isinstance(names, Mapping) else ():
        if name not in known:
            meant = catalog.provider(name) if isinstance(name, str) else None
            raise UnknownNameError("provider in by_provider", str(name), [meant] if meant else sorted(known))


def check_gateway(name: str, registry: Registry, config: Config) -> None:
    """UnknownNameError for a name that no gateway has, installed or not. Loads none."""
    names, known = registry.names("gateways"), registry.inventory.known_gateways
    found = next((each for each in names if fold(each) == fold(name)), name)
    configured = config.section(("heavenbase", "llm", "gateways", found), raw=True)
    if not (registry.has("gateways", found) or found in known or configured):
        raise UnknownNameError("gateway", name, sorted({*names, *known}))
