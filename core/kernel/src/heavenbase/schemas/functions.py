"""What a function takes, read from its type hints and docstring: a JSON schema, and the check of arguments against it.

pydantic does the work: it is imported on use, because it takes longer to load than all of this package.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    NotRequired,
    ParamSpecArgs,
    ParamSpecKwargs,
    Required,
    Self,
    get_args,
    get_origin,
)
from weakref import WeakKeyDictionary

from heavenbase.errors import InputError, ToolArgsError
from heavenbase.schemas.check import listed, without_nulls
from heavenbase.schemas.docstrings import read_docstring
from heavenbase.schemas.hints import Names, names_around, portable, resolve, shown, signature, unresolved, with_callers
from heavenbase.schemas.strict import tidy_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

SHOWN_ERRORS = 20
_LEFT_OUT = object()


class Signature:
    """What a function takes: `parameters` is the JSON schema, `description` the docstring's text about the function."""

    __slots__ = ("_always", "_defaults", "_fields", "_is_open", "_model", "_positional", "description", "parameters")

    def __init__(self, given: list[inspect.Parameter], doc: str | None, names: list[Names], name: str) -> None:
        self.description, described = read_docstring(doc)
        rest = next((p.annotation for p in given if p.kind is p.VAR_KEYWORD), None)
        parameters = [p for p in given if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if getattr(get_origin(rest), "_name", "") == "Unpack":  # of typing, or of typing_extensions
            try:
                parameters += _unpacked(get_args(rest)[0])
            except Exception as error:
                raise _unusable("**", rest, name, _reason(get_args(rest)[0], error)) from error
            rest = None
        self._is_open = rest is not None
        self._fields = {f"p{place}": parameter.name for place, parameter in enumerate(parameters)}
        self._defaults = {parameter.name: parameter.default for parameter in parameters}
        self._positional = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
        fields = {
            f"p{place}": (_annotation(p, described.get(p.name)), ... if p.default is p.empty else p.default)
            for place, p in enumerate(parameters)
        }
        # pydantic's way of writing a default means nothing to the function itself.
        self._always = {field for field, (_, default) in fields.items() if hasattr(default, "default_factory")}
        more = None if rest in (None, Any, object) else rest
        try:
            self._model = _make(fields, names, more)
        except Exception as whole:
            for p, (field, made) in zip(parameters, fields.items(), strict=True):
                try:
                    _make({field: made}, names)
                except Exception as error:
                    raise _unusable(p.name, p.annotation, name, _reason(p.annotation, error)) from error
            last = next((p for p in given if p.kind is p.VAR_KEYWORD), None)
            raise _unusable(last.name if last else "", rest, name, _reason(rest, whole)) from whole
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
        named.update((name, (checked.model_extra or arguments)[name]) for name in unknown)
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
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the parameters of {base!r} cannot be read ({error}); use Tool(name, description, parameters, run)"
        ) from error
    source = base if inspect.isroutine(base) else type(base).__call__
    holder = getattr(base, "__self__", None) if inspect.isroutine(base) else base
    kind = holder if isinstance(holder, type) else type(holder)
    names = names_around(source, kind)
    # An argument that a partial has fixed is not the model's to give.
    given = [p.replace(annotation=_hint(p, names, kind, base)) for p in parameters if p.name not in fixed]
    doc = inspect.getdoc(source) if source is base else source.__doc__ or type(base).__doc__
    return Signature(given, doc, names, _called(base))


def _hint(parameter: inspect.Parameter, names: list[Names], kind: type, function: Any) -> Any:
    """What the hint of a parameter of a function of this class means; InputError when that cannot be told."""
    hint = parameter.annotation
    if hint is parameter.empty:
        return Any
    try:
        found = resolve(hint, names)
    except Exception as error:
        raise _unusable(parameter.name, hint, _called(function), f"cannot be resolved ({error})") from error
    if isinstance(found, ParamSpecArgs | ParamSpecKwargs):
        reason = "says nothing of the arguments; use functools.wraps where the function is decorated"
        raise _unusable(parameter.name, hint, _called(function), reason)
    if get_origin(found) in (Final, ClassVar):  # of attributes, which models leave out
        found = get_args(found)[0]
    return portable(kind if found is Self else found)


def _called(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _unusable(name: str, hint: Any, function: str, reason: str) -> InputError:
    is_lost = reason.startswith("cannot be resolved")
    way = "let its names be known where the function is written" if is_lost else "fix it with functools.partial"
    return InputError(
        f"the hint {shown(hint)} of parameter {name!r} of {function} {reason}; {way}, or say the schema: "
        "Tool(name, description, parameters, run)"
    )


def _unpacked(table: Any) -> list[inspect.Parameter]:
    """The parameters that `**options: Unpack[table]` stands for."""
    names, made = names_around(table), []
    for name, hint in table.__annotations__.items():
        given = resolve(hint, names)
        mark: Any = get_origin(given)
        is_marked = mark in (Required, NotRequired)
        needed = mark is Required if is_marked else name in table.__required_keys__
        kind, default = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty if needed else _LEFT_OUT
        made.append(
            inspect.Parameter(name, kind, annotation=get_args(given)[0] if is_marked else given, default=default)
        )
    return made


def _reason(hint: Any, error: Exception) -> str:
    """Why a type cannot be used."""
    if inner := unresolved(hint):
        return f"cannot be resolved (in it, {inner})"
    return f"cannot be written as a JSON schema ({str(error).partition(chr(10))[0]})"


def _annotation(parameter: inspect.Parameter, described: str | None) -> Any:
    """The hint with the parameter's name as alias, for field names may not be all that parameters may, and its text."""
    from pydantic import Field

    said, hint = described, parameter.annotation
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


def _make(fields: Mapping[str, Any], names: list[Names], more: Any = None) -> type[BaseModel]:
    """The model with these fields; `more` is the type of further ones, None for no check of them."""
    from pydantic import BaseModel, ConfigDict, create_model

    base: Any = BaseModel
    if more is not None:
        space = {"__module__": __name__, "__annotations__": {"__pydantic_extra__": dict[str, more]}}
        base = type("Open", (BaseModel,), {**space, "model_config": ConfigDict(extra="allow")})
    made: type[BaseModel] = create_model("Arguments", __base__=base, **fields)
    complete(made, names)
    model_schema(made)
    return made


def complete(model: Any, names: list[Names]) -> None:
    """Let a pydantic model, or a TypeAdapter, know what the names in its hints mean, if it does not yet."""
    is_class = isinstance(model, type)
    rebuild: Any = model.model_rebuild if is_class else model.rebuild
    for known in (names[0], None):
        if model.__pydantic_complete__ if is_class else model.pydantic_complete:
            return
        rebuild(raise_errors=known is None, _types_namespace=known or with_callers(names[0]))


def class_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a pydantic model of the caller's; InputError for one that has none."""
    try:
        complete(model, names_around(model))
        return model_schema(model)
    except Exception as error:
        reason = _reason(model, error)
        raise InputError(
            f"class {model.__name__} {reason}; let its names be known where the class is written"
        ) from error


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
