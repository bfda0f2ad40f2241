"""How a model is run: the size of its context and what it may use of the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def default_threads() -> int:
    """All cores this process may use but one, at least one.

    llama.cpp's threads wait for each other by spinning: one other busy process on the last core costs ten times its
    share.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """`context` is tokens of prompt and answer together, `threads` compute threads.

    `parallel` is how many chats are computed at once, each with its own context; others wait their turn.
    `embedding_context` is the longest input of an embedding, in tokens. A model that was trained on less than these
    gets its own limit.
    """

    context: int = 4096
    threads: int = 0
    parallel: int = 1
    embedding_context: int = 2048

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "threads" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"option {field.name!r} of the local gateway must be a positive whole number")
        if self.threads == 0:
            object.__setattr__(self, "threads", default_threads())

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Settings:
        """From the table `heavenbase.llm.gateways.local.options`; ConfigError for what it does not know."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ConfigError(f"unknown option {unknown[0]!r} of the local gateway; options: {', '.join(known)}")
        return cls(**options)
