"""Values checked against JSON schemas, and the nulls taken out that only stand for a field left out. Pure.

The vocabulary is that of draft 2020-12 without what answers of models have no use for: remote and dynamic references,
`unevaluated…`, and formats.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.schemas.strict import allows_null

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check: TypeAlias = Callable[[Any, Any, "Place"], Iterator[str]]

DEPTH = 200
"""Schemas within schemas that are followed: a reference to itself ends there."""
_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "number": (int, float),
}  # fmt: skip


class Place:
    """Where in answer and schema a check stands."""

    __slots__ = ("depth", "path", "root", "schema")

    def __init__(self, schema: dict[str, Any], root: Any, path: str = "", depth: int = 0) -> None:
        self.schema, self.root, self.path, self.depth = schema, root, path, depth

    def check(self, value: Any, schema: Any, step: str | int | None = None) -> Iterator[str]:
        """The problems of a value with a schema, here or one step further down."""
        if schema is True or self.depth > DEPTH:
            return
        path = self.path if step is None else f"{self.path}.{step}" if self.path else str(step)
        if schema is False:
            yield _say(path, "is not allowed")
        elif isinstance(schema, dict):
            place = Place(schema, self.root, path, self.depth + 1)
            for keyword, wanted in schema.items():
                check = _CHECKS.get(keyword)
                if check is not None:
                    yield from check(value, wanted, place)

    def say(self, text: str) -> str:
        """A problem, with its place in the answer."""
        return _say(self.path, text)


def problems(value: Any, schema: Any) -> list[str]:
    """What keeps a value from fitting a schema, one line each with the place first; empty when it fits."""
    return list(Place({}, schema).check(value, schema))


def without_nulls(value: Any, schema: Any, root: Any = None, depth: int = 0) -> Any:
    """The value without those nulls that a schema does not allow and does not ask for either.

    Strict decoding requires every field, so a model writes null for one that it leaves out.
    """
    root = schema if root is None else root
    if depth > DEPTH or not isinstance(schema, dict) or not isinstance(value, dict | list):
        return value
    if "$ref" in schema:
        value = without_nulls(value, resolve(schema["$ref"], root), root, depth + 1)
    for inner in schema.get("allOf", ()):
        value = without_nulls(value, inner, root, depth + 1)
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        cleaned = without_nulls(value, inner, root, depth + 1)
        if not any(Place({}, root).check(cleaned, inner)):
            value = cleaned
            break
    if isinstance(value, list):
        items = schema.get("items")
        return [without_nulls(item, items, root, depth + 1) for item in value]
    properties, required = schema.get("properties", {}), schema.get("required", ())
    found = {}
    for name, item in value.items():
        inner = properties.get(name, schema.get("additionalProperties"))
        if item is None and name in properties and name not in required and not _null_fits(inner, root):
            continue
        found[name] = without_nulls(item, inner, root, depth + 1)
    return found


def resolve(reference: Any, root: Any) -> Any:
    """The schema that a reference within `root` names; True, which allows everything, for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return True
    found = root
    for part in filter(None, reference[1:].split("/")):
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return True if found is None else found


def _null_fits(schema: Any, root: Any) -> bool:
    return allows_null(schema) or not any(Place({}, root).check(None, schema))


def _say(path: str, text: str) -> str:
    return f"{path or 'the answer'} {text}"


# One function for each keyword: (value, what the schema says, place).


