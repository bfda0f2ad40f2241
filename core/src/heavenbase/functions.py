"""Functions over the default kernel, which is made on first use and closed at exit."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavenbase.kernel import Kernel

_lock = threading.Lock()
_kernel: tuple[int, Kernel] | None = None


def default_kernel() -> Kernel:
    """The kernel of `LLM(...)` without `kernel=`: the installed plugins and the user's configuration."""
    global _kernel
    found = _kernel
    if found is not None and found[0] == os.getpid():
        return found[1]
    with _lock:
        if _kernel is None or _kernel[0] != os.getpid():
            from heavenbase.kernel import Kernel

            _kernel = (os.getpid(), Kernel())
            atexit.register(_kernel[1].close)
        return _kernel[1]


def set_default_kernel(kernel: Kernel | None) -> None:
    """Use another kernel by default; None makes a fresh one on next use. The old one is not closed."""
    global _kernel
    with _lock:
        _kernel = (os.getpid(), kernel) if kernel is not None else None
