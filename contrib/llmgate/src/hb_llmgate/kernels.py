"""The kernel that answers: the caller's, or one that knows the `.env` file of this folder, or the default one."""

from __future__ import annotations

import atexit
import os
from threading import Lock
from typing import Any

from heavenbase.config import Config
from heavenbase.discovery import vendor_variables
from heavenbase.functions import chosen_kernel, default_kernel
from heavenbase.kernel import Kernel

_lock = Lock()
_kernel: tuple[Any, Kernel] | None = None
"""The last kernel with a file, and which file it was, as it was then."""


def kernel_of(given: Any = None) -> Kernel:
    """The kernel that was passed, or set as the default; else one with the keys in the `.env` of the working folder.

    Where there is no such file it is the default kernel of hb. A file that has changed is read anew; what counts of it,
    and what turns it off, is for `Config.load` to say.
    """
    kernel = given if given is not None else chosen_kernel()
    if kernel is not None:
        return kernel
    try:
        path = os.path.join(os.getcwd(), ".env")
        found = os.stat(path)
    except OSError:  # no file, or no folder any more
        return default_kernel()
    return _with_file((os.getpid(), path, found.st_mtime_ns, found.st_size))


def _with_file(file: Any) -> Kernel:
    global _kernel
    held = _kernel
    if held is not None and held[0] == file:
        return held[1]
    with _lock:
        if _kernel is None or _kernel[0] != file:
            made = Kernel(Config.load(dotenv=vendor_variables))
            atexit.register(made.close)
            _kernel = (file, made)
        return _kernel[1]
