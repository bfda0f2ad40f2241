"""What reading hands out: a part of the configuration, and the story of one key."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any, NamedTuple, NoReturn

from heavenbase.config.check import read_reference
from heavenbase.config.layers import Origin
from heavenbase.config.schema import Field, is_secret, look_up
from heavenbase.config.values import interpolate, join_key, masked
from heavenbase.errors import InputTypeError
from heavenbase.secrets import mapped


def read(value: Any, path: tuple[str, ...], environ: Mapping[str, str]) -> Any:
    """Copy a stored value for a reader: references are resolved now, tables become sections."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        return read_reference(interpolate(value, join_key(path), environ), path)
    if isinstance(value, dict):
        return Section(value, path, environ)
    if isinstance(value, list):
        # Inside lists there is nothing to be lazy for: a list is read as one value.
        key = join_key(path)
        return mapped(value, lambda leaf: interpolate(leaf, key, environ) if isinstance(leaf, str) else leaf)
    return value


class Section(dict[str, Any]):
    """A copy of a table. References are resolved when a value is read, so an unset key elsewhere does no harm.

    Reading a value whose variable is unset raises MissingCredential. Changes stay in the copy.
    """

    __slots__ = ("_environ", "_path")

    def __init__(self, values: Mapping[str, Any], path: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__()
        self._path = path
        self._environ = environ
        for name, value in values.items():
            self[name] = Section(value, (*path, name), environ) if isinstance(value, dict) else value

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return value if isinstance(value, Section) else read(value, (*self._path, name), self._environ)

    # dict's own forms of these would hand out what is stored. With __iter__ overridden, dict(section) and **section
    # go through __getitem__ too.
    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        """The value of `name`, or `default`."""
        if name not in self:
            return default
        return self[name]

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Names and values; a value is read when it is reached."""
        return ItemsView(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """Values, each read when it is reached."""
        return ValuesView(self)

    def pop(self, name: str, *default: Any) -> Any:
        """Read and remove a value."""
        if name not in self and default:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def copy(self) -> dict[str, Any]:
        """A plain dict of the values as read."""
        return {name: value.copy() if isinstance(value, Section) else value for name, value in self.items()}

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return self.copy()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and self.copy() == dict(other)

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __repr__(self) -> str:
        return repr(shown(self, self._path))

    def __rich_repr__(self) -> Iterator[Any]:
        yield shown(self, self._path)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise InputTypeError("a configuration section may hold credentials and is never pickled; load it again there")


def shown(value: Any, path: tuple[str, ...]) -> Any:
    """Copy a stored value for display: uninterpolated, credentials masked."""
    if isinstance(value, dict):  # of a section too what is stored, not what is read
        return {name: shown(dict.__getitem__(value, name), (*path, name)) for name in value}
    found = look_up(path)
    if isinstance(value, list) and found is not None and isinstance(found.node, Field) and found.node.items is not None:
        return [shown(item, path) for item in value]
    bare = isinstance(value, str) and "://" not in value and is_secret(path, value)
    return masked(value, bare or found is None or found.secret)


class Explanation(NamedTuple):
    """The story of a key, safe to show: credentials are masked and references are not resolved."""

    key: str
    value: Any
    origin: Origin | None
    overridden: tuple[tuple[Origin, Any], ...]
    types: tuple[str, ...]
    default: Any
    description: str
