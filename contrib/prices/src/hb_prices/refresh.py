"""A newer table, from genai-prices' published data: fetched or read, checked whole, and put in place at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hb_prices.prices import PACKAGED, Prices
from hb_prices.providers import KEPT
from hb_prices.published import table_of
from hb_prices.table import Header, Table
from heavenbase.config import make_folder, write_atomic
from heavenbase.errors import ConfigError, FetchBlocked, FetchTimeout, FetchTooLarge, HBError, InputError
from heavenbase.fetch import Fetcher

LEAST, MOST = 0.5, 20
"""How many times the rows of the packaged table a newer one has: less is broken, more takes long to look through."""


def refresh(prices: Prices, *, file: str | None = None, at: float | None = None) -> Table:
    """Fetch genai-prices' data, or read them from a file, and keep them as the table that is used from then on.

    The old table stays where anything fails: FetchBlocked, FetchTimeout, FetchTooLarge and other errors of the fetch;
    InputError for data that are none; ConfigError where the file cannot be written. `at` is now, in epoch seconds.
    """
    target = prices.refreshed
    if target is None:
        raise ConfigError("there is no folder for a refreshed table: an embedded kernel has no user")
    day = datetime.fromtimestamp(at, UTC) if at is not None else datetime.now(UTC)
    source = "genai-prices, " + (f"file {os.path.basename(file)}" if file else "refreshed")
    text = table_of(
        [each for each in _decoded(_read(prices, file)) if _name(each) in KEPT],
        Header(source, f"{day:%Y-%m-%d}"),
        _known_facts(),
    )
    found = Table(text, target)
    _check(found, Table.read(PACKAGED))
    make_folder(os.path.dirname(target))
    write_atomic(target, text)
    return found


def _read(prices: Prices, file: str | None) -> bytes:
    options = prices.options
    key = "heavenbase.tables.prices"
    if file is None:
        hosts = tuple(options["allow_hosts"])
        fetcher = Fetcher(timeout=options["timeout"], max_bytes=options["max_bytes"], allow_hosts=hosts)
        try:
            return fetcher.fetch(options["url"]).data
        except FetchTooLarge:
            remedy = f"they have more than {options['max_bytes']:,} bytes ({key}.max_bytes)"
            failure: HBError = FetchTooLarge(f"the prices were not fetched: {remedy}")
        except FetchTimeout:
            failure = FetchTimeout(f"the prices were not fetched within {options['timeout']:g} s ({key}.timeout)")
        except FetchBlocked as error:
            failure = FetchBlocked(f"the prices were not fetched: {error.message} ({key}.allow_hosts)")
        raise failure
    try:
        with open(file, "rb") as held:
            data = held.read(options["max_bytes"] + 1)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    if len(data) > options["max_bytes"]:
        raise InputError(
            f"{file}: it has more than {options['max_bytes']:,} bytes (heavenbase.tables.prices.max_bytes)"
        )
    return data


def _decoded(data: bytes) -> list[Any]:
    try:
        found = json.loads(data, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # also of a number that no Decimal holds
        raise InputError("the data are no JSON") from error
    if not isinstance(found, list):
        raise InputError("the data are no list of providers")
    return found


def _name(provider: Any) -> Any:
    return provider.get("id") if isinstance(provider, Mapping) else None


def _known_facts() -> Any:
    """What the packaged table knows of models beside genai-prices."""
    packaged = Table.read(PACKAGED)
    known = {
        (provider, row.id): {name: value for name, value in row.facts.items() if name != "context_window"}
        for provider in packaged.providers
        for row in packaged.rows(provider)
    }
    return lambda provider, model: known.get((provider, model), {})


def _check(found: Table, packaged: Table) -> None:
    """InputError unless every line can be read, and about as many models are known as before."""
    try:
        rows = sum(len(found.rows(provider)) for provider in found.providers)
    except HBError as error:
        raise InputError(f"the data make no table: {error}") from error
    before = sum(len(packaged.rows(provider)) for provider in packaged.providers)
    if not LEAST <= rows / before <= MOST:
        raise InputError(f"the data have {rows} models, where {before} were known: they are not taken for whole")
