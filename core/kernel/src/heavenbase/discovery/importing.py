"""Importing what an entry point names, with a time limit, so that a plugin that hangs or fails hurts nobody else."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING, Any

from heavenbase.errors import PluginLoadError, PluginTimeout

if TYPE_CHECKING:
    from heavenbase.discovery.inventory import PluginInfo


def import_entry_point(info: PluginInfo, timeout: float | None) -> Any:
    """What the entry point names; PluginLoadError when its import raises, PluginTimeout after `timeout` seconds."""
    box: list[Any] = []

    def attempt() -> None:
        try:
            box.append(_resolve_entry_point(info))
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
        details = "".join(traceback.format_exception(loaded))
        error = PluginLoadError(
            f"{info.key} of {info.distribution} {info.version} cannot be imported: "
            f"{type(loaded).__name__}: {loaded}; try: pip install --upgrade {info.distribution}"
        )
        error.body = details
        raise error from loaded
    return loaded


def _resolve_entry_point(info: PluginInfo) -> Any:
    from importlib import import_module

    module, _, path = info.value.partition(":")
    found: Any = import_module(module.strip())
    for name in (path.strip() or "plugin").split("."):
        found = getattr(found, name)
    return found
