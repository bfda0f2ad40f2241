"""The plugin lock: which files of a plugin may be imported, found unchanged before one is.

A lock holds for each plugin its distribution, version, entry point, and the digest of its RECORD. RECORD lists a digest
for each file, and those are computed again. Files of an editable install lie elsewhere and change as their author
works: they cannot be verified, which the lock says.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavenbase.discovery.inventory import PluginInfo
from heavenbase.errors import ConfigError, PluginBlocked

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_CACHE = "__pycache__"
_SHOWN = 5


def lock_data(infos: Iterable[PluginInfo]) -> dict[str, Any]:
    """The content of a lock file for these plugins."""
    return {"plugins": {info.key: _row(info, _distribution(info)) for info in infos}}


def _record_hash(distribution: Distribution | None) -> str:
    from hashlib import sha256

    text = _record(distribution)
    # Compiled files come and go with the interpreter that first imported the plugin.
    lines = sorted(line for line in text.splitlines() if _CACHE not in line)
    return sha256("\n".join(lines).encode()).hexdigest() if text else "none"


def is_editable(info: PluginInfo) -> bool:
    """Whether the plugin's files are where somebody works on them, and not those that were installed."""
    return _is_editable(_distribution(info))


def _is_editable(distribution: Distribution | None) -> bool:
    import json

    text = distribution.read_text("direct_url.json") if distribution is not None else None
    try:
        return bool(json.loads(text or "{}").get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False


def check_lock(path: str, info: PluginInfo) -> None:
    """PluginBlocked unless the installed plugin is the one in the lock file, with the files that RECORD lists."""
    import tomllib

    from heavenbase.config.files import is_ours

    try:
        locked = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("plugins", {}).get(info.key)
        ours = is_ours(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"plugin lock {path}: {error}; write it with: hb plugins lock") from error
    if not ours:
        raise ConfigError(f"plugin lock {path}: other users may write to it; run: chmod go-w {path}")
    if locked is None:
        raise PluginBlocked(f"{info.key} of {info.distribution} is not in the plugin lock {path}; hb plugins lock")
    distribution = _distribution(info)
    changed = [
        f"{name}: locked {locked.get(name)}, installed {value}"
        for name, value in _row(info, distribution).items()
        if locked.get(name) != value
    ]
    if not changed and not _is_editable(distribution):
        changed = list(_changes(info, distribution))
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise PluginBlocked(
            f"{info.key} differs from the plugin lock {path} ({'; '.join(changed[:_SHOWN])}{more}); "
            "install it again, or, where you trust what is there: hb plugins lock"
        )


def _row(info: PluginInfo, distribution: Distribution | None) -> dict[str, str]:
    row = {"distribution": info.distribution, "version": info.version, "entry": info.value}
    row["record"] = _record_hash(distribution)
    return {**row, "files": "not verified: an editable install"} if _is_editable(distribution) else row


def _distribution(info: PluginInfo) -> Distribution | None:
    from importlib.metadata import Distribution

    return next(iter(Distribution.discover(name=info.distribution, path=[info.location])), None)


def _record(distribution: Distribution | None) -> str:
    return (distribution.read_text("RECORD") if distribution is not None else None) or ""


def _changes(info: PluginInfo, distribution: Distribution | None) -> Iterator[str]:
    """What differs on disk from RECORD: edited, missing and added files, and a module that comes from elsewhere."""
    from importlib.util import find_spec

    base = Path(info.location)
    listed = csv.reader(_record(distribution).splitlines())
    rows = {os.path.realpath(base / row[0]): row for row in listed if row}
    for path, row in rows.items():
        if _CACHE not in row[0] and len(row) > 1 and row[1] and not _has_digest(path, row[1]):
            yield f"{row[0]} is not as it was installed"
        elif path.endswith(".py") and not _is_compiled_from(path):
            yield f"the compiled form of {row[0]} is not of its source"
    root = info.package.partition(".")[0]
    try:
        found = find_spec(root)
    except (ImportError, ValueError):
        found = None
    origin = found.origin if found is not None else None
    if origin is None or os.path.realpath(origin) not in rows:
        yield f"module {root} is {origin or 'not found'}, which is no file of {info.distribution}"
        return
    for folder in (found.submodule_search_locations if found is not None else None) or ():
        for file in Path(os.path.realpath(folder)).rglob("*"):
            if file.is_file() and _CACHE not in file.parts and str(file) not in rows:
                yield f"{file.name} in {root} was not installed with it"


def _has_digest(path: str, wanted: str) -> bool:
    import hashlib
    from base64 import urlsafe_b64encode

    name, _, digest = wanted.partition("=")
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, name).digest()
    except (OSError, ValueError):
        return False
    return urlsafe_b64encode(found).decode().rstrip("=") == digest


def _is_compiled_from(path: str) -> bool:
    """Whether the compiled form of a module, which Python reads in place of its source, says the same."""
    import marshal
    from importlib.util import cache_from_source

    try:
        with open(cache_from_source(path), "rb") as file:
            data = file.read()
    except (OSError, NotImplementedError):
        return True  # there is none
    try:
        source = Path(path).read_bytes()
        return bool(marshal.loads(data[16:]) == compile(source, path, "exec", dont_inherit=True))
    except (ValueError, TypeError, EOFError, SyntaxError):
        return False
