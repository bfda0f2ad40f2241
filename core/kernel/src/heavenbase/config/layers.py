"""Layers of the configuration: what each one sets, where it says so, and how they are laid over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.config.check import accepts, coerce, field_at, problems, unknown
from heavenbase.config.files import line_index, nearest
from heavenbase.config.schema import SETTINGS, look_up
from heavenbase.config.values import fold, from_toml, merge, split_key
from heavenbase.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from heavenbase.config.files import SettingsFile

PREFIX = "HEAVENBASE_"
ABSENT: Any = object()
_REPORTED = 10


class Origin(NamedTuple):
    """Where a value was set: the layer, and the file and line (from 1) or the environment variable.

    Layers: `default`, `user`, `project`, `dotenv`, `environment`, and the names given to layers from code.
    """

    layer: str
    file: str | None = None
    line: int | None = None
    variable: str | None = None

    def __str__(self) -> str:
        if self.file is not None:
            where = self.file if self.line is None else f"{self.file}:{self.line}"
            return f"{self.layer} file {where}"
        if self.variable is not None:
            return f"environment variable {self.variable}"
        return "packaged default" if self.layer == "default" else self.layer


class Layer(NamedTuple):
    """What one source sets. `trusted` is False for files that came with a project nobody has vouched for."""

    name: str
    values: dict[str, Any]
    file: SettingsFile | None = None
    places: Mapping[tuple[str, ...], Origin] = {}
    trusted: bool = True

    def __repr__(self) -> str:
        return f"Layer({self.name!r})"

    def origin(self, path: tuple[str, ...]) -> Origin:
        """Where this layer sets a key; the line is searched for only now."""
        if self.file is not None:
            return Origin(self.name, self.file.path, nearest(path, line_index(self.file.text)))
        return nearest(path, self.places) or Origin(self.name)

    def check(self) -> Layer:
        """Raise ConfigError, with the place of every problem, unless the schema accepts all values."""
        found = []
        try:
            found = list(problems(self.values))
        except RecursionError:
            raise ConfigError(f"{self.origin(())}: is nested too deeply") from None
        if found:
            lines = [f"{_place(self.origin(path))}: {message}" for path, message in found[:_REPORTED]]
            if len(found) > _REPORTED:
                lines.append(f"… and {len(found) - _REPORTED} more")
            raise ConfigError("\n".join(lines))
        return self


def _place(origin: Origin) -> str:
    if origin.file is not None and origin.line is not None:
        return f"{origin.file}:{origin.line}"
    return origin.file or str(origin)


def file_layer(name: str, file: SettingsFile, *, trusted: bool = True) -> Layer:
    """The layer of a settings file, checked."""
    return Layer(name, file.values, file=file, trusted=trusted).check()


def mapping_layer(name: str, mapping: Mapping[str, Any]) -> Layer:
    """The layer of values given in code, nested or with dotted keys at the top, checked."""
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        put(values, split_key(key), from_toml(value))
    return Layer(name, values).check()


def variables_layer(
    name: str,
    variables: Mapping[str, str],
    origin: Callable[[str], Origin],
    known: Mapping[str, Any],
    *,
    trusted: bool = True,
) -> Layer:
    """The layer of `HEAVENBASE_...` variables, checked; two underscores are the dot, names are lower case.

    A row is spelled as in `known`, the values of the layers below, as a variable's name cannot hold `-` or `.`.
    An empty variable is ignored where the key takes no string. `origin` says where a variable stands.
    """
    values: dict[str, Any] = {}
    places: dict[tuple[str, ...], Origin] = {}
    for variable in sorted(name for name in variables if name.startswith(PREFIX)):
        words = variable[len(PREFIX) :].lower().split("__")
        if words[0].split("_")[0] not in SETTINGS:
            continue  # HEAVENBASE_HOME, and variables of other programs
        path = _spelled(("heavenbase", *words), known)
        if look_up(path) is None or "" in words:
            place = _place(origin(variable))
            del variables  # tracebacks may show locals
            raise ConfigError(f"{place}: {unknown(path)}")
        field = field_at(path)
        text = variables[variable]
        if text == "" and (field is None or not accepts(field, "")):
            continue
        put(values, path, from_toml(coerce(text, path)))
        places[path] = origin(variable)
    return Layer(name, values, places=places, trusted=trusted).check()


def _spelled(path: tuple[str, ...], known: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    place: Any = known
    for name in path:
        if isinstance(place, dict) and name not in place:
            name = next((row for row in place if fold(row) == fold(name)), name)
        found.append(name)
        place = place.get(name) if isinstance(place, dict) else None
    return tuple(found)


def put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a nested value; a table is laid over what is there."""
    if not path:
        raise ConfigError("a key must not be empty")
    for name in path[:-1]:
        inner = values.get(name)
        if not isinstance(inner, dict):
            inner = values[name] = {}
        values = inner
    old = values.get(path[-1])
    values[path[-1]] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value


def find(values: Any, path: tuple[str, ...]) -> Any:
    """The value at a path, or ABSENT."""
    for name in path:
        if not isinstance(values, dict) or name not in values:
            return ABSENT
        values = values[name]
    return values


def leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value that is not a table, with its path."""
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, dict):
            yield from leaves(value, here)
        else:
            yield here, value
