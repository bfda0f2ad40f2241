"""Provider manifests: `provider.toml` files, found and read without importing their package.

[provider]                  the record: base_url, base_url_env, api_key_env, gateway, wire, prefixes, aliases, …
[[provider.parameters]]     rules by model pattern: rename, drop, clamp
[models.<name>]             models that only this provider has
[presets.<name>]            presets that it brings

`check_manifest` says what a manifest may hold: every key and its type. It is for tests, the conformance kit,
`hb doctor` and the index of plugins, which keeps each `Slip`; loading a provider never pays for it. Settings that only
one plugin reads go under `provider.options`, which is not looked into.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, NamedTuple

from heavenbase.config import schema
from heavenbase.config.check import meant
from heavenbase.config.values import leaves, references, texts
from heavenbase.errors import ConfigError, PluginContractError
from heavenbase.options import CONTENT, KNOWN, NO_SLIPS, TARGET


class Manifest(NamedTuple):
    """One provider manifest: `provider` is its record, `models` and `presets` what it adds to the catalogue."""

    provider: dict[str, Any]
    models: dict[str, Any]
    presets: dict[str, Any]


def manifest_path(package: str, manifest: str = "provider.toml") -> Path | None:
    """Where a package's manifest lies, found without importing it; None when it has none.

    Every finder of the import system is asked, as editable installs bring their own. The path may lead into a zip
    archive: `manifest_text` reads it.
    """
    paths = (Path(folder, manifest) for folder in package_folders(package) or ())
    return next((path for path in paths if path.is_file() or _archived(path) is not None), None)


def manifest_text(path: Path) -> str:
    """The text of a manifest; OSError when it cannot be read, ValueError when it is not UTF-8."""
    content = None if path.is_file() else _archived(path)
    return path.read_text(encoding="utf-8") if content is None else content.decode()


def package_folders(package: str) -> list[str] | None:
    """The folders of a package, or of the one that a module is in; None when no finder knows it. Imports nothing."""
    folders: list[str] | None = None
    for name in accumulate(package.split("."), "{}.{}".format):
        found = getattr(sys.modules.get(name), "__spec__", None) or _spec(name, folders)
        if found is None:
            return None
        if found.submodule_search_locations is None:  # a module, whose manifest lies beside it
            return folders
        folders = list(found.submodule_search_locations)
    return folders


def _spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path)
        except Exception:  # a stranger's finder, which must not hide what the others find
            continue
        if found is not None:
            return found
    return None


def _archived(path: Path) -> bytes | None:
    """The content of a path that leads into a zip archive; None for any other."""
    archive = next((parent for parent in path.parents if parent.is_file()), None)
    if archive is None:
        return None
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(archive) as opened:
            return opened.read(path.relative_to(archive).as_posix())
    except (BadZipFile, KeyError, OSError):
        return None


@lru_cache(maxsize=256)
def read_manifest(package: str, manifest: str = "provider.toml") -> Manifest:
    """The manifest of a package; PluginContractError when it is missing or malformed."""
    path = manifest_path(package, manifest)
    if path is None:
        raise PluginContractError(f"package {package!r} has no {manifest}; a provider plugin needs one")
    try:
        data = tomllib.loads(manifest_text(path))
    except (OSError, ValueError) as error:
        raise PluginContractError(f"{package}/{manifest}: {error}") from error
    record = data.get("provider")
    if not isinstance(record, dict):
        raise PluginContractError(f"{package}/{manifest} has no table [provider]")
    return Manifest(record, data.get("models", {}), data.get("presets", {}))


def _kinds(table: schema.Table, *but: str) -> dict[str, str]:
    """What a manifest may say of that which the configuration may, and the kinds of its values."""
    return {name: _kind(node) for name, node in table.fields.items() if name not in but}


def _kind(node: schema.Node) -> str:
    if isinstance(node, schema.Field):
        return node.words.removesuffix(" | null")
    if node.short is not None:
        return "str | by gateway"
    return "table of str" if isinstance(node.rows, schema.Field) and node.rows is not schema.ANY else "table"


CAPABILITIES = _kinds(schema.CAPABILITIES)
PROVIDER = {"name": "str", "env": "list[str]", **_kinds(schema.PROVIDER, "api_key", "auth_token", "models", "vision")}
"""The record: keys of [provider]. `env` are the variables that the manifest's values may refer to."""

