"""The JSON value in the text of a model, whatever stands around it. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from heavenbase.schemas.lenient import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_OBJECT = re.compile(r"\{\s*[\"'}]")
TRIES = 2000
"""Brackets in a text at which a value is looked for."""


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
    decoder = json.JSONDecoder(parse_constant=_refuse)
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
        return (json.loads(text, parse_constant=_refuse),)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
