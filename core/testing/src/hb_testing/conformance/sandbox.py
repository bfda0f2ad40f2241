"""Watches over a block of code: what it dials, what it leaves behind, what it logs."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavenbase.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"})
WAITING = NETWORK | {"subprocess.Popen", "os.system", "time.sleep"}
OWN_THREADS = ("hb", "loopback-server", "asyncio_")
"""Beginnings of the names of threads that belong to core, to the kit's server and to event loops that end with them."""

_FOLDER = Path("/proc/self/fd")
_GRACE = 1.0

_listeners: list[Callable[[str, tuple[Any, ...]], None]] = []
_installed = threading.Event()


@contextlib.contextmanager
def audited(listener: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """Let `listener(event, arguments)` hear the interpreter's audit events within the block; it may raise."""
    if not _installed.is_set():
        # A hook can never be taken out again, so there is one for all, and it is idle outside of these blocks.
        _installed.set()
        sys.addaudithook(_hook)
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listeners:
        listener(event, arguments)


@contextlib.contextmanager
def no_network(thread_only: bool = True) -> Iterator[list[str]]:
    """Refuse to dial, listen, start processes or sleep; the list holds what was tried."""
    tried: list[str] = []
    me = threading.get_ident()

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in WAITING and not (thread_only and threading.get_ident() != me):
            tried.append(event)
            raise TransportError(f"the conformance kit allows no {event} here")

    with audited(refuse):
        yield tried


@contextlib.contextmanager
def dialled() -> Iterator[list[tuple[str, int]]]:
    """The internet addresses (host, port) that the block connects to, whatever thread does it."""
    found: list[tuple[str, int]] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            found.append((str(arguments[1][0]), int(arguments[1][1])))

    with audited(note):
        yield found


@dataclass
class Leftovers:
    """What a block left behind, filled in when it ends."""

    threads: list[str] = field(default_factory=list)
    descriptors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@contextlib.contextmanager
def leftovers() -> Iterator[Leftovers]:
    """Compare threads and descriptors (on Linux) before and after the block, and catch its ResourceWarnings."""
    found = Leftovers()
    gc.collect()
    threads, descriptors = set(threading.enumerate()), _descriptors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield found
        deadline = time.monotonic() + _GRACE
        while True:
            gc.collect()
            found.threads = [
                t.name for t in threading.enumerate() if t not in threads and not t.name.startswith(OWN_THREADS)
            ]
            found.descriptors = [name for name in _descriptors() if name not in descriptors]
            if not (found.threads or found.descriptors) or time.monotonic() > deadline:
                break
            time.sleep(0.005)
    found.warnings = [str(item.message) for item in caught if issubclass(item.category, ResourceWarning)]


def _descriptors() -> list[str]:
    if not _FOLDER.is_dir():
        return []
    names = []
    for entry in os.listdir(_FOLDER):
        # The descriptor that lists the folder is gone by now.
        with contextlib.suppress(OSError):
            names.append(f"{entry} -> {os.readlink(_FOLDER / entry)}")
    return names


@contextlib.contextmanager
def records() -> Iterator[list[str]]:
    """Every log record of every logger at DEBUG, as all the text that it holds."""
    lines: list[str] = []
    formatter = logging.Formatter()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{formatter.format(record)} {record.__dict__!r}")

    handler, root = Keep(level=0), logging.getLogger()
    level, disabled = root.level, logging.root.manager.disable
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logging.disable(disabled)
