"""Editing a settings file: one value at a time, comments and layout kept, all or nothing.

The file is written to a temporary one beside it, synced and renamed, with mode 0600; folders that are made get 0700.
What would be written is parsed and compared first, so a file is never left in a state that cannot be loaded.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from heavenbase.config.check import coerce, problems, unknown
from heavenbase.config.files import SettingsFile, make_folder, parse_settings, read_settings, write_atomic
from heavenbase.config.layers import file_layer
from heavenbase.config.schema import look_up
from heavenbase.config.values import ABSENT, find, from_toml, parse_value, split_key, to_toml
from heavenbase.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tomlkit import TOMLDocument

    Key = str | Sequence[str]


def parse_cli_value(text: str, strict_json: bool = False, key: Key | None = None) -> Any:
    """Read a value typed on a command line: typed text, or with `strict_json` nothing but JSON.

    With `key`, text stays a string where that key takes strings (`5.6` as a model's name).
    """
    if strict_json:
        import json

        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            # Without the text, which may be a credential, and without the parser's exception, which carries it.
            problem = ConfigError("the value is not JSON; strings need double quotes")
        raise problem
    return parse_value(text) if key is None else coerce(text, split_key(key))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def set_value(path: str | Path, key: Key, value: Any) -> None:
    """Set one key of a settings file, making file and folders where needed; None is written as `${null}`.

    Raises ConfigError, and leaves the file as it was, when key or value do not fit the schema, when the file is
    malformed or would become so, or when it holds a credential and others may write to it.
    """
    names = split_key(key)
    found = look_up(names)
    if found is None or not names:
        raise ConfigError(unknown(names))
    plain = from_toml(value)
    for problem in problems(plain, found.node, names):
        raise ConfigError(problem.message)
    write_value(path, names, plain, check=True)


def unset(path: str | Path, key: Key) -> bool:
    """Take one key out of a settings file, so that what lies below it shows again; returns whether it was there.

    Tables that become empty and hold no comment go too. A key that the schema does not know can be taken out as well.
    """
    names = split_key(key)
    real = os.path.realpath(path)
    if os.path.exists(real):
        with _locked(real):
            file = read_settings(real)
            if find(file.values, names) is not ABSENT:
                document = _document(file.text)
                _remove(document, names)
                expected = parse_settings(file.text, real)
                _remove(expected, names)
                _store(real, document, expected)
                return True
    if look_up(names) is None:
        raise ConfigError(unknown(names))
    return False


def write_value(path: str | Path, names: Sequence[str], value: Any, *, check: bool = False) -> None:
    """Write one value into a TOML file, `set_value` without its look at key and value.

    With `check` the whole file must fit the schema afterwards.
    """
    real = os.path.realpath(path)
    make_folder(os.path.dirname(real))
    with _locked(real):
        file = read_settings(real) if os.path.exists(real) else SettingsFile(real, {}, "")
        expected = parse_settings(file.text, real)
        _insert(expected, names, from_toml(value), dict)
        if check:
            # Lines are those of the old file: that is the one that people will look at.
            file_layer("edited", SettingsFile(real, expected, file.text))
        document = _document(file.text)
        _insert(document, names, to_toml(value), _super_table)
        _store(real, document, expected)


def _document(text: str) -> TOMLDocument:
    import tomlkit  # 80 ms, which only edits pay

    return tomlkit.parse(text)


def _super_table() -> Any:
    import tomlkit

    return tomlkit.table(is_super_table=True)  # it gets no header of its own


def _insert(table: Any, names: Sequence[str], value: Any, new_table: Callable[[], Any]) -> None:
    for name in names[:-1]:
        if not isinstance(table.get(name), dict):
            table[name] = new_table()
        table = table[name]
    table[names[-1]] = value


def _remove(document: Any, names: Sequence[str]) -> None:
    tables = [document]
    for name in names[:-1]:
        tables.append(tables[-1][name])
    del tables[-1][names[-1]]
    for parent, name in zip(reversed(tables[:-1]), reversed(names[:-1]), strict=True):
        if len(parent[name]) > 0 or _has_comment(parent[name]):
            break
        del parent[name]


def _has_comment(table: Any) -> bool:
    as_string = getattr(table, "as_string", None)
    return as_string is not None and "#" in as_string()


def _store(path: str, document: TOMLDocument, expected: dict[str, Any]) -> None:
    text = document.as_string()
    problem = None
    try:
        sound = _without_empty(parse_settings(text, path)) == _without_empty(expected)
    except ConfigError:
        sound = False
    if not sound:
        # tomlkit cannot edit every layout that TOML allows; better no edit than a wrong one.
        problem = f"{path}: this layout cannot be edited safely; nothing was changed, please edit the file by hand"
    if problem is not None:
        raise ConfigError(problem)
    write_atomic(path, text)


def _without_empty(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    cleaned = {name: _without_empty(item) for name, item in values.items()}
    return {name: item for name, item in cleaned.items() if item != {}}


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Let one process edit at a time, so that two edits at once both stay. The lock file goes where it can."""
    from filelock import FileLock  # on use: few commands edit

    name = f"{path}.lock"
    lock = FileLock(name, mode=0o600, poll_interval=0.01)
    try:
        lock.acquire()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be edited: {error.strerror}") from error
    try:
        yield
    finally:
        if os.name == "posix":  # whoever waits for it sees that it is gone, and makes another
            with suppress(OSError):
                os.unlink(name)
        lock.release()
