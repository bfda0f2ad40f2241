"""JSON in what models write: the value in a text, whatever stands around it, and malformed objects read as meant. Pure.

What is mended never holds a letter or digit that was not written, and loses none: a guess that does is refused.
The work grows with the text and no faster, whatever a model writes: no pattern goes back over what it has read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn, Self

from heavenbase.types import unique_object

LIMIT = 200_000
"""Characters of a text that is repaired."""
CUT = "closed what was cut off"
"""The change of a text that has no end: what stood behind it, nobody knows."""
BRACKETS = 4_000
"""Brackets that the lenient reader is given."""
LOOKS = 8
"""How often it may look at each character; to mend what models write takes 1 to 7 looks."""
TRIES = 2000
"""Brackets in a text at which a value is looked for."""
READS = 16
"""How often each character is read while values are looked for."""
_SPARE = 20_000
"""What may be read, or looked at, beyond that."""
_TICKS = "```"
_BLOCK = re.compile(r"[ \t]*+[\w+-]*+[ \t]*+\r?\n")
_OPENING = re.compile(r"[{\[]")
_OBJECT = re.compile(r"\{\s*[\"'}]")
_FENCE = re.compile(r"[ \t]*+\w*+[ \t]*+\r?\n?")
_OPEN_FENCE = re.compile(r"```[ \t]*+\w*+[ \t]*+\r?\n")
# A string that is cut off goes to the end: what begins inside of it is not tried again.
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\')|["\'].*', re.DOTALL)
_BEGUN = re.compile(r"[:,\[{]\s*'")
_SYNTAX = re.compile(r'[{}\[\]":]')
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+"|".*)|,(?=\s*+[}\]])', re.DOTALL)
_NOT_A_NUMBER = re.compile(r"(?<![\w.])(?:nan|[+-]?inf(?:inity)?)(?!\w)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_PAIR = re.compile(r"\\.", re.DOTALL)
_PYTHON_ESCAPES = frozenset("\\'\"\n0abfnrtvxuUN")
_LITERALS = {"true": "true", "false": "false", "none": "null", "null": "null", "undefined": "null"}
_FAILURES = (ValueError, SyntaxError, RecursionError, MemoryError, TypeError)


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
    fenced = [found for block in _fenced(body, _BLOCK) if (found := _load(block.strip())) is not None]
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
    start, tries, left = 0, 0, READS * len(text) + _SPARE
    while tries < TRIES and left > 0 and (bracket := _OPENING.search(text, start)) is not None:
        tries += 1
        begun = bracket.start()
        try:
            value, start = decoder.raw_decode(text, begun)
        except (ValueError, RecursionError) as error:
            start = bracket.end()
            # What was read in vain is read again from the next bracket on.
            left -= error.pos - begun if isinstance(error, json.JSONDecodeError) else len(text) - begun
        else:
            yield value


def _fenced(text: str, header: re.Pattern[str]) -> Iterator[str]:
    """What stands between Markdown fences whose first line has this header."""
    start = 0
    while (start := text.find(_TICKS, start)) >= 0:
        opened = header.match(text, start + len(_TICKS))
        if opened is None:
            start += 1
            continue
        end = text.find(_TICKS, opened.end())
        if end < 0:
            return
        yield text[opened.end() : end]
        start = end + len(_TICKS)


def _load(text: str) -> tuple[Any] | None:
    try:
        return (json.loads(text, parse_constant=refuse),)
    except (ValueError, RecursionError):
        return None


def read_object(text: str) -> tuple[dict[str, Any], list[str]] | None:
    """(the object, what was changed to read it) of a text that is meant as a JSON object; None when it is unclear."""
    given = text.strip()
    body = given.lstrip("\ufeff")
    if body in ("", "null"):
        return {}, [f"{body or 'nothing at all'} was read as {{}}"]
    steps = ["removed a byte order mark"] if body != given else []
    valid = strict_object(body)
    if valid is not None:
        return valid, steps
    if len(body) > LIMIT or _NOT_A_NUMBER.search(_QUOTED.sub(_outside, body)):
        return None
    for prepare, change in _STEPS:
        prepared = prepare(body)
        if prepared is None:
            continue
        if prepared != body:
            steps.append(change)
            body = prepared
        for read, note in _READERS:
            found = read(body)
            if found is not None:
                steps += [note] if note else []
                return found, [*steps, CUT] if read is _lenient and _is_cut(body) else steps
    return None


def strict_object(text: str, strict: bool = True) -> dict[str, Any] | None:
    """The object of a valid JSON text; None for all else, also for NaN and infinite numbers.

    Without `strict` its strings may hold line breaks.
    """
    try:
        found = json.loads(text, strict=strict, parse_constant=refuse, object_pairs_hook=unique_object)
        json.dumps(found, allow_nan=False)  # a number such as 1e400 is infinite once it is read
    except _FAILURES:
        return None
    return found if isinstance(found, dict) else None


def refuse(name: str) -> NoReturn:
    """For the constants that Python's JSON has and JSON has not: ValueError."""
    raise ValueError(f"{name} is not JSON")


