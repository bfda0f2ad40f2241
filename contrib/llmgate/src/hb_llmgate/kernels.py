"""The kernel that answers: the caller's, or one that knows the `.env` file of this folder, or the default one."""

from __future__ import annotations

import atexit
import os
from threading import Lock
from typing import Any

from hb_llmgate.exceptions import InvalidRequestError
from heavenbase.config import Config
from heavenbase.discovery import vendor_variables
from heavenbase.functions import chosen_kernel, default_kernel
from heavenbase.kernel import Kernel

KEPT = 8
"""Kernels with a file that are kept, so that a program which goes from folder to folder makes no new one each time."""

_lock = Lock()
_kernels: dict[Any, Kernel] = {}
"""The kernels with a file by which file it was, as it was then; the one that was used last stands last."""


def kernel_of(given: Any = None) -> Kernel:
    """The kernel that was passed, or set as the default; else one with the keys in the `.env` of the working folder.

    Where there is no such file it is the default kernel of hb. A file that has changed is read anew; what counts of it,
    and what turns it off, is for `Config.load` to say. InvalidRequestError where what was passed is no kernel.
    """
    if not isinstance(given, Kernel | None):
        raise InvalidRequestError(f"kernel must be a Kernel of hb, not {type(given).__name__}")
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
    with _lock:
        found = _kernels.pop(file, None)
        if found is None:
            found = Kernel(Config.load(dotenv=vendor_variables))
            if not _kernels:
                atexit.register(_close)
        _kernels[file] = found
        oldest = _kernels.pop(next(iter(_kernels))) if len(_kernels) > KEPT else None
    if oldest is not None:
        oldest.close()
    return found


def _close() -> None:
    with _lock:
        while _kernels:
            _kernels.popitem()[1].close()
