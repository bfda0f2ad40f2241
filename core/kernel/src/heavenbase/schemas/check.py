"""Values checked against JSON schemas, and the nulls taken out that only stand for a field left out.

jsonschema-rs decides what fits, and says what does not. Nothing is ever fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.errors import InputError
from heavenbase.schemas.strict import allows_null

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

Path: TypeAlias = tuple[str | int, ...]
"""Keys and places that lead from the root of a value or a schema to a part of it."""

DEPTH = 200
"""Values nested deeper are refused: the stack would not hold what looks at them."""
ALTERNATIVES = 60
"""Alternatives within alternatives of which the likeliest is looked for."""
LONGEST = 200
"""Characters that are told of a problem: the library shows values whole."""
KEPT = 128
"""Compiled schemas that are kept."""
_ROOT = "heavenbase:schema"
_DRAFT = "https://json-schema.org/"
_DRAFTS = re.compile(r"https?://json-schema\.org/")
_UNIONS = ("anyOf", "oneOf")
_SCHEMAS = ("properties", "dependentSchemas", "$defs", "definitions", "prefixItems", "allOf", *_UNIONS)
"""Keywords that hold schemas by name or by place."""
_MENDED = 100


def problems(value: Any, schema: Any) -> list[str]:
    """What keeps a value from fitting a schema, one line each with the place first; empty when it fits.

    Raises InputError for a schema that cannot be used: it has a reference that leads out of it, or to nothing, is no
    JSON, or is nested too deep.
    """
    return checker_of(schema).problems(value)


def listed(problems: list[str], most: int) -> str:
    """Problems in one line, of which `most` are told."""
    more = len(problems) - most
    return "; ".join([*problems[:most], f"and {more} more"] if more > 0 else problems)


def without_nulls(value: Any, schema: Any) -> Any:
    """The value without those nulls that a schema does not allow and does not ask for either.

    Strict decoding requires every field, so a model writes null for one that it leaves out.
    """
    levels = list(_levels(value))
    if len(levels) > DEPTH or not any(item is None for level in levels for item in level):
        return value
    return _Cleaner(checker_of(schema)).clean(value, (), 0)


def tries(value: Any, schema: Any) -> float:
    """How many parts of a value are looked at by who tries each alternative of a schema whole, as pydantic does.

    It grows exponentially where alternatives stand within alternatives; infinitely many for a value nested too deeply.
    """
    return _Tries(checker_of(schema)).of(value, (), 0)


def checker_of(schema: Any) -> Checker:
    """The compiled schema, kept for the next value; InputError for one that cannot be used, see `problems`."""
    try:
        text = _as_text(schema)
    except (TypeError, ValueError, RecursionError) as error:  # the last for what is nested deeper than Python's stack
        raise InputError(f"the JSON schema cannot be used: it cannot be written as JSON ({error})") from None
    return _compiled(text)


@lru_cache(KEPT)
def _compiled(text: str) -> Checker:
    return Checker(json.loads(text))


def _as_text(value: Any) -> str:
    """JSON that the checker takes: half a surrogate pair becomes a question mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