def _outside(quoted: re.Match[str]) -> str:
    return "" if quoted[1] else quoted[0]


# Preparing: what stands around the object


def _unquoted(text: str) -> str | None:
    """The object inside a JSON string: arguments that were encoded twice."""
    try:
        found = json.loads(text, strict=False) if text.startswith('"') else None
    except _FAILURES:
        return None
    return found.strip() if isinstance(found, str) else None


def _unfenced(text: str) -> str | None:
    if text.startswith("{"):
        return None
    blocks = [found.strip() for found in _fenced(text, _FENCE)]
    if len(blocks) == 1:
        return blocks[0]
    opened = _OPEN_FENCE.match(text) if not blocks else None
    return text[opened.end() :].strip() if opened is not None else None


def _alone(text: str) -> str | None:
    """The text from its first brace on, up to the end of the object if that can be told."""
    start = text.find("{")
    if start < 0:
        return None
    body = text[start:]
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(body)
    except _FAILURES:
        end = body.rfind("}") + 1
        # What looks like more of the object belongs to it.
        return body[:end] if end and not _SYNTAX.search(body[end:]) else body
    # A second object behind the first: which one is meant cannot be told.
    return body[:end] if "{" not in body[end:] or body[end:].strip() == body[:end].strip() else None


_STEPS: tuple[tuple[Callable[[str], str | None], str], ...] = (
    (str, ""),
    (_unquoted, "took the object out of a JSON string"),
    (_unfenced, "took away the Markdown fence"),
    (_alone, "took away the text around the object"),
)


# Reading: the object itself


def _without_commas(text: str) -> dict[str, Any] | None:
    """JSON with a comma behind the last item."""
    return strict_object(_LAST_COMMA.sub(lambda match: match[1] or "", text))


def _python(text: str) -> dict[str, Any] | None:
    """A literal of Python, which JSON can hold."""
    import ast

    if not all(escape[1] in _PYTHON_ESCAPES for escape in _PAIR.findall(text)):
        return None  # Python warns of escapes that it does not know; the lenient reader takes them
    try:
        tree = ast.parse(text, mode="eval")
        if any(isinstance(node, ast.Dict) and _repeats(node) for node in ast.walk(tree)):
            return None
        found = ast.literal_eval(tree)
        dumped = json.dumps(found, allow_nan=False)
    except _FAILURES:
        return None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        return None
    return json.loads(dumped)  # type: ignore[no-any-return]


def _lenient(text: str) -> dict[str, Any] | None:
    """Whatever json-repair makes of it, if it neither loses nor invents anything."""
    if not text.startswith("{") or text.count("{") + text.count("[") > BRACKETS:
        return None
    from json_repair import repair_json

    try:
        found: Any = repair_json(
            _Watched(text, [LOOKS * len(text) + _SPARE]), return_objects=True, skip_json_loads=True
        )
        written = json.dumps(found, ensure_ascii=False, allow_nan=False)
    except _FAILURES:
        return None
    is_same = isinstance(found, dict) and _letters(text) == _letters(written)
    return json.loads(written) if is_same else None


_item = str.__getitem__


class _Watched(str):
    """A text that may be looked at so often: the library goes back over some texts once for each character."""

    _left: list[int]

    def __new__(cls, text: str, left: list[int]) -> Self:
        made = super().__new__(cls, text)
        made._left = left
        return made

    def __getitem__(self, key: Any) -> str:
        left = self._left
        left[0] -= 1
        if left[0] < 0:
            raise ValueError("the text takes too long to mend")
        found = _item(self, key)
        if key.__class__ is not slice:
            return found
        left[0] -= len(found) // 16
        return _Watched(found, left)

    def __add__(self, other: str) -> str:
        return _Watched(super().__add__(other), self._left)


def _is_cut(text: str) -> bool:
    """Whether a text ends inside of a string or a bracket."""
    bare = _QUOTED.sub(_outside, text)
    is_open = bare.count("{") + bare.count("[") > bare.count("}") + bare.count("]")
    return is_open or '"' in bare or _BEGUN.search(bare) is not None


def _repeats(node: Any) -> bool:
    import ast

    names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    return len(set(names)) < len(names)


def _letters(text: str) -> str:
    words = re.findall(r"[^\W_]+", _ESCAPE.sub(_unescaped, text))
    return "".join(_LITERALS.get(word.lower(), word) for word in words)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code is not None:
        return chr(int(code, 16))
    return " " if match[3] in "nrtbfav" else match[3]


_READERS: tuple[tuple[Callable[[str], dict[str, Any] | None], str], ...] = (
    (strict_object, ""),
    (partial(strict_object, strict=False), "escaped line breaks inside of strings"),
    (_without_commas, "removed commas behind the last item"),
    (_python, "rewrote a Python literal as JSON"),
    (_lenient, "mended quotes, commas or brackets"),
)
