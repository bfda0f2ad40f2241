"""What a function takes, read from its type hints and docstring: a JSON schema, and the check of arguments against it.

pydantic does the work: it is imported on use, because it takes longer to load than all of this package.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial, reduce
from operator import or_
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from weakref import WeakKeyDictionary

from heavenbase.errors import InputError, ToolArgsError
from heavenbase.schemas.check import listed, without_nulls
from heavenbase.schemas.docstrings import read_docstring
from heavenbase.schemas.strict import tidy_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

SHOWN_ERRORS = 20


class Signature:
    """What a function takes: `parameters` is the JSON schema, `description` the docstring's text about the function."""

    __slots__ = ("_always", "_defaults", "_fields", "_is_open", "_model", "_positional", "description", "parameters")

    def __init__(
        self, parameters: list[inspect.Parameter], hints: Mapping[str, Any], doc: str | None, *, is_open: bool
    ) -> None:
        self.description, described = read_docstring(doc)
        self._fields = {f"p{place}": parameter.name for place, parameter in enumerate(parameters)}
        self._defaults = {parameter.name: parameter.default for parameter in parameters}
        self._positional = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
        fields = {
            f"p{place}": (
                _annotation(p, portable(hints.get(p.name, Any)), described.get(p.name)),
                ... if p.default is p.empty else p.default,
            )
            for place, p in enumerate(parameters)
        }
        # pydantic's way of writing a default means nothing to the function itself.
        self._always = {field for field, (_, default) in fields.items() if hasattr(default, "default_factory")}
        self._is_open = is_open
        self._model = _model_of(fields)
        self.parameters = model_schema(self._model)

    def bind(self, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Arguments of the model as (positional, named) ones of the function, in its types; ToolArgsError otherwise."""
        from pydantic import ValidationError

        unknown = [name for name in arguments if name not in self._defaults]
        if unknown and not self._is_open:
            known = ", ".join(self._defaults) or "none"
            raise ToolArgsError(f"{', '.join(unknown)}: unexpected argument (arguments: {known})")
        try:
            checked = self._model.model_validate(without_nulls(dict(arguments), self.parameters))
        except ValidationError as error:
            raise ToolArgsError(explain(error, "arguments")) from None
        given = checked.model_fields_set | self._always
        # What the model left out keeps the function's own default.
        named = {name: getattr(checked, field) for field, name in self._fields.items() if field in given}
        named.update((name, arguments[name]) for name in unknown)
        places = [name for name in self._positional if name in named]
        if not places:
            return [], named
        last = self._positional.index(places[-1])
        return [named.pop(name, self._defaults[name]) for name in self._positional[: last + 1]], named


_KNOWN: WeakKeyDictionary[Any, dict[bool, Signature]] = WeakKeyDictionary()


def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature of a function, method, partial or callable object; InputError when it cannot be read."""
    target, is_bound = (function.__func__, True) if inspect.ismethod(function) else (function, False)
    if not inspect.isfunction(target):
        return _read(function)
    known = _KNOWN.setdefault(target, {})
    if is_bound not in known:
        known[is_bound] = _read(function)
    return known[is_bound]


def _read(function: Callable[..., Any]) -> Signature:
    base, fixed = function, frozenset[str]()
    while isinstance(base, partial):
        fixed |= base.keywords.keys()
        base = base.func
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the parameters of {base!r} cannot be read ({error}); use Tool(name, description, parameters, run)"
        ) from error
    source = base if inspect.isroutine(base) else type(base).__call__
    # An argument that a partial has fixed is not the model's to give.
    taken = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in fixed]
    is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
    doc = inspect.getdoc(source) if source is base else source.__doc__ or type(base).__doc__
    return Signature(taken, _hints(source), doc, is_open=is_open)


def _hints(function: Any) -> dict[str, Any]:
    """The resolved type hints; one that cannot be resolved is left out."""
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:
        pass
    plain = inspect.unwrap(getattr(function, "__func__", function))
    names = dict(inspect.getclosurevars(plain).nonlocals) if inspect.isfunction(plain) else {}
    found = {}
    for name, hint in getattr(plain, "__annotations__", {}).items():
        holder = type("Holder", (), {"__annotations__": {name: hint}})
        try:
            found.update(get_type_hints(holder, getattr(plain, "__globals__", {}), names, include_extras=True))
        except Exception:
            continue
    return found


