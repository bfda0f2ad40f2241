"""The table of models: one file, a line of JSON for each provider, of which only the lines that are asked for are read.

The first line says where the table is from and of which day. Each further line is a provider: its name in the source,
others whose rows it has too, and its rows. A row has the ways to name a model (`matching`), its prices in order, later
ones first where they are in force, what the price of another service is, and facts by the names of hb's abilities.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hb_prices.matching import Alternative, matches, spellings
from heavenbase.errors import ConfigError

VERSION = 1
_PROVIDER = re.compile(r'\{"provider":"([^"\\]*)"')
_REMEMBERED = 1024


class Header(NamedTuple):
    """What a table says of itself: `date` is the ISO day of its prices."""

    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Row:
    """A model at a provider. `prices` and `variants` are as in the file; `facts` are hb's abilities."""

    id: str
    match: tuple[Alternative, ...]
    prices: tuple[Mapping[str, Any], ...] = ()
    variants: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    date: str | None = None


class Table:
    """A table that was read from a file; may be shared between threads."""

    def __init__(self, text: str, name: str = "the table of prices") -> None:
        first, _, rest = text.partition("\n")
        self.name = name
        self.header = _header(first, name)
        self._lines: dict[str, str] = {}
        for line in rest.splitlines():
            found = _PROVIDER.match(line)
            if found is None:
                raise ConfigError(f"{name}: a line is no provider; refresh it with `hb prices refresh`")
            self._lines[found[1]] = line
        self._read: dict[str, tuple[tuple[str, ...], tuple[Row, ...]]] = {}
        self._found: dict[tuple[str, str, bool], Row | None] = {}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Table:
        """The table in a file; ConfigError where there is none, or it is none."""
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            problem = ConfigError(f"{os.fspath(path)}: the table of prices cannot be read: {reason}")
        else:
            return cls(text, os.fspath(path))
        raise problem

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the providers, as the source has them."""
        return tuple(self._lines)

    def find(self, provider: str, model_id: str, *, exact: bool = False) -> Row | None:
        """The row of a model, by the source's name of its provider and the provider's id; None for an unknown one."""
        key = (provider, model_id, exact)
        if key not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = self._find(*key)
        return self._found[key]

    def rows(self, provider: str) -> tuple[Row, ...]:
        """All rows of a provider of the source."""
        return self._of(provider)[1]

    def _find(self, provider: str, model_id: str, exact: bool) -> Row | None:
        for name in spellings(model_id):
            for place in (provider, *self._of(provider)[0]):
                for row in self._of(place)[1]:
                    if name == row.id.lower() or matches(row.match, name, exact=exact):
                        return row
        return None

    def _of(self, provider: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
        if provider not in self._read:
            line = self._lines.get(provider)
            self._read[provider] = ((), ()) if line is None else self._parsed(line)
        return self._read[provider]

    def _parsed(self, line: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
        try:
            held = json.loads(line)
            return tuple(held.get("also", ())), tuple(self._row(row) for row in held["models"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problem = ConfigError(f"{self.name}: a line cannot be read ({type(error).__name__}); refresh it")
        raise problem

    def _row(self, held: Mapping[str, Any]) -> Row:
        return Row(
            held["id"],
            tuple(held["match"]),
            tuple(held.get("prices", ())),
            tuple(held.get("variants", ())),
            held.get("facts", {}),
            self.header.source,
            self.header.date,
        )


def _header(line: str, name: str) -> Header:
    try:
        held = json.loads(line)
        if held["version"] != VERSION:
            raise ValueError
        found = Header(str(held["source"]), str(held["date"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        problem = ConfigError(f"{name}: it is no table of prices of this release; make one with `hb prices refresh`")
    else:
        return found
    raise problem


def written(header: Header, providers: Iterator[Mapping[str, Any]]) -> str:
    """The text of a table with these providers."""
    lines = [{"version": VERSION, "source": header.source, "date": header.date}, *providers]
    return "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