RULE = {
    **dict.fromkeys(("models", "gateways"), "list[str]"),
    "rename": "table of str",
    "drop": "table of str",
    "clamp": "table of tables",
    "when": "table of lists",
    "unless": "table of lists",
}
"""One [[provider.parameters]] rule; all that match apply, in order.

`models` are patterns (fnmatch) of native ids, every model when absent; `gateways` the names of those that the rule is
for, all when absent. `when` and `unless` pair the name of an argument with the values that switch the rule on or off;
they are compared with the arguments as they would go on the wire, after thinking has been translated. `rename` is old
to new name, `drop` name to reason, `clamp` name to limits.
"""

MESSAGE_RULE = {
    **{name: RULE[name] for name in ("models", "gateways", "when", "unless")},
    "roles": "table of str",
    "take": "list[str]",
    "fill": "table of str",
    "prefill": "str",
    "own_tools": "list[str]",
}
"""One [[provider.messages]] rule: `roles` to the role that stands in for one that is not known, `take` attributes of
other wires that are taken, `fill` fields that every answer must have, `prefill` why no answer may stand last,
`own_tools` patterns of the types of tools that the endpoint runs itself.
"""

CLAMP = {"min": "float", "max": "float", "map": "table of str"}
"""Limits of one argument: numbers, and `map` from a value that the endpoint refuses to the nearest that it takes."""

MODEL = _kinds(schema.MODEL)
MODEL_AT_PROVIDER = _kinds(schema.MODEL_AT_PROVIDER, "options")
PRESET = _kinds(schema.PRESET, "args")

ARGUMENTS = ("default_args", "unset", "rename", "drop", "clamp", "when", "unless")
"""Tables and lists of names of arguments."""
BY_GATEWAY = ("gateways", *(name for name, kinds in PROVIDER.items() if "by gateway" in kinds))
REQUIRED = ("name", "gateway", "wire")
SECRETS = ("api_key", "auth_token", "token", "password")
SECRET_ENDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS")
"""How variables end that hold credentials."""
CHOICES = {"image_endpoint": ("images", "chat"), "structured": ("json_schema", "json_object", "none")}
SLIP = 0.8  # how like a known name another must be to be a slip
SCHEMES = ("https://", "http://", "mock://", "local://")


def _every(kind: type, values: Iterable[Any]) -> bool:
    return all(isinstance(value, kind) for value in values)


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a string", lambda v: isinstance(v, str)),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "int": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "float": ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
    "list[str]": ("a list of strings", lambda v: isinstance(v, list) and _every(str, v) and "" not in v),
    "table": ("a table", lambda v: isinstance(v, dict)),
    "by gateway": ("a table of strings by gateway", lambda v: isinstance(v, dict) and _every(str, v.values())),
    "table of str": ("a table of strings", lambda v: isinstance(v, dict) and _every(str, v.values())),
    "table of lists": ("a table of lists", lambda v: isinstance(v, dict) and _every(list, v.values())),
    "table of tables": ("a table of tables", lambda v: isinstance(v, dict) and _every(dict, v.values())),
    "list[table]": ("a list of tables", lambda v: isinstance(v, list) and _every(dict, v)),
}


class Slip(str):
    """What is wrong where a name is so near to a known one that nothing may be sent with it."""


def check_manifest(data: Mapping[str, Any], gateways: Collection[str] = ()) -> list[str]:
    """Everything that is wrong with a parsed provider.toml, one line each; empty when nothing is.

    `gateways` are the known ones; a name that is only near to one of them is a `Slip`.
    """
    found = list(_table(data, dict.fromkeys(("provider", "models", "presets"), "table"), ""))
    tables = {name: table for name, table in data.items() if isinstance(table, dict)}
    if "provider" in tables:
        found += _table(tables["provider"], PROVIDER, "provider", REQUIRED)
        own = tables["provider"].get("known_parameters")
        options = [*KNOWN, *TARGET, *CONTENT, *NO_SLIPS, *(own if isinstance(own, list) and _every(str, own) else ())]
        known = dict.fromkeys(ARGUMENTS, options) | {key: ["default", *gateways] for key in BY_GATEWAY}
        found += _slips(data, "", known)
        found += _references(data, tables["provider"])
    elif "provider" not in data:
        found.append("provider: missing; a manifest needs a table [provider]")
    return found + check_catalog(tables.get("models", {}), tables.get("presets", {}))


def check_catalog(models: Mapping[str, Any], presets: Mapping[str, Any]) -> list[str]:
    """The same for tables of models and presets alone, such as the packaged ones."""
    return [*_rows(models, MODEL, "models"), *_rows(presets, PRESET, "presets", ("model",))]