def _type(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if not any(_is_a(value, kind) for kind in kinds):
        yield at.say(f"must be {' or '.join(map(str, kinds))}, not {_kind(value)}")


def _is_a(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return bool(kind == "boolean")
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _KINDS.get(kind, object))


def _kind(value: Any) -> str:
    return next((kind for kind in ("integer", *_KINDS) if _is_a(value, kind)), type(value).__name__)


def _enum(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if not any(_same(value, choice) for choice in wanted):
        yield at.say(f"must be one of {', '.join(map(repr, wanted))}, not {_short(value)}")


def _const(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if not _same(value, wanted):
        yield at.say(f"must be {wanted!r}, not {_short(value)}")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _properties(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, dict):
        for name, schema in wanted.items():
            if name in value:
                yield from at.check(value[name], schema, name)


def _required(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, dict):
        for name in wanted:
            if name not in value:
                yield at.say(f"has no field {name!r}")


def _additional(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    named, patterns = at.schema.get("properties", {}), at.schema.get("patternProperties", {})
    for name, item in value.items():
        if name in named or any(_matches(pattern, name) for pattern in patterns):
            continue
        if wanted is False:
            yield at.say(f"must not have the field {name!r}")
        else:
            yield from at.check(item, wanted, name)


def _patterns(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, dict):
        for pattern, schema in wanted.items():
            for name in value:
                if _matches(pattern, name):
                    yield from at.check(value[name], schema, name)


def _names(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        yield from at.check(name, wanted, name)


def _items(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, list):
        first = len(at.schema.get("prefixItems", ()))
        for place, item in enumerate(value[first:], first):
            yield from at.check(item, wanted, place)


def _prefix(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, list):
        for place, (item, schema) in enumerate(zip(value, wanted, strict=False)):
            yield from at.check(item, schema, place)


def _contains(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, list):
        count = sum(not any(at.check(item, wanted)) for item in value)
        least, most = at.schema.get("minContains", 1), at.schema.get("maxContains", len(value))
        if not least <= count <= most:
            yield at.say(f"has {count} items of the kind of which it must have {least} to {most}")


def _unique(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if wanted and isinstance(value, list):
        for place, item in enumerate(value):
            if any(_same(item, other) for other in value[:place]):
                yield at.say(f"must not repeat {_short(item)}")
                return


def _any_of(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    found = [list(at.check(value, schema)) for schema in wanted]
    if all(found) and found:
        # The branch with the fewest problems is the likeliest to be meant.
        yield from min(found, key=len)


def _one_of(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    found = [list(at.check(value, schema)) for schema in wanted]
    if all(found) and found:
        yield from min(found, key=len)
    elif sum(not problems for problems in found) > 1:
        yield at.say("fits more than one of the alternatives, of which it must fit one")


def _all_of(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    for schema in wanted:
        yield from at.check(value, schema)


def _not(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if not any(at.check(value, wanted)):
        yield at.say(f"is what it must not be: {_short(value)}")


def _if(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    branch = "else" if any(at.check(value, wanted)) else "then"
    yield from at.check(value, at.schema.get(branch, True))


def _needs(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    for name, others in wanted.items() if isinstance(value, dict) else ():
        for other in others if name in value else ():
            if other not in value:
                yield at.say(f"has {name!r} but not {other!r}")


def _ref(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    yield from at.check(value, resolve(wanted, at.root))


def _pattern(value: Any, wanted: Any, at: Place) -> Iterator[str]:
    if isinstance(value, str) and not _matches(wanted, value):
        yield at.say(f"must match {wanted}, not be {_short(value)}")


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True  # a pattern of another dialect, which only the provider can keep


def _limit(holds: Callable[[Any, Any], bool], words: str) -> Check:
    def check(value: Any, wanted: Any, at: Place) -> Iterator[str]:
        if isinstance(value, int | float) and not isinstance(value, bool) and not holds(value, wanted):
            yield at.say(f"must be {words} {wanted}, not {value}")

    return check


def _length(kind: type, holds: Callable[[int, Any], bool], words: str) -> Check:
    def check(value: Any, wanted: Any, at: Place) -> Iterator[str]:
        if isinstance(value, kind) and not holds(len(value), wanted):  # type: ignore[arg-type]
            yield at.say(f"must have {words.format(wanted)}, not {len(value)}")  # type: ignore[arg-type]

    return check


def _is_multiple(value: float, step: float) -> bool:
    if not step:
        return True
    ratio = value / step
    return abs(ratio - round(ratio)) < 1e-9


_CHECKS: dict[str, Check] = {
    "type": _type, "enum": _enum, "const": _const, "properties": _properties, "required": _required,
    "additionalProperties": _additional, "patternProperties": _patterns, "propertyNames": _names, "items": _items,
    "prefixItems": _prefix, "contains": _contains, "uniqueItems": _unique, "anyOf": _any_of, "oneOf": _one_of,
    "allOf": _all_of, "not": _not, "if": _if, "dependentRequired": _needs, "$ref": _ref, "pattern": _pattern,
    "minimum": _limit(lambda v, w: v >= w, "at least"),
    "maximum": _limit(lambda v, w: v <= w, "at most"),
    "exclusiveMinimum": _limit(lambda v, w: v > w, "more than"),
    "exclusiveMaximum": _limit(lambda v, w: v < w, "less than"),
    "multipleOf": _limit(_is_multiple, "a multiple of"),
    "minLength": _length(str, lambda v, w: v >= w, "at least {} characters"),
    "maxLength": _length(str, lambda v, w: v <= w, "at most {} characters"),
    "minItems": _length(list, lambda v, w: v >= w, "at least {} items"),
    "maxItems": _length(list, lambda v, w: v <= w, "at most {} items"),
    "minProperties": _length(dict, lambda v, w: v >= w, "at least {} fields"),
    "maxProperties": _length(dict, lambda v, w: v <= w, "at most {} fields"),
}  # fmt: skip