def _annotation(parameter: inspect.Parameter, hint: Any, described: str | None) -> Any:
    """The hint with the parameter's name as alias, for field names may not be all that parameters may, and its text."""
    from pydantic import Field

    said = described
    if get_origin(hint) is Annotated:
        # A bare text, or PEP 727's Doc.
        notes = [getattr(note, "documentation", note) for note in hint.__metadata__]
        said = next((note for note in notes if isinstance(note, str)), said)
        if any(getattr(note, "description", None) for note in notes):
            said = None
    if getattr(parameter.default, "description", None):
        said = None
    if parameter.default is None and not _takes_none(hint):
        hint = hint | None
    name = parameter.name
    return Annotated[hint, Field(alias=name, description=said) if said else Field(alias=name)]


def _takes_none(hint: Any) -> bool:
    from pydantic import TypeAdapter

    try:
        TypeAdapter(hint).validate_python(None)
    except Exception:
        return not hasattr(hint, "__or__")
    return True


def _model_of(fields: Mapping[str, Any]) -> type[BaseModel]:
    try:
        return _make(fields)
    except Exception:
        # A type that pydantic does not know, or that JSON cannot write, is taken as it comes.
        return _make({name: _known_or_any(name, field) for name, field in fields.items()})


def _make(fields: Mapping[str, Any]) -> type[BaseModel]:
    from pydantic import create_model

    made: type[BaseModel] = create_model("Arguments", **fields)
    model_schema(made)
    return made


def _known_or_any(name: str, field: tuple[Any, Any]) -> tuple[Any, Any]:
    try:
        _make({name: field})
    except Exception:
        return Annotated[Any, field[0].__metadata__[-1]], field[1]
    return field


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a pydantic model, without titles, its references put in place where they end."""
    schema = tidy_schema(model.model_json_schema(by_alias=True, schema_generator=quiet_generator()))
    return {"type": "object", "properties": schema.pop("properties", {}), **schema}


@cache
def quiet_generator() -> Any:
    """The schema generator of pydantic, without its warnings about what JSON cannot write."""
    from pydantic.json_schema import GenerateJsonSchema

    class Quiet(GenerateJsonSchema):
        """Leaves out a default that JSON cannot write, without a warning."""

        ignored_warning_kinds = frozenset({"skipped-choice", "non-serializable-default"})  # type: ignore[assignment]

    return Quiet


def explain(error: Any, whole: str, most: int = SHOWN_ERRORS) -> str:
    """What pydantic's ValidationError says, in one line, of `most` problems; a problem of all is one of `whole`."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return listed([f"{'.'.join(map(str, item['loc'])) or whole}: {item['msg']}" for item in found], most)


def portable(hint: Any) -> Any:
    """The type with every `typing.TypedDict` in it as the twin of typing_extensions; itself on newer Pythons."""
    return hint if sys.version_info >= (3, 12) else _portable(hint, ())


def _portable(hint: Any, inside: tuple[Any, ...]) -> Any:
    if is_typeddict(hint):
        if type(hint).__module__ != "typing" or hint in inside:
            return hint if hint not in inside else Any
        return _twin(hint, (*inside, hint))
    origin, args = get_origin(hint), get_args(hint)
    if origin is None or origin is Literal or not args:
        return hint
    new = tuple(_portable(arg, inside) for arg in args)
    if all(before is after for before, after in zip(args, new, strict=True)):
        return hint
    if origin in (Union, UnionType):
        return reduce(or_, new)
    return hint.copy_with(new) if origin is not Annotated and hasattr(hint, "copy_with") else origin[new]


def _twin(hint: Any, inside: tuple[Any, ...]) -> Any:
    from typing_extensions import TypedDict

    fields = {}
    for name, given in get_type_hints(hint, include_extras=True).items():
        mark: Any = get_origin(given)
        bare = get_args(given)[0] if mark in (Required, NotRequired) else given
        if bare is given:  # the marks themselves come first: the keys are wrong where annotations are strings
            mark = Required if name in hint.__required_keys__ else NotRequired
        fields[name] = mark[_portable(bare, inside)]
    twin = TypedDict(hint.__name__, fields)  # type: ignore[misc]
    twin.__doc__ = hint.__doc__
    return twin
