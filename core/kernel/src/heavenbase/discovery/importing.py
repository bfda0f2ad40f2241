"""Importing what an entry point names: whether it may be, and so that one that hangs or fails hurts nobody else.

A plugin may be imported that is not disabled, on the allow-list, and as in the lock (by version and file list).
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterable, Mapping
from functools import reduce
from importlib import import_module
from typing import Any

from heavenbase.discovery.inventory import PluginInfo
from heavenbase.errors import ConfigError, PluginBlocked, PluginLoadError, PluginTimeout


def import_entry_point(info: PluginInfo, timeout: float | None) -> Any:
    """What the entry point names; PluginLoadError when its import raises, PluginTimeout after `timeout` seconds."""
    box: list[Any] = []
    module, _, path = info.value.partition(":")

    def attempt() -> None:
        try:
            box.append(reduce(getattr, (path.strip() or "plugin").split("."), import_module(module.strip())))
        except BaseException as error:
            box.append(error)

    if timeout is None:
        attempt()
    else:
        # A thread, because an import that hangs cannot be stopped: it may go on, but nobody waits for it.
        worker = threading.Thread(target=attempt, name=f"hb-import-{info.name}", daemon=True)
        worker.start()
        worker.join(timeout)
        if not box:
            raise PluginTimeout(f"{info.key} of {info.distribution} {info.version} did not import in {timeout} s")
    loaded = box[0]
    # Ctrl-C reaches the main thread alone: in the worker it is the plugin that raised it.
    if isinstance(loaded, KeyboardInterrupt) and timeout is None:
        raise loaded
    if isinstance(loaded, BaseException):
        raise PluginLoadError(
            f"{info.key} of {info.distribution} {info.version} cannot be imported: "
            f"{type(loaded).__name__}: {loaded}; try: pip install --upgrade {info.distribution}",
            body="".join(traceback.format_exception(loaded)),
        ) from loaded
    return loaded


def check_allowed(settings: Mapping[str, Any], info: PluginInfo) -> None:
    """PluginBlocked unless `settings`, the table `heavenbase.plugins`, admit the plugin. Imports nothing of it."""
    names = {info.key, info.distribution}
    if names & set(settings.get("disabled") or ()):
        raise PluginBlocked(f"{info.key} is disabled; hb plugins enable {info.key}")
    allow = settings.get("allow")
    if allow is not None and not names & set(allow):
        raise PluginBlocked(f"{info.key} of {info.distribution} is not on the list heavenbase.plugins.allow")
    lock = settings.get("lock")
    if lock:
        check_lock(lock, info)


def record_hash(info: PluginInfo) -> str:
    """SHA-256 of the RECORD of the plugin's distribution, which itself lists the hash of each file."""
    from hashlib import sha256
    from importlib.metadata import Distribution

    for distribution in Distribution.discover(name=info.distribution, path=[info.location]):
        text = distribution.read_text("RECORD")
        if text is not None:
            # Compiled files come and go with the interpreter that first imported the plugin.
            lines = sorted(line for line in text.splitlines() if "__pycache__" not in line)
            return sha256("\n".join(lines).encode()).hexdigest()
    return "none"


def lock_data(infos: Iterable[PluginInfo]) -> dict[str, Any]:
    """The content of a lock file for these plugins."""
    return {"plugins": {info.key: _row(info) for info in infos}}


def _row(info: PluginInfo) -> dict[str, str]:
    return {"distribution": info.distribution, "version": info.version, "record": record_hash(info)}


def check_lock(path: str, info: PluginInfo) -> None:
    """PluginBlocked unless the installed plugin is the one in the lock file."""
    # Here, because few installations have a lock and all ask whether a plugin is allowed.
    import tomllib
    from pathlib import Path

    try:
        locked = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("plugins", {}).get(info.key)
    except (OSError, ValueError) as error:
        raise ConfigError(f"plugin lock {path}: {error}; write it with: hb plugins lock") from error
    if locked is None:
        raise PluginBlocked(f"{info.key} of {info.distribution} is not in the plugin lock {path}; hb plugins lock")
    changed = [
        f"{name}: locked {locked.get(name)}, installed {value}"
        for name, value in _row(info).items()
        if locked.get(name) != value
    ]
    if changed:
        raise PluginBlocked(f"{info.key} differs from the plugin lock {path} ({'; '.join(changed)}); hb plugins lock")
