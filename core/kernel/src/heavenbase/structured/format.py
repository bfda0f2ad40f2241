"""What callers pass as `response_format`, turned into one OutputFormat: a JSON schema to ask for, and its readers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from heavenbase.errors import InputError, InputTypeError, MissingPackage, StructuredOutputError, UnknownNameError
from heavenbase.schemas.check import checker_of, listed, problems, tries, without_nulls
from heavenbase.schemas.lenient import find_json
from heavenbase.schemas.strict import strict_schema, tidy_schema, types_of
from heavenbase.types import Chunk, Completion, Record

if TYPE_CHECKING:
    from pydantic import TypeAdapter


Kind: TypeAlias = Literal["text", "json_object", "json_schema", "other"]

WORDS = ("text", "json_object", "json_schema")
SHOWN = 10
"""Problems of an answer that are told."""
WRAP = "value"
"""The field that holds an answer which is no object: the wires want an object outermost."""
_SCHEMA_KEYS = frozenset({"properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "items", "$defs"})
_SCHEMA_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_OPENING = re.compile(r"[{\[]")
_PARTIAL: Any = "trailing-strings"
SHARE = 32
"""Of a growing answer one part in so many must be new for it to be read again."""
FIRST = 1024
"""Characters by which it is told whether a bracket begins a value."""
READS = 200
"""How often each character of a growing answer is read in vain, while the bracket is looked for that begins it."""
TRIES = 50_000
"""Parts of an answer at which pydantic may look, alternative by alternative; it takes a microsecond for each."""
TOO_DEEP = (
    "the answer nests alternatives of the type too deeply to try them all; give the union a discriminator, "
    "as in Annotated[A | B, Field(discriminator='kind')]"
)
_BAD_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(slots=True, eq=False, repr=False)
class OutputFormat:
    """The form that an answer must have.

    `kind` is "json_schema", "json_object", "text", or "other" for a form of a provider's own; `name` and `schema` are
    the declared JSON schema (None for other kinds), `wire` is it in the shape of OpenAI's wire. `adapter` checks
    answers by the type that the caller asked for, in which `read` gives the value; `wrapped` says that it is a field of
    an object, which the wires want outermost, `guesses` that the type has alternatives which only trying tells apart.
    """

    kind: Kind
    wire: dict[str, Any]
    _: KW_ONLY
    name: str = ""
    schema: dict[str, Any] | None = None
    adapter: TypeAdapter[Any] | None = None
    wrapped: bool = False
    guesses: bool = False

    def __repr__(self) -> str:
        return f"OutputFormat({self.kind!r}, name={self.name!r})"

    @property
    def is_json(self) -> bool:
        """Whether the answer is a JSON value that can be read and checked."""
        return self.kind in ("json_object", "json_schema")

    def compile(self) -> None:
        """Make the answer's checker ready; InputError for a schema with a reference that cannot be followed."""
        if self.schema is not None and self.adapter is None:
            checker_of(self.schema)

    def read(self, text: str) -> Any:
        """The value of an answer's text; StructuredOutputError with what is wrong when it does not fit."""
        reason = "" if text.strip() else "the answer is empty"
        for found in find_json(text):
            try:
                return self.convert(found)
            except ValueError as error:
                reason = reason or str(error)
        raise StructuredOutputError(reason or "the answer holds no JSON")

    def value_of(self, answer: Completion) -> Any:
        """The value of an answer, None where it calls tools instead; StructuredOutputError when it does not fit."""
        return self.read(answer.text) if self.is_json and not answer.tool_calls else answer.structured

    def convert(self, value: Any) -> Any:
        """A JSON value in the type that the caller asked for; ValueError with what is wrong when it does not fit."""
        if self.kind == "json_object" and not isinstance(value, dict):
            raise ValueError(f"the answer is {type(value).__name__}, not a JSON object")
        schema = self.schema
        if schema is None:
            return value
        if self.wrapped and not (isinstance(value, dict) and value.keys() == {WRAP}):
            value = {WRAP: value}  # a model that was told the schema in words may leave the wrapping out
        value = without_nulls(value, schema)
        if self.adapter is None and (wrong := problems(value, schema)):
            raise ValueError(listed(wrong, SHOWN))
        inner = value[WRAP] if self.wrapped else value
        if self.guesses and tries(value, schema) > TRIES:
            raise ValueError(listed(problems(value, schema), SHOWN) or TOO_DEEP)
        return inner if self.adapter is None else _validate(self.adapter, inner)

    def unwrap(self, value: Any) -> Any:
        """A value that may still be growing, without the wrapping; None when its beginning has not come."""
        return value.get(WRAP) if self.wrapped and isinstance(value, dict) else value


