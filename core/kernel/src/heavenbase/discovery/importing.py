"""Importing what an entry point names: whether it may be, and so that one that hangs or fails hurts nobody else.

A plugin may be imported that is not disabled, on the allow-list, and as in the lock.
"""

from __future__ import annotations

import copy
import threading
import traceback
from collections.abc import Iterable, Mapping
from functools import reduce
from importlib import import_module
from typing import Any

from heavenbase.discovery.inventory import PluginInfo, normal_name
from heavenbase.errors import PluginBlocked, PluginContractError, PluginLoadError, PluginTimeout


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


def make_plugin(info: PluginInfo, loaded: Any) -> Any:
    """The plugin that an entry point names or is the class of: each kernel has objects of its own."""
    try:
        return loaded() if isinstance(loaded, type) else copy.copy(loaded)
    except KeyboardInterrupt:
        raise
    except PluginContractError as error:
        raise PluginContractError(f"{info.key} of {info.distribution}: {error.message}") from error
    except BaseException as error:
        raise PluginLoadError(
            f"{info.key} of {info.distribution} {info.version} cannot be made: {type(error).__name__}: {error}; "
            f"try: pip install --upgrade {info.distribution}",
            body="".join(traceback.format_exception(error)),
        ) from error


def is_named(info: PluginInfo, names: Iterable[str] | None) -> bool:
    """Whether a list of the settings names the plugin, by its key or its distribution, however that is spelt."""
    return not {normal_name(info.key), normal_name(info.distribution)}.isdisjoint(map(normal_name, names or ()))


def check_allowed(settings: Mapping[str, Any], info: PluginInfo) -> None:
    """PluginBlocked unless `settings`, the table `heavenbase.plugins`, admit the plugin. Imports nothing of it."""
    if is_named(info, settings.get("disabled")):
        raise PluginBlocked(f"{info.key} is disabled; hb plugins enable {info.key}")
    allow = settings.get("allow")
    if allow is not None and not is_named(info, allow):
        raise PluginBlocked(f"{info.key} of {info.distribution} is not on the list heavenbase.plugins.allow")
    if lock := settings.get("lock"):
        from heavenbase.discovery.lock import check_lock  # few installations have one, and all ask

        check_lock(lock, info)
