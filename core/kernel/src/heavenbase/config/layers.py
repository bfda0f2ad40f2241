"""Layers of the configuration: what each one sets, where it says so, and how they are laid over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.config.check import accepts, coerce, field_at, problems, unknown
from heavenbase.config.files import line_index, line_of
from heavenbase.config.schema import known_keys, look_up
from heavenbase.config.values import from_toml, split_key
from heavenbase.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from heavenbase.config.dotenv import Variable
    from heavenbase.config.files import SettingsFile

PREFIX = "HEAVENBASE_"
ABSENT: Any = object()
_SECTIONS = frozenset(path[1] for path, _ in known_keys())
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


class Layer:
    """What one source sets. `trusted` is False for files that came with a project nobody has vouched for."""

    __slots__ = ("_index", "file", "name", "places", "trusted", "values")

    def __init__(
        self,
        name: str,
        values: dict[str, Any],
        *,
        file: SettingsFile | None = None,
        places: Mapping[tuple[str, ...], Origin] | None = None,
        trusted: bool = True,
    ) -> None:
        self.name = name
        self.values = values
        self.file = file
        self.places = places or {}
        self.trusted = trusted
        self._index: dict[tuple[str, ...], int] | None = None

    def __repr__(self) -> str:
        return f"Layer({self.name!r})"

    def origin(self, path: tuple[str, ...]) -> Origin:
        """Where this layer sets a key; the line is searched for only now."""
        if self.file is not None:
            if self._index is None:
                self._index = line_index(self.file.text)
            return Origin(self.name, self.file.path, line_of(path, self._index))
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Origin(self.name)

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
        path = split_key(key)
        put(values, path, from_toml(value))
    return Layer(name, values).check()


def environment_layer(environ: Mapping[str, str], known: Mapping[str, Any]) -> Layer:
    """The layer of `HEAVENBASE_...` variables, checked; two underscores are the dot, names are lower case.

    A row is spelled as in `known`, the values of the layers below, as a variable's name cannot hold `-` or `.`.
    An empty variable is ignored where the key takes no string.
    """
    texts = {name: environ[name] for name in environ if name.startswith(PREFIX)}
    return _variables_layer("environment", texts, {name: Origin("environment", variable=name) for name in texts}, known)


def dotenv_layer(variables: Mapping[str, Variable], file: str, known: Mapping[str, Any], *, trusted: bool) -> Layer:
    """The layer of `HEAVENBASE_...` variables in a `.env` file, checked; see `environment_layer`."""
    ours = {name: variable for name, variable in variables.items() if name.startswith(PREFIX)}
    origins = {name: Origin("dotenv", file, variable.line, name) for name, variable in ours.items()}
    texts = {name: variable.value for name, variable in ours.items()}
    return _variables_layer("dotenv", texts, origins, known, trusted=trusted)


def _variables_layer(
    name: str, texts: Mapping[str, str], origins: Mapping[str, Origin], known: Mapping[str, Any], trusted: bool = True
) -> Layer:
    values: dict[str, Any] = {}
    places: dict[tuple[str, ...], Origin] = {}
    for variable in sorted(texts):
        words = variable[len(PREFIX) :].lower().split("__")
        if words[0].split("_")[0] not in _SECTIONS:
            continue  # HEAVENBASE_HOME, and variables of other programs
        path = _spelled(("heavenbase", *words), known)
        if look_up(path) is None or "" in words:
            place = _place(origins[variable])
            del texts  # tracebacks may show locals
            raise ConfigError(f"{place}: {unknown(path)}")
        field = field_at(path)
        if texts[variable] == "" and (field is None or not accepts(field, "")):
            continue
        put(values, path, from_toml(coerce(texts[variable], path)))
        places[path] = origins[variable]
    return Layer(name, values, places=places, trusted=trusted).check()


def _spelled(path: tuple[str, ...], known: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    place: Any = known
    for name in path:
        if isinstance(place, dict) and name not in place:
            name = next((row for row in place if plain_name(row) == plain_name(name)), name)
        found.append(name)
        place = place.get(name) if isinstance(place, dict) else None
    return tuple(found)


def plain_name(name: str) -> str:
    """A name as it is compared: lower case, without `-`, `_`, `.`, `:` and spaces."""
    return name.lower().translate(_IGNORED)


_IGNORED = str.maketrans("", "", "-_.: ")


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
    values[path[-1]] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `high` over `low`: tables are merged, anything else, None included, is replaced. Neither is changed."""
    result = dict(low)
    for name, value in high.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def stacked(layers: Iterable[Layer]) -> dict[str, Any]:
    """The values of all layers, the last one on top."""
    values: dict[str, Any] = {}
    for layer in layers:
        values = merged(values, layer.values)
    return values


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