def to_format(source: Any) -> OutputFormat:
    """The OutputFormat of a `response_format`.

    That is a pydantic model, dataclass, TypedDict or any other type that pydantic knows; a JSON schema; a dictionary of
    OpenAI's wire; or one of the words text and json_object. InputError for a schema that is none, or cannot be made.
    """
    if isinstance(source, OutputFormat):
        return source
    if isinstance(source, str):
        if source not in WORDS[:2]:
            raise UnknownNameError("response_format", source, WORDS[:2])
        return OutputFormat("text" if source == "text" else "json_object", {"type": source})
    if isinstance(source, Mapping):
        try:
            return _of_mapping(dict(source))
        except (AttributeError, LookupError, RecursionError, TypeError) as error:  # keywords of other types than theirs
            raise InputError(f"the JSON schema of response_format cannot be used: {error}") from None
    if hasattr(source, "model_dump") or (is_dataclass(source) and not isinstance(source, type)):
        if not isinstance(source, type):
            name = type(source).__name__
            raise InputTypeError(f"response_format is an object of {name}; pass the class itself")
    elif isinstance(source, bool | int | float | bytes | list | tuple | set):
        raise InputTypeError(
            f"response_format must be a type, a JSON schema or a wire dictionary, not {type(source).__name__}"
        )
    try:
        return _of_type(source)
    except TypeError:  # what cannot be hashed cannot be kept
        return _of_type.__wrapped__(source)


def _of_mapping(source: dict[str, Any]) -> OutputFormat:
    kind = source.get("type")
    if kind in ("text", "json_object"):
        return OutputFormat(kind, source)
    if kind == "json_schema":
        inner = source.get("json_schema", source)
        schema = inner.get("schema") if isinstance(inner, Mapping) else None
        if not isinstance(schema, Mapping):
            raise InputError(
                'response_format of the type json_schema needs {"json_schema": {"name": …, "schema": {…}}}'
            )
        name = _name(inner.get("name") or schema.get("title"))
        described = {key: value for key, value in inner.items() if key != "type"}
        wire = {"type": "json_schema", "json_schema": {**described, "name": name}}
        return OutputFormat("json_schema", wire, name=name, schema=dict(schema))
    if _is_schema(source):
        return _of_schema(source, _name(source.get("title")))
    if isinstance(kind, str) and len(source) > 1:
        return OutputFormat("other", source)
    if isinstance(kind, str):
        raise UnknownNameError("type of response_format", kind, WORDS)
    raise InputError(
        "response_format is neither a JSON schema (it needs a type or properties) nor one of OpenAI's wire"
    )


def _is_schema(source: Mapping[str, Any]) -> bool:
    kinds = types_of(source)
    return bool(kinds and _SCHEMA_TYPES.issuperset(kinds)) or (not kinds and not _SCHEMA_KEYS.isdisjoint(source))


@lru_cache(maxsize=256)
def _of_type(source: Any) -> OutputFormat:
    try:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError as error:
        raise MissingPackage("response_format as a type needs pydantic: pip install pydantic") from error
    from heavenbase.schemas.functions import complete, quiet_generator
    from heavenbase.schemas.hints import names_around, portable, resolve, unresolved

    name = _name(getattr(source, "__name__", None))
    try:
        names = names_around(source)
        adapter: TypeAdapter[Any] = TypeAdapter(portable(resolve(source, names)))
        complete(adapter, names)
        schema = adapter.json_schema(by_alias=True, schema_generator=quiet_generator())
    except (PydanticUserError, TypeError, NameError) as error:
        inner = unresolved(source)
        shown = f"{inner} cannot be resolved" if inner else str(error).partition("\n")[0]
        raise InputError(f"response_format {name!r} cannot be written as a JSON schema: {shown}") from None
    if "$ref" in schema:  # the root of a type that contains itself
        schema = {**schema["$defs"][schema["$ref"].rpartition("/")[2]], "$defs": schema["$defs"]}
    return _of_schema(tidy_schema(schema), name, adapter, guesses=_has_unions(adapter.core_schema))


