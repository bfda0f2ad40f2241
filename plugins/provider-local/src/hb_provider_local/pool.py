"""Engines shared by everybody in the process who runs the same file in the same way."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, TypeAlias

from hb_provider_local.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from hb_provider_local.settings import Settings

_Key: TypeAlias = "tuple[str, int, int, Settings]"

_lock = threading.Lock()
_engines: dict[_Key, tuple[Engine, int]] = {}


def lease(path: Path, settings: Settings) -> Engine:
    """The engine for this file and these settings; give it back with `release`. InputError when it is no model."""
    real = os.path.realpath(path)
    found = path.stat()
    # A file that was replaced under its name is another model.
    key = (real, found.st_mtime_ns, found.st_size, settings)
    with _lock:
        engine, users = _engines.get(key) or (Engine(path, settings), 0)
        _engines[key] = engine, users + 1
        return engine


def release(engine: Engine) -> None:
    """Give a leased engine back; the last one frees its memory."""
    with _lock:
        for key, (known, users) in list(_engines.items()):
            if known is not engine:
                continue
            if users > 1:
                _engines[key] = engine, users - 1
                return
            del _engines[key]
    engine.close()


def _after_fork() -> None:
    # Another thread of the parent may have held the lock; in the child nobody will ever free it.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
