"""Which row of the table a provider's id of a model means: its own, under a date or a place, and never a relative's.

A row has alternatives: a text, or a list of texts that must all fit. The first character of a text says how:

    =gpt-5.5            the id
    ^claude-haiku-4-5   how it begins; behind it may come a date or a version, no other word
    *claude-3-haiku     what it holds; before it may come a place too
    $claude-opus-5      how it ends
    ~^grok-4\\.5-\\d{8}$  a regular expression
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Alternative: TypeAlias = str | Sequence[str]
KINDS = "=^*$~"
LONGEST = 300
"""Characters of an id that is looked for at all."""

_DATE = r"20\d\d-\d\d-\d\d|\d\d-20\d\d|\d\d-\d\d|\d{3,8}"
_VERSION = re.compile(
    rf"(?::\d+k|[-@._:]?(?:{_DATE})|[-@:](?:latest|preview|exp|experimental|v\d+)|:\d+)*+(?P<own>[:.].*)?"
)
"""What may stand behind a model's name: dates and versions of three digits or more, as another generation has fewer.

Nothing is taken back (`*+`): a long number could be cut in ways beyond count.
"""
_PLACE = re.compile(
    r"(?:arn:aws[\w-]*:bedrock:[\w-]*:\d*:(?:foundation-model|inference-profile)/)?(?:[\w.-]+/)*"
    r"(?:(?:us|eu|apac|jp|au|ca|in|us-gov|global)\.)?(?:[a-z]+\.)?"
)
"""What may stand before it: a path, a region, a maker."""
_COMPACT = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])([0-2]\d|3[01])(?=[-:]|$)")


def spellings(model_id: str) -> Iterable[str]:
    """The ways in which an id may be written: as it is, and with dashes in its date."""
    name = model_id.lower()
    if len(name) <= LONGEST:
        yield name
        dashed = _COMPACT.sub(r"-\1-\2-\3", name)
        if dashed != name:
            yield dashed


def matches(alternatives: Iterable[Alternative], name: str, *, exact: bool = False) -> bool:
    """Whether an id, in lower case, is one of a row's; `exact` is for names that users choose, such as deployments."""
    return any(
        _fits(each, name, exact) if isinstance(each, str) else all(_fits(part, name, exact) for part in each)
        for each in alternatives
    )


def _fits(text: str, name: str, exact: bool) -> bool:
    kind, wanted = text[0], text[1:]
    if kind == "=":
        return name == wanted
    if exact:
        return False
    if kind == "~":
        return re.search(wanted, name) is not None
    if kind == "^":
        return name.startswith(wanted) and is_version(name[len(wanted) :], wanted)
    if kind == "$":
        return name.endswith(wanted) and _is_place(name[: -len(wanted)])
    before, found, after = name.partition(wanted)
    return bool(found) and _is_place(before) and is_version(after, wanted)


def is_version(rest: str, before: str = "") -> bool:
    """Whether what stands behind a name only says which issue of the same model it is."""
    if rest[:1].isdigit():  # the name was cut inside a date, or inside a number
        tail = before[len(before.rstrip("0123456789")) :]
        rest = tail + rest
        if not re.match(r"\d{3}" if tail else _DATE, rest):
            return False
    found = _VERSION.fullmatch(rest)
    # What users call a model that they have tuned stands behind its name.
    return found is not None and (found["own"] is None or before.startswith("ft:") or before.endswith(".ft-"))


def _is_place(text: str) -> bool:
    return _PLACE.fullmatch(text) is not None
