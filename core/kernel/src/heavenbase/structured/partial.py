"""Objects that are still being written: the growing value of a streamed answer, as far as its text has come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError
from heavenbase.types import Record

if TYPE_CHECKING:
    from heavenbase.structured.format import OutputFormat
    from heavenbase.types import Chunk


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


_MODE: Any = "trailing-strings"
