"""genai-prices' published data as a table of ours: checked row by row, as it comes over a network.

Its units become hb's buckets, a million tokens or a thousand uses each; what hb counts nowhere (hours of sound, pages,
characters) makes a price that is not known, since a part of the bill would be missing.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from hb_prices.table import Header, written
from heavenbase.errors import InputError

BUCKETS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio",
    "input_image_mtok": "image",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "web_searches_kcount": "web_searches",
    "requests_kcount": "requests",
}
"""Prices that hb can reckon with, by their names there."""
_BESIDE = ("cache_audio_read_mtok", "cache_image_read_mtok", "storage_searches_kcount", "input_video_mtok")
"""Prices of what no wire tells apart, or of what a call has only when it asks for it: they say nothing of the rest."""
_ALL_PRICED = "~"
"""Stands for a price of something that hb does not count: the whole is not known."""
LARGEST, DECIMALS = 100_000, 15
"""The highest price that is believed, in dollars, and the most decimals of one."""
LONGEST_CONTEXT = 10**9
"""The most tokens that a context or a step of a price is believed to have."""
ALTERNATIVES = 100
"""The most ways to name one model."""
_PATTERN = re.compile(r"[\w^$.@/:()?!*|\\{},\[\]+-]{1,200}")
_NESTED = re.compile(r"[*+}]\)?[*+{]|\)[*+{]")
"""What a regular expression repeats that repeats something itself."""
_OPEN, _FORKS = re.compile(r"[*+]|\{\d*,\d*\}"), re.compile(r"[?|]")
MOST_OPEN, MOST_FORKS = 1, 5
"""How often it may go on for as long as it likes, and how often it may have a choice: each multiplies what it takes."""
_TIER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CONTEXT = {"service_tier", "processing", "speed"}
"""What a variant may go by: each is told by an answer as its tier."""


def table_of(data: Any, header: Header, facts: Callable[[str, str], Mapping[str, Any]] = lambda *_: {}) -> str:
    """The text of a table from the list of providers that genai-prices publishes; InputError for what is none.

    `facts(provider, model)` gives what is known of a model beside; prices are Decimals, numbers or texts.
    """
    if not isinstance(data, list) or not data:
        raise InputError("the data are no list of providers")
    found = [_provider(_mapping(each, "a provider"), facts) for each in data]
    if len({each["provider"] for each in found}) < len(found):
        raise InputError("the data have a provider twice")
    return written(header, iter(found))


def _provider(held: Mapping[str, Any], facts: Callable[[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    name = _text(held.get("id"), "the id of a provider")
    also = _list(held.get("fallback_model_providers"), f"the fallbacks of {name}")
    models = _list(held.get("models"), f"the models of {name}")
    rows = [_model(name, _mapping(each, f"a model of {name}"), facts) for each in models]
    found = {"provider": name, "also": [_text(each, "a fallback") for each in also], "models": rows}
    return found if also else {"provider": name, "models": rows}


def _model(provider: str, held: Mapping[str, Any], facts: Callable[[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    name = _text(held.get("id"), f"the id of a model of {provider}")
    where = f"{provider}/{name}"
    prices = held.get("prices")
    rows = prices if isinstance(prices, list) else [{"prices": prices}]
    found: dict[str, Any] = {"id": name, "match": list(_alternatives(held.get("match"), where))}
    known = [_dated(_mapping(each, f"a price of {where}"), where) for each in rows]
    if name.endswith(":free"):
        known = [{"input": "0", "output": "0"}]
    found["prices"] = [each for each in known if each]
    variants = list(_variants(_list(held.get("price_variants"), f"the variants of {where}"), where))
    window = held.get("context_window")
    told = {"context_window": window} if type(window) is int and 0 < window <= LONGEST_CONTEXT else {}
    optional = {"variants": variants, "facts": {**told, **facts(provider, name)}}
    return found | {key: value for key, value in optional.items() if value}


def _variants(held: Sequence[Any], where: str) -> Iterator[dict[str, Any]]:
    for each in held:
        when = _mapping(_mapping(each, f"a variant of {where}").get("when") or {}, f"when a variant of {where} counts")
        if len(when) == 1 and when.keys() <= _CONTEXT:
            tier = _text(next(iter(when.values())), f"a service of {where}")
            if not _TIER.fullmatch(tier):
                raise InputError(f"a service of {where} is no name")
            yield {"tier": tier, **_dated(each, where)}


def _dated(held: Mapping[str, Any], where: str) -> dict[str, Any]:
    prices = _mapping(held.get("prices"), f"the prices of {where}")
    return {**_constraint(held.get("constraint"), where), **_prices(prices, where)}


def _constraint(held: Any, where: str) -> dict[str, Any]:
    if held is None:
        return {}
    held = _mapping(held, f"when a price of {where} counts")
    if held.keys() == {"start_date"}:
        return {"from": _day(_text(held["start_date"], where), where)}
    if held.keys() == {"start_time", "end_time"}:
        return {"daily": [_utc(_text(held[name], where), where) for name in ("start_time", "end_time")]}
    raise InputError(f"when a price of {where} counts is not known: {', '.join(held)}")


def _day(text: str, where: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InputError(f"when a price of {where} counts is no day") from error


def _utc(text: str, where: str) -> str:
    try:
        moment = datetime.time.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"when a price of {where} counts is no time") from error
    if moment.utcoffset() not in (None, datetime.timedelta(0)):
        raise InputError(f"a time of day of {where} is not in UTC")
    return moment.replace(tzinfo=None).isoformat("minutes")


def _prices(held: Mapping[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in held.items():
        if value is None or name in _BESIDE:
            continue
        bucket = BUCKETS.get(name)
        if bucket is None:
            found[_ALL_PRICED] = "0"
            continue
        if isinstance(value, Mapping):
            steps = _list(value.get("tiers"), f"the tiers of {where}")
            tiers = [[_start(each, where), _price(each.get("price"), where)] for each in steps]
            found[bucket] = [_price(value.get("base"), where), *sorted(tiers)]
        else:
            found[bucket] = _price(value, where)
    return found


def _start(held: Any, where: str) -> int:
    start = _mapping(held, f"a tier of {where}").get("start")
    if type(start) is not int or not 0 <= start <= LONGEST_CONTEXT:
        raise InputError(f"a tier of {where} begins nowhere")
    return start


def _price(value: Any, where: str) -> str:
    try:
        amount = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    # A few characters can say a number of a million decimals.
    if not amount.is_finite() or not 0 <= amount <= LARGEST or (amount and amount.adjusted() < -DECIMALS):
        raise InputError(f"a price of {where} is no price")
    return format(amount.normalize(), "f")


_CLAUSES = {"equals": "=", "starts_with": "^", "contains": "*", "ends_with": "$", "regex": "~"}


def _alternatives(clause: Any, where: str) -> Iterator[str | list[str]]:
    """A clause as alternatives, each a text or several that must all fit."""
    found = _disjunction(clause, where)
    if not (0 < len(found) <= ALTERNATIVES and all(found)):  # of nothing that must fit, anything would
        raise InputError(f"how {where} is named is nothing, or is too long")
    for parts in found:
        yield parts[0] if len(parts) == 1 else parts


def _disjunction(clause: Any, where: str, depth: int = 0) -> list[list[str]]:
    held = _mapping(clause, f"how {where} is named")
    if len(held) != 1 or depth > 4:
        raise InputError(f"how {where} is named is not understood")
    ((kind, value),) = held.items()
    if kind in ("or", "and"):
        inner = [_disjunction(each, where, depth + 1) for each in _list(value, f"how {where} is named")]
        return [parts for each in inner for parts in each] if kind == "or" else _product(inner, where)
    if kind not in _CLAUSES:
        raise InputError(f"how {where} is named is not understood: {kind}")
    return [[_CLAUSES[kind] + _named(kind, _text(value, where), where)]]


def _product(inner: Iterable[list[list[str]]], where: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for each in inner:
        found = [[*before, *parts] for before in found for parts in each]
        if len(found) > ALTERNATIVES:
            raise InputError(f"how {where} is named is too long")
    return found


def _named(kind: str, text: str, where: str) -> str:
    if kind != "regex":
        return text.lower()
    is_slow = len(_OPEN.findall(text)) > MOST_OPEN or len(_FORKS.findall(text)) > MOST_FORKS
    if is_slow or not _PATTERN.fullmatch(text) or _NESTED.search(text.replace("(?:$|-))", "")):
        raise InputError(f"the regular expression of {where} is none that is looked for")
    try:
        re.compile(text)
    except re.error as error:
        raise InputError(f"the regular expression of {where} cannot be read") from error
    return text


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{what} is no table")
    return value


def _list(value: Any, what: str) -> Sequence[Any]:
    """A list; an empty one for what is not there."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise InputError(f"{what} is no list")
    return value


def _text(value: Any, what: str) -> str:
    # What cannot be printed would end a line of the table, or steer the terminal that shows it.
    if not isinstance(value, str) or not 0 < len(value) <= 300 or not value.isprintable():
        raise InputError(f"{what} is no text")
    return value