class Checker:
    """One schema, compiled.

    `documents` are further schemas by their address, which `$ref` may name. Raises InputError for a reference to
    anything else, because a schema never makes hb fetch a file or an address, and for what cannot be compiled.
    """

    def __init__(self, schema: Any, documents: Mapping[str, Any] | None = None) -> None:
        import jsonschema_rs as library  # on use: it takes 10 MB

        dialect = str(schema.get("$schema", _DRAFT)) if isinstance(schema, dict) else _DRAFT
        if not _DRAFTS.match(dialect) and dialect not in (documents or ()):
            schema = {key: value for key, value in schema.items() if key != "$schema"}  # a dialect of somebody's own
        self.schema = schema
        self._documents = [*(documents or {}).items()]
        self._parts: dict[tuple[Path, bool], Validator] = {}
        for _ in range(_MENDED):
            try:
                self._part(())
            except library.ValidationError as error:
                # A pattern of another dialect, whose place is where the schema has it, and other odd parts.
                wrong = error.schema_path if error.kind.name == "format" else error.instance_path
                if error.kind.name == "$ref" or not wrong:
                    raise InputError(f"the JSON schema cannot be used: {error.message}") from None
                try:
                    self.schema = _without(self.schema, wrong)  # left to the provider
                except (LookupError, TypeError):  # the place is one of another document
                    raise InputError(f"the JSON schema cannot be used: {error.message}") from None
            except ValueError as error:  # nested too deep for the library, or no schema at all
                raise InputError(f"the JSON schema cannot be used: {error}") from None
            else:
                return
        raise InputError("the JSON schema cannot be used: too much of it is not as JSON Schema defines it")

    def fits(self, value: Any, at: Path = ()) -> bool:
        """Whether a value fits the schema, or the part of it at a path."""
        return self._part(at).is_valid(value)

    def problems(self, value: Any) -> list[str]:
        """What keeps a value from fitting the schema, one line each with the place first; empty when it fits."""
        if sum(1 for _ in _levels(value)) > DEPTH:
            return [_say((), f"is nested deeper than {DEPTH}")]
        try:
            fits = self.fits(value)
        except ValueError:  # half a surrogate pair, or a key that is no text
            value = json.loads(_as_text(value))
            fits = self.fits(value)
        if fits:
            return []
        with suppress(ValueError):  # nested so deeply that the library checks it, but does not say what is wrong
            if found := list(self._tell(value, (), (), 0)):
                return found
        return [_say((), "does not fit the schema")]

    def at(self, path: Path) -> Any:
        """What stands at a path of the schema; None where nothing does."""
        found = self.schema
        for step in path:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def _tell(self, value: Any, at: Path, place: Path, depth: int) -> Iterator[str]:
        for error in self._part(at, stops=True).iter_errors(value):
            here = (*place, *error.instance_path)
            if error.kind.name in _UNIONS:
                yield from self._tell_alternatives(error.instance, (*error.schema_path,), here, depth)
            else:
                yield _say(here, error.message)

    def _tell_alternatives(self, value: Any, at: Path, place: Path, depth: int) -> Iterator[str]:
        branches = [(*at, number) for number in range(len(self.at(at)))]
        if any(self.fits(value, branch) for branch in branches):
            yield _say(place, "fits more than one of the alternatives, of which it must fit one")
        elif depth >= ALTERNATIVES:
            yield _say(place, "fits none of the alternatives")
        else:
            found = {branch: list(self._part(branch, stops=True).iter_errors(value)) for branch in branches}
            # An alternative of another type is the last to be meant, then the one with the most problems.
            meant = min(found, key=lambda branch: (any(map(_is_of_other_type, found[branch])), len(found[branch])))
            yield from self._tell(value, meant, place, depth + 1)

    def _part(self, at: Path, *, stops: bool = False) -> Validator:
        """The schema or a part of it, compiled. One that `stops` at alternatives says that none fits, but not why.

        Else each alternative brings the reasons of all alternatives within it, which grow exponentially.
        """
        found = self._parts.get((at, stops))
        if found is None:
            from jsonschema_rs import Registry, validator_cls_for

            whole = self.schema
            part = {"$ref": _ROOT + "#" + "".join(map(_pointer, at))} if at else whole
            unions: Any = dict.fromkeys(_UNIONS, partial(_Union, self)) if stops else None
            make = validator_cls_for(whole if isinstance(whole, dict) else {})
            try:
                documents = Registry([*self._documents, (_ROOT, whole)]) if at or self._documents else None
                found = make(part, registry=documents, offline=True, validate_formats=False, keywords=unions)
            except ValueError as error:
                if not at:
                    raise
                raise InputError(f"the JSON schema cannot be used: {error}") from None
            self._parts[at, stops] = found
        return found


class _Union:
    """Alternatives as the library calls them when it stops there: whether one fits, and only one of `oneOf`."""

    def __init__(self, checker: Checker, parent: Any, branches: list[Any], path: list[str | int]) -> None:
        # Within an embedded document the path begins at that document, and leads elsewhere.
        count = len(branches) if checker.at((*path,)) == branches else 0
        self._checker, self._branches = checker, [(*path, number) for number in range(count)]
        self._most = 1 if path[-1] == "oneOf" else count

    def validate(self, value: Any) -> None:
        """Raise ValueError when too few or too many of the alternatives fit."""
        if self._branches:
            fitting = sum(self._checker.fits(value, branch) for branch in self._branches)
            if not 1 <= fitting <= self._most:
                raise ValueError


