"""The JSON value in the text of a model, whatever stands around it, and as far as the text has come. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError
from heavenbase.schemas.lenient import read_object, refuse
from heavenbase.types import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavenbase.structured.format import OutputFormat
    from heavenbase.types import Chunk

FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_OBJECT = re.compile(r"\{\s*[\"'}]")
TRIES = 2000
"""Brackets in a text at which a value is looked for."""
_MODE: Any = "trailing-strings"


def find_json(text: str) -> Iterator[Any]:
    """The JSON values of a text, the likeliest first: the whole, those in fences, those in prose, a mended object.

    Of several in prose the last is likeliest, because examples come before the answer. A text in <think> tags is not
    looked into. Later ways are only gone when the caller wants more values.
    """
    body = text.strip().lstrip("\ufeff")
    if body.startswith("<think>") and "</think>" in body:
        body = body.rpartition("</think>")[2].strip()
    whole = _load(body)
    if whole is not None:
        yield whole[0]
        return
    fenced = [found for block in FENCE.findall(body) if (found := _load(block.strip())) is not None]
    for found in reversed(fenced):
        yield found[0]
    yield from reversed(list(_in_prose(body)))
    begins = _OBJECT.search(body)
    mended = read_object(body[begins.start() :] if begins else body) if body else None
    if mended is not None:
        yield mended[0]


def _in_prose(text: str) -> Iterator[Any]:
    """The objects and arrays that stand in a text, in their order; what is inside of one is not told apart."""
    decoder = json.JSONDecoder(parse_constant=refuse)
    start, tries = 0, 0
    while tries < TRIES and (bracket := _OPENING.search(text, start)) is not None:
        tries += 1
        try:
            value, start = decoder.raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            start = bracket.end()
        else:
            yield value


def _load(text: str) -> tuple[Any] | None:
    try:
        return (json.loads(text, parse_constant=refuse),)
    except (ValueError, RecursionError):
        return None


@dataclass(slots=True)
class Partial(Record):
    """A structured answer as far as it has come: plain data, not checked; texts may be cut and fields missing.

    `is_complete` is True for the last one of an answer. Its checked value, in the type that was asked for, is what
    `include="structured"` gives at the end.
    """

    value: Any
    is_complete: bool = False


class PartialReader:
    """The Partials of one stream. Raises InputError without a format to read."""

    def __init__(self, wanted: OutputFormat | None) -> None:
        if wanted is None or not wanted.is_json:
            raise InputError('include="partial" needs a response_format; pass a type, a JSON schema or "json_object"')
        from pydantic_core import from_json  # on use: it takes a while to load

        self._from_json = from_json
        self._wanted = wanted
        self._restart()

    def _restart(self) -> None:
        self._text = ""
        self._start = -1
        self._last: Any = None

    def feed(self, chunk: Chunk) -> Partial | None:
        """What a chunk adds: the value as it is now, None when nothing of it changed."""
        if chunk.kind in ("restart", "round"):
            self._restart()
        if chunk.text:
            self._text += chunk.text
        value = self._wanted.unwrap(self._read()) if chunk.text else self._last
        is_complete = chunk.finish_reason is not None
        if value is None or (value == self._last and not is_complete):
            return None
        self._last = value
        return Partial(value, is_complete)

    def _read(self) -> Any:
        """The value that begins at the first bracket which begins one."""
        if self._start < 0:
            self._start = self._bracket(0)
        while self._start >= 0:
            try:
                # The text so far is one value, maybe cut off.
                return self._from_json(self._text[self._start :].encode("utf-8", "replace"), allow_partial=_MODE)
            except ValueError:
                pass
            try:
                return json.JSONDecoder().raw_decode(self._text, self._start)[0]
            except (ValueError, RecursionError):
                self._start = self._bracket(self._start + 1)
        return None

    def _bracket(self, start: int) -> int:
        found = [place for bracket in "{[" if (place := self._text.find(bracket, start)) >= 0]
        return min(found, default=-1)
