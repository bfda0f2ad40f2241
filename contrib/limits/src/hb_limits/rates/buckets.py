"""Buckets: what one rule lets through for one subject. What a request wants of them is its demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hb_limits.rates.log import Log

if TYPE_CHECKING:
    from hb_limits.rates.rules import Rule, Window
    from hb_limits.rates.waiting import Waiter

HELD: Final = "the provider's word"
"""Why a request waits whose provider said that it has had enough."""


class Bucket:
    """What one rule lets through for one subject, and who waits for it in this process. Guarded by the pool's lock."""

    __slots__ = ("held_until", "key", "logs", "lowered", "ready_at", "rule", "running", "waiting")

    def __init__(self, rule: Rule, key: str) -> None:
        self.rule = rule
        self.key = key
        """Its name among all buckets of those who share them; says nothing of whom it is about."""
        self.logs = tuple(Log(window.seconds) for window in rule.windows)
        self.running = 0
        self.held_until = float("-inf")
        """Until when the provider wants nothing, on the kernel's clock."""
        self.lowered: dict[str, int] = {}
        """Limits that the provider told of, where they are lower than the rule's, by their key in the rule."""
        self.waiting: list[Waiter] = []
        """In the order of their arrival; the first one asks for all."""
        self.ready_at = float("-inf")
        """When the first one may go on, as far as is known."""

    def most(self, window: Window) -> int:
        """What a window lets through."""
        lowered = self.lowered.get(window.word) if self.lowered else None
        return window.most if lowered is None else min(window.most, lowered)

    def is_idle(self, now: float) -> bool:
        """Whether nothing is lost where it is forgotten."""
        if self.waiting or self.running or self.held_until > now:
            return False
        return all(log.wait(now, 1, 1) == 0 for log in self.logs)

    def behind(self, weights: Mapping[str, int], now: float) -> float:
        """Least seconds that one waits who comes behind all that are waiting here."""
        wait = max(self.ready_at - now, 0.0)
        for window in self.rule.windows:
            if window.unit == "requests":  # of tokens, requests that run may come to less than was set aside for them
                ahead = sum(waiter.weights["requests"] for waiter in self.waiting) + weights["requests"]
                wait = max(wait, (ahead - 1) // self.most(window) * window.seconds)
        return wait


class Demand(NamedTuple):
    """What a request wants: of these buckets, so much of each unit."""

    buckets: tuple[Bucket, ...]
    weights: Mapping[str, int]


class Verdict(NamedTuple):
    """What a store said: a grant; or which bucket refused, why, and for how many seconds (None: nobody knows)."""

    grant: Any = None
    bucket: Bucket | None = None
    wait: float | None = None
    why: str = ""