def _slips(table: Any, path: str, known: Mapping[Any, Collection[str]]) -> Iterator[Slip]:
    """Slips among the names that a table holds, and those in it; `known` are the right ones by the key of the table."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        here = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".removeprefix(".")
        if key in known:
            names = value if isinstance(value, dict | list) else ()
            for name in (name for name in names if isinstance(name, str) and name not in known[key]):
                if hint := meant(name, known[key], SLIP):
                    yield Slip(f"{here}.{name}: unknown {'option' if key in ARGUMENTS else 'gateway'}{hint}")
        elif isinstance(value, dict | list) and key != "options":
            yield from _slips(value, here, known)


def _references(data: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[Slip]:
    """References to variables that the manifest does not declare, and those that would put a credential into a URL."""
    declared = record.get("env")
    keys = record.get("api_key_env")
    for path, value in leaves(data):
        for text in texts(value if isinstance(value, str | list) else []):
            if "${" not in text:
                continue
            here = ".".join(path)
            try:
                names = [name for name, _ in references(text)]
            except ConfigError as error:
                yield Slip(f"{here}: {error}")
                continue
            for name in names:
                if not isinstance(declared, list) or name not in declared:
                    yield Slip(f"{here}: refers to the variable {name}, which provider.env does not declare")
                elif "://" in text and (name.endswith(SECRET_ENDS) or (isinstance(keys, list) and name in keys)):
                    yield Slip(f"{here}: would put the credential {name} into a URL")


def _rows(rows: Any, fields: Mapping[str, str], path: str, required: Collection[str] = ()) -> Iterator[str]:
    for name, row in rows.items():
        yield from _table(row, fields, f"{path}.{name}", required)


def _table(table: Any, fields: Mapping[str, str], path: str, required: Collection[str] = ()) -> Iterator[str]:
    """Unknown and missing keys, wrong types and wrong words of one table, and what is wrong within it."""
    if not isinstance(table, dict):
        yield _wrong(path, "table", table)
        return
    yield from (f"{path}.{name}: missing" for name in required if name not in table)
    for name, value in table.items():
        here = f"{path}.{name}" if path else name
        if name not in fields and name in SECRETS:
            yield f"{here}: a manifest must not hold a credential; name its variable in provider.api_key_env"
        elif name not in fields:
            line = f"{here}: unknown key{meant(name, fields)}"
            yield Slip(line) if meant(name, fields, SLIP) else line
        elif not any(_TYPES[kind][1](value) for kind in fields[name].split(" | ")):
            yield _wrong(here, fields[name], value)
        elif value not in (choices := CHOICES.get(name, (value,))):
            yield f"{here}: must be one of {', '.join(choices)}, not {value!r}{meant(value, choices)}"
        elif name in _INNER:
            yield from _INNER[name](value, here)


def _addresses(value: Any, path: str) -> Iterator[str]:
    for url in value.values() if isinstance(value, dict) else (value,):
        if not url.startswith(SCHEMES):
            yield f"{path}: must begin with {' or '.join(SCHEMES[:2])}"
        elif "@" in url.partition("://")[2].partition("/")[0]:
            yield f"{path}: holds a user name or password; name a variable in api_key_env"


def _rules(rules: Any, path: str) -> Iterator[str]:
    for place, rule in enumerate(rules):
        yield from _table(rule, RULE, f"{path}[{place}]")
        if not rule.keys() & {"rename", "drop", "clamp"}:
            yield f"{path}[{place}]: does nothing; add rename, drop or clamp"


def _native_ids(entries: Any, path: str) -> Iterator[str]:
    for name, entry in entries.items():
        if isinstance(entry, dict):
            yield from _table(entry, MODEL_AT_PROVIDER, f"{path}.{name}", ("id",))
        elif not isinstance(entry, str) or not entry:
            yield f"{path}.{name}: must be the native id, or a table with id, not {_name(entry)}"


_INNER: dict[str, Callable[[Any, str], Iterator[str]]] = {
    "base_url": _addresses,
    "capabilities": lambda value, path: _table(value, CAPABILITIES, path),
    "clamp": lambda value, path: _rows(value, CLAMP, path),
    "messages": lambda rules, path: chain.from_iterable(
        _table(rule, MESSAGE_RULE, f"{path}[{place}]") for place, rule in enumerate(rules)
    ),
    "parameters": _rules,
    "providers": _native_ids,
}
"""What is wrong within a value of the right type, by its key."""


def _wrong(path: str, kinds: str, value: object) -> str:
    wanted = " or ".join(_TYPES[kind][0] for kind in kinds.split(" | "))
    return f"{path}: must be {wanted}, not {_name(value)}"


def _name(value: object) -> str:
    # The value itself is never shown: somebody may have put a credential there.
    kind = type(value).__name__
    return {"str": "a string", "dict": "a table", "list": "a list", "bool": "true or false"}.get(kind, kind)
