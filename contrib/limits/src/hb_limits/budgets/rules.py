"""The rules of `budgets`: which requests they are about, for whom they count, and what those may come to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hb_limits.budgets.amounts import read_money, read_tokens, shown
from hb_limits.budgets.windows import SPANS
from hb_limits.reading import covers, name_of, patterns, rules_of, word
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from heavenbase.call import Call

PER: Final = ("call", "session", "key", "tenant", "all")
KEYS: Final = ("name", "match", "per", "every", "money", "currency", "tokens")
CURRENCY: Final = re.compile("[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One budget, read and checked: `money` in parts of a unit of `currency`, `tokens` of prompts and answers."""

    name: str
    match: tuple[str, ...]
    per: str
    every: str | None
    money: int | None
    currency: str
    tokens: int | None

    def covers(self, call: Call) -> bool:
        """Whether it is about the target of a call, by the model's name or by the provider's id of it."""
        return covers(self.match, call.target, f"{call.spec.provider}/{call.spec.model}")

    def subject(self, call: Call) -> str | None:
        """For whom a call counts: calls with one subject share the budget. None for the call alone.

        That is also one of no session, where the budget is for each. Not to be shown where it is for each key.
        """
        if self.per == "key":
            return call.spec.target_key()
        if self.per == "tenant":
            return str(call.controls.get("tenant") or "")
        if self.per == "session":
            session = call.controls.get("session")
            return str(session) if session else None
        return None if self.per == "call" else ""

    @property
    def identity(self) -> str:
        """What it has in common with itself after another amount was set: what was spent of it stays spent."""
        return "\0".join((self.name, self.per, self.every or "", self.currency if self.money is not None else ""))

    def __str__(self) -> str:
        parts = [f"{shown(self.money)} {self.currency}"] if self.money is not None else []
        parts += [f"{self.tokens:,} tokens"] if self.tokens is not None else []
        every = f"{'an' if self.every == 'hour' else 'a'} {self.every}" if self.every else ""
        return " ".join(filter(None, (" and ".join(parts), every, "" if self.per == "all" else f"for each {self.per}")))


def read_rules(given: Any, key: str = "rules") -> tuple[Rule, ...]:
    """The rules of a list of tables; `key` is how messages call the list.

    Raises:
        UnknownNameError: A key or word that no rule has, with the nearest.
        InputError: A value that is none, or two rules of one name; InputTypeError for one of another type.
    """
    return rules_of(given, _rule, KEYS, key)


def _rule(table: Mapping[str, Any], key: str) -> Rule:
    match = patterns(table.get("match", "*"), f"{key}.match")
    per = word(table.get("per", "all"), PER, f"{key}.per")
    every = table.get("every")
    if every is not None:
        every = word(every, SPANS, f"{key}.every")
        if per in ("call", "session"):
            raise InputError(f"{key}.every: a budget for each {per} is of no {every}; leave `every` out")
    money, tokens = read_money(table.get("money"), f"{key}.money"), read_tokens(table.get("tokens"), f"{key}.tokens")
    if money is None and tokens is None:
        raise InputError(f"{key} bounds nothing: give it money, tokens, or both")
    currency = table.get("currency", "USD")
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        raise InputError(f"{key}.currency is three capital letters such as USD, not {str(currency)!r}")
    name = name_of(table, key)
    called = name if name is not None else " ".join(filter(None, (per, every, ", ".join(match))))
    return Rule(called, match, per, every, money, currency, tokens)