class _Walk:
    """A way through one value along a schema; each part of it is looked at once for each part of the schema."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._known: dict[tuple[int, Path], Any] = {}

    def _branches(self, schema: dict[str, Any], at: Path) -> list[Path]:
        return [(*at, name, number) for name in _UNIONS for number in range(len(schema.get(name, ())))]

    def _target(self, reference: Any) -> Path | None:
        """Where a reference within the schema leads."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        steps: list[str | int] = []
        for step in filter(None, reference[1:].split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            steps.append(int(name) if isinstance(self._checker.at((*steps,)), list) and name.isdecimal() else name)
        return tuple(steps)


class _Tries(_Walk):
    """Counts what `tries` says."""

    def of(self, value: Any, at: Path, depth: int) -> float:
        """For the part of the schema at a path."""
        schema = self._checker.at(at)
        if not isinstance(schema, dict) or not isinstance(value, dict | list):
            return 1.0
        if depth > DEPTH:
            return float("inf")
        if (id(value), at) not in self._known:
            target = self._target(schema.get("$ref"))
            same = [*([target] if target is not None else []), *self._branches(schema, at)]
            same += [(*at, "allOf", number) for number in range(len(schema.get("allOf", ())))]
            properties = schema.get("properties", {})
            parts = (
                [((*at, "items"), item) for item in value]
                if isinstance(value, list)
                else [
                    ((*at, "properties", name) if name in properties else (*at, "additionalProperties"), item)
                    for name, item in value.items()
                ]
            )
            deeper = [*((path, value) for path in same), *parts]
            self._known[id(value), at] = 1.0 + sum(self.of(item, path, depth + 1) for path, item in deeper)
        return float(self._known[id(value), at])


class _Cleaner(_Walk):
    """Takes the nulls out of one value."""

    def clean(self, value: Any, at: Path, depth: int) -> Any:
        """The value without the nulls that the part of the schema at a path has no use for."""
        schema = self._checker.at(at)
        # References count too, about one for each level of the value.
        if depth > 2 * DEPTH or not isinstance(schema, dict) or not isinstance(value, dict | list):
            return value
        if (id(value), at) not in self._known:
            # The value is kept beside what came of it, so that no other gets its number.
            self._known[id(value), at] = value, self._clean(value, schema, at, depth + 1)
        return self._known[id(value), at][1]

    def _clean(self, value: Any, schema: dict[str, Any], at: Path, depth: int) -> Any:
        target = self._target(schema.get("$ref"))
        if target is not None:
            value = self.clean(value, target, depth)
        for number in range(len(schema.get("allOf", ()))):
            value = self.clean(value, (*at, "allOf", number), depth)
        for branch in self._branches(schema, at):
            cleaned = self.clean(value, branch, depth)
            if self._checker.fits(cleaned, branch):
                value = cleaned
                break
        if isinstance(value, list):
            return [self.clean(item, (*at, "items"), depth) for item in value]
        properties, required = schema.get("properties", {}), schema.get("required", ())
        found = {}
        for name, item in value.items():
            inner = (*at, "properties", name) if name in properties else (*at, "additionalProperties")
            is_left_out = item is None and name in properties and name not in required
            if is_left_out and not allows_null(self._checker.at(inner)) and not self._checker.fits(None, inner):
                continue
            found[name] = self.clean(item, inner, depth)
        return found


def _levels(value: Any) -> Iterator[list[Any]]:
    """The parts of a value, those of one depth together; no more than the checker takes."""
    level = [value]
    for _ in range(DEPTH + 2):
        yield level
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list | tuple):
                deeper.extend(item)
        if not deeper:
            return
        level = deeper


def _without(schema: Any, path: list[str | int]) -> Any:
    """A copy of a schema in which what stands at a path checks nothing."""
    copy = json.loads(json.dumps(schema))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    *_, last = path
    if len(path) > 1 and path[-2] in _SCHEMAS:
        inner[last] = True
    else:
        del inner[last]
    return copy


def _pointer(step: str | int) -> str:
    from urllib.parse import quote

    return "/" + quote(str(step).replace("~", "~0").replace("/", "~1"))


def _is_of_other_type(error: ValidationError) -> bool:
    return error.kind.name == "type" and not error.instance_path


def _say(place: Path, text: str) -> str:
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{'.'.join(map(str, place)) or 'the answer'}: {shown}"
