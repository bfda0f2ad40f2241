"""Layers of the configuration: what each one sets, where it says so, and how they are laid over each other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from heavenbase.config.check import accepts, coerce, field_at, problems, unknown
from heavenbase.config.files import SettingsFile, Variable, line_index, nearest
from heavenbase.config.schema import SETTINGS, is_secret, look_up
from heavenbase.config.values import fold, from_toml, merge, split_key
from heavenbase.errors import ConfigError, InputTypeError
from heavenbase.secrets import hide

PREFIX = "HEAVENBASE_"
_REPORTED = 10
_HOME_VARIABLES = ("HEAVENBASE_HOME", "HOME", "XDG_")


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


class Environ(Mapping[str, str]):
    """The variables that values may refer to: the environment, then those of a `.env` file. Never shown by repr.

    `given` are variables that somebody chose, hidden; None means those that the process has at the time of reading.
    """

    __slots__ = ("_filled", "file", "given")

    def __init__(
        self, given: Mapping[str, str] | None, variables: Mapping[str, Variable] = {}, file: str | None = None
    ) -> None:
        self.given = hide(given)
        self.file = file
        # A .env file must not decide where hb looks for its own files, or for the list of trusted folders.
        named = {name: found for name, found in variables.items() if not name.startswith(_HOME_VARIABLES)}
        self._filled = {name: found for name, found in named.items() if name not in self.base}

    @property
    def is_embedded(self) -> bool:
        """Whether these are variables that somebody chose, and not the process's own environment."""
        return self.given is not None

    @property
    def base(self) -> Mapping[str, str]:
        """The variables without those of the `.env` file."""
        return os.environ if self.given is None else self.given

    def __getitem__(self, name: str) -> str:
        found = self.base.get(name)
        return self._filled[name].value if found is None else found

    def __iter__(self) -> Iterator[str]:
        yield from self.base
        yield from (name for name in self._filled if name not in self.base)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<environment of {len(self)} variables>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise InputTypeError("an environment may hold credentials and is never pickled")

    def origin(self, name: str) -> Origin:
        """Where a variable comes from: the environment, or a line of the `.env` file."""
        if name in self._filled and name not in self.base:
            return Origin("dotenv", self.file, self._filled[name].line, name)
        return Origin("environment", variable=name)

    def told(self, name: str) -> str:
        """Where a variable comes from, in words."""
        found = self.origin(name)
        return f"environment {name}" if found.file is None else f"{name} of the {found}"

    def fixed(self) -> dict[str, str]:
        """Those that stay as they are: injected, or of the `.env` file; the live environment may change."""
        injected = {} if not self.is_embedded else self.base
        return {name: found.value for name, found in self._filled.items()} | dict(injected)


def live() -> Environ:
    """The process's own environment."""
    return Environ(None)


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
        try:
            found = list(problems(self.values))
        except RecursionError:
            raise ConfigError(f"{self.origin(())}: is nested too deeply") from None
        if found:
            lines = [f"{place(self.origin(path))}: {message}" for path, message in found[:_REPORTED]]
            if len(found) > _REPORTED:
                lines.append(f"… and {len(found) - _REPORTED} more")
            raise ConfigError("\n".join(lines))
        return self


def settled(values: Any, path: tuple[str, ...] = ()) -> Any:
    """Values as they are kept: hidden where they may be a credential, plain where everybody may see them."""
    if isinstance(values, dict):
        return {name: settled(item, (*path, name) if isinstance(name, str) else path) for name, item in values.items()}
    if isinstance(values, list):
        return [settled(item, path) for item in values]
    if not isinstance(values, str):
        return values
    return hide(values) if is_secret(path, values) else str(values)


def place(origin: Origin) -> str:
    """File and line of an origin, as messages begin; what it is called where it has no file."""
    if origin.file is not None and origin.line is not None:
        return f"{origin.file}:{origin.line}"
    return origin.file or str(origin)


def file_layer(name: str, file: SettingsFile, *, trusted: bool = True) -> Layer:
    """The layer of a settings file, checked."""
    return Layer(name, settled(file.values), file=file, trusted=trusted).check()


def mapping_layer(name: str, mapping: Mapping[str, Any]) -> Layer:
    """The layer of values given in code, nested or with dotted keys at the top, checked."""
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        if not isinstance(key, str | tuple):
            raise InputTypeError(f"a key of the configuration is text, not {type(key).__name__}")
        _put(values, split_key(key), value)
    return Layer(name, settled(values)).check()


def variables_layer(name: str, environ: Environ, known: Mapping[str, Any], *, trusted: bool = True) -> Layer:
    """The layer of `HEAVENBASE_...` variables, checked; two underscores are the dot, names are lower case.

    A row is spelled as in `known`, the values of the layers below, as a variable's name cannot hold `-` or `.`.
    An empty variable is ignored where the key takes no string.
    """
    values: dict[str, Any] = {}
    places: dict[tuple[str, ...], Origin] = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        words = variable[len(PREFIX) :].lower().split("__")
        if words[0].split("_")[0] not in SETTINGS:
            continue  # HEAVENBASE_HOME, and variables of other programs
        path = _spelled(("heavenbase", *words), known)
        if look_up(path) is None or "" in words:
            raise ConfigError(f"{place(environ.origin(variable))}: {unknown(path)}")
        field = field_at(path)
        text = environ[variable]
        if text == "" and (field is None or not accepts(field, "")):
            continue
        _put(values, path, coerce(text, path))
        places[path] = environ.origin(variable)
    return Layer(name, settled(values), places=places, trusted=trusted).check()


def _spelled(path: tuple[str, ...], known: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    place: Any = known
    for name in path:
        if isinstance(place, dict) and name not in place:
            name = next((row for row in place if fold(row) == fold(name)), name)
        found.append(name)
        place = place.get(name) if isinstance(place, dict) else None
    return tuple(found)


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a nested value; a table is laid over what is there."""
    if not path:
        raise ConfigError("a key must not be empty")
    for name in path[:-1]:
        inner = values.get(name)
        if not isinstance(inner, dict):
            inner = values[name] = {}
        values = inner
    old, new = values.get(path[-1]), from_toml(value)
    values[path[-1]] = merge(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