def _has_unions(core: Any) -> bool:
    """Whether pydantic tries alternatives: unions with a discriminator and optional values are of other types."""
    seen: set[int] = set()
    left = [core]
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            if node.get("type") == "union":
                return True
            left += node.values()
        elif isinstance(node, list | tuple):
            left += node
    return False


def _of_schema(
    schema: dict[str, Any], name: str, adapter: TypeAdapter[Any] | None = None, *, guesses: bool = False
) -> OutputFormat:
    wrapped = schema.get("type") != "object" and "properties" not in schema
    if wrapped:
        shared: dict[str, Any] = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        inner = {key: value for key, value in schema.items() if key not in shared}
        schema = {"type": "object", "properties": {WRAP: inner}, "required": [WRAP], **shared}
    strict = strict_schema(schema)
    described = {"name": name, "schema": schema if strict is None else strict, "strict": strict is not None}
    wire = {"type": "json_schema", "json_schema": described}
    return OutputFormat(
        "json_schema", wire, name=name, schema=schema, adapter=adapter, wrapped=wrapped, guesses=guesses
    )


def _validate(adapter: TypeAdapter[Any], value: Any) -> Any:
    from pydantic import ValidationError

    from heavenbase.schemas.functions import explain

    try:
        # As JSON, where strict models take text for dates and arrays for tuples.
        return adapter.validate_json(json.dumps(value))
    except ValidationError as error:
        raise ValueError(explain(error, "the answer", SHOWN)) from None


def _name(given: Any) -> str:
    """A name as the wires allow it."""
    return _BAD_NAME.sub("_", str(given))[:64].strip("_") or "answer" if given else "answer"


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
        self._pieces: list[str] = []
        self._size = self._due = self._spent = 0
        self._text = ""
        self._start = -1
        self._last: Any = None

    def feed(self, chunk: Chunk) -> Partial | None:
        """What a chunk adds: the value as it is now, None when nothing of it changed."""
        if chunk.kind in ("restart", "round"):
            self._restart()
        is_complete = chunk.finish_reason is not None
        if chunk.text:
            self._pieces.append(chunk.text)
            self._size += len(chunk.text)
        value = self._last
        if self._pieces and (is_complete or self._size >= self._due):
            self._text += "".join(self._pieces)
            self._pieces.clear()
            # A long text is read again when a share of it is new, so that all of it is read a bounded number of times.
            self._due = self._size + max(self._size - FIRST, 0) // SHARE
            value = self._wanted.unwrap(self._read())
        if value is None or (value == self._last and not is_complete):
            return None
        self._last = value
        return Partial(value, is_complete)

    def _read(self) -> Any:
        """The value that begins at the first bracket which begins one."""
        if self._start < 0:
            self._start = self._bracket(0)
        while self._start >= 0 and self._spent <= READS * len(self._text):
            # The text so far is one value, maybe cut off; no value begins as the text does where its first part is bad.
            for size in (FIRST, None) if self._size > 2 * FIRST else (None,):
                part = self._text[self._start : size and self._start + size].encode("utf-8", "replace")
                try:
                    value = self._from_json(part, allow_partial=_PARTIAL)
                except ValueError:
                    break
            else:
                return value
            try:
                return json.JSONDecoder().raw_decode(self._text, self._start)[0]
            except (ValueError, RecursionError):
                self._spent += len(part)
                self._start = self._bracket(self._start + 1)
        return None

    def _bracket(self, start: int) -> int:
        found = _OPENING.search(self._text, start)
        return -1 if found is None else found.start()
