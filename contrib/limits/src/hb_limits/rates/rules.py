"""The rules of `limits`: which requests they are about, for whom they count, and how much they let through. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hb_limits.reading import covers, name_of, patterns, rules_of, word
from heavenbase.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from heavenbase.call import Call

UNITS: Final = ("requests", "tokens", "input_tokens", "output_tokens")
SPANS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
RATES: Final = {f"{unit}_per_{span}": (unit, seconds) for unit in UNITS for span, seconds in SPANS.items()}
"""The keys of a rule that are rates: each a unit and the seconds of its window."""
PER: Final = ("target", "key", "tenant", "provider", "all")
ON_LIMIT: Final = ("wait", "raise")
KEYS: Final = ("name", "match", "per", "on_limit", "concurrency", "max_queued", *RATES)
MOST: Final = 10**12
OF_PROVIDERS: Final = "what the provider says"
"""The name of the rule that no settings give."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` units in any stretch of so many seconds; `word` is its key in the rule."""

    word: str
    unit: str
    seconds: float
    most: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, read and checked."""

    name: str
    match: tuple[str, ...]
    per: str
    windows: tuple[Window, ...]
    concurrency: int | None
    max_queued: int | None
    raises: bool

    def covers(self, call: Call) -> bool:
        """Whether it is about the target of a call, by the model's name or by the provider's id of it."""
        return covers(self.match, call.target, f"{call.spec.provider}/{call.spec.model}")

    def subject(self, call: Call) -> str:
        """For whom a call counts: calls with one subject share what the rule lets through. Not to be shown."""
        spec = call.spec
        if self.per == "target":
            return f"{spec.target_key()} {spec.model_id}"
        if self.per == "tenant":
            return str(call.controls.get("tenant") or "")
        return {"key": spec.target_key(), "provider": spec.provider, "all": ""}[self.per]


def read_rules(given: Any, key: str = "rules") -> tuple[Rule, ...]:
    """The rules of a list of tables; `key` is how messages call the list.

    Raises:
        UnknownNameError: A key that no rule has, with the nearest.
        InputError: A value that is none, or two rules of one name; InputTypeError for one of another type.
    """
    return rules_of(given, _rule, KEYS, key, taken=(OF_PROVIDERS,))


def _rule(table: Mapping[str, Any], key: str) -> Rule:
    match = patterns(table.get("match", "*"), f"{key}.match")
    per = word(table.get("per", "target"), PER, f"{key}.per")
    windows = tuple(
        Window(word, unit, seconds, _count(table[word], f"{key}.{word}"))
        for word, (unit, seconds) in RATES.items()
        if table.get(word) is not None
    )
    concurrency = _optional(table.get("concurrency"), f"{key}.concurrency")
    if not windows and concurrency is None:
        raise InputError(f"{key} limits nothing: give it a rate, such as requests_per_minute, or concurrency")
    name = name_of(table, key)
    raises = word(table.get("on_limit", "wait"), ON_LIMIT, f"{key}.on_limit") == "raise"
    queued = _optional(table.get("max_queued"), f"{key}.max_queued", least=0)
    called = name if name is not None else f"{per} {', '.join(match)}"
    return Rule(called, match, per, windows, concurrency, queued, raises)


def _optional(value: Any, key: str, least: int = 1) -> int | None:
    return None if value is None else _count(value, key, least)


def _count(value: Any, key: str, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{key} is a whole number, not {type(value).__name__}")
    if not least <= value <= MOST:
        raise InputError(f"{key} is a whole number from {least} to {MOST:,}, not {value:,}")
    return value
