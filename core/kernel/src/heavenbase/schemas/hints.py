"""Type hints as they are meant: names in strings are found where a function or class was written, and where it is used.

pydantic is imported on use.
"""

from __future__ import annotations

import builtins
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from types import FrameType, FunctionType, ModuleType, UnionType
from typing import (
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

Names = dict[str, Any]
_LOCAL = "<locals>"
_TYPING = ("typing", "typing_extensions")
_OURS = ("heavenbase", "hb_cli")


def names_around(owner: Any, outer: Any = None) -> list[Names]:
    """What the names in the hints of a function or class mean, the likeliest meaning first.

    Names are those of its class and of `outer` (the class whose object it is bound to), of its closure, of the
    functions that it stands in as long as they run, and of its module. The second meaning leaves out what is no type,
    for a variable may have the name of one.
    """
    written = inspect.unwrap(owner) if inspect.isroutine(owner) else owner
    written = getattr(written, "__func__", written)
    module = getattr(written, "__globals__", None) or vars(
        sys.modules.get(str(getattr(written, "__module__", "")), builtins)
    )
    inner: list[Mapping[str, Any]] = [*_enclosing(written, module), _closure(owner), _closure(written)]
    holders = [_types(vars(kind)) for kind in reversed(getattr(outer, "__mro__", ()))]
    holders += [_types(vars(kind)) for kind in _classes(written, module)]
    parameters = {it.__name__: it for kind in (outer, written) for it in getattr(kind, "__type_params__", ())}
    itself = {written.__name__: written} if isinstance(written, type) else {}
    first = {**vars(builtins), **module}
    return [
        {**first, **itself, **_merged(map(change, inner)), **_merged(holders), **parameters}
        for change in (dict, _types)
    ]


def with_callers(names: Names) -> Names:
    """These names, and those of whoever called hb, which are the last resort."""
    found: Names = {}
    for frame in _frames():
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _OURS:
            found = {**frame.f_locals, **found} if found else {**frame.f_globals, **frame.f_locals}
    return {**found, **names}


def resolve(hint: Any, names: list[Names]) -> Any:
    """A hint with every string in it replaced by what it means; raises as evaluating it does when that is not known."""
    failure: Exception | None = None
    for known in (*names, None):
        try:
            return _evaluated(hint, known if known is not None else with_callers(names[0]))
        except Exception as error:
            failure = failure or error
    assert failure is not None
    raise failure


def shown(hint: Any) -> str:
    """A hint as a reader wrote it."""
    if isinstance(hint, str):
        return repr(hint)
    return repr(getattr(hint, "__forward_arg__", None) or (hint.__name__ if isinstance(hint, type) else hint))


def unresolved(hint: Any) -> str:
    """The first field of a class in a hint whose own hint means nothing, as "Trip.place: 'Place'"; "" for none."""
    seen: list[Any] = []
    waiting = [hint]
    while waiting:
        item = waiting.pop(0)
        waiting.extend(arg for arg in get_args(item) if arg not in seen)
        if not isinstance(item, type) or item in seen or get_args(item):
            continue
        seen.append(item)
        names = names_around(item)
        for kind in item.__mro__[:-1]:
            if kind.__module__.partition(".")[0] in ("pydantic", "typing", "builtins", *_OURS):
                continue
            for name, inner in _annotations(kind).items():
                try:
                    waiting.append(resolve(inner, names))
                except Exception:
                    return f"{item.__name__}.{name}: {shown(inner)}"
    return ""


def signature(function: Any) -> inspect.Signature:
    """The signature of what can be called, whose hints may mean nothing yet."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def _annotations(kind: type) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(kind, format=Format.FORWARDREF)
    found: Mapping[str, Any] = vars(kind).get("__annotations__", {})
    return found


def _evaluated(hint: Any, names: Names) -> Any:
    holder = type("Holder", (), {"__annotations__": {"hint": hint}})
    return get_type_hints(holder, {}, names, include_extras=True)["hint"]


def _merged(found: Any) -> Names:
    return {name: value for names in found for name, value in names.items()}


def _types(names: Mapping[str, Any]) -> Names:
    """Those of some names that stand for types, or for modules that have some."""
    return {
        name: value
        for name, value in names.items()
        if isinstance(value, type | ModuleType) or get_origin(value) or type(value).__module__ in _TYPING
    }


def _closure(function: Any) -> Names:
    found: Names = {}
    if isinstance(function, FunctionType):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                found[name] = cell.cell_contents
            except ValueError:  # it is not there yet
                continue
    return found


def _classes(written: Any, module: Mapping[str, Any]) -> Iterator[type]:
    """The classes of a module within which something stands, the outermost first."""
    path = getattr(written, "__qualname__", "").rpartition(_LOCAL + ".")[2].split(".")[:-1]
    found: Any = None
    for name in path:
        found = module.get(name) if found is None else getattr(found, name, None)
        if not isinstance(found, type):
            return
        yield found


def _enclosing(written: Any, module: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The variables of the functions within which something stands, the outermost first, as far as they still run."""
    parts = getattr(written, "__qualname__", "").split(f".{_LOCAL}.")[:-1]
    outer = [f".{_LOCAL}.".join(parts[: count + 1]) for count in range(len(parts))]
    found: dict[str, Mapping[str, Any]] = {}
    for frame in _frames() if outer else ():
        name = frame.f_code.co_qualname
        if name in outer and name not in found and frame.f_globals is module:
            found[name] = frame.f_locals
    return [found[name] for name in outer if name in found]


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


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
    names = names_around(hint)
    given = {name: resolve(it, names) for kind in reversed(hint.__mro__) for name, it in _annotations(kind).items()}
    for name, inner in given.items():
        mark: Any = get_origin(inner)
        bare = get_args(inner)[0] if mark in (Required, NotRequired) else inner
        if bare is inner:  # the marks themselves come first: the keys are wrong where annotations are strings
            mark = Required if name in hint.__required_keys__ else NotRequired
        fields[name] = mark[_portable(bare, inside)]
    twin = TypedDict(hint.__name__, fields)  # type: ignore[misc]
    twin.__doc__ = hint.__doc__
    return twin
