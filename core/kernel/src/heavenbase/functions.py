"""Functions over the default kernel, which is made on first use and closed at exit.

hb.completion("gpt-4o-mini", "Say hello.").text
hb.completion(["gpt-4o-mini", "groq/llama-3.1-8b-instant"], messages, stream=True)
hb.parse("gpt-4o-mini", "Name a film.", response_format=Film)
hb.embed("text-embedding-3-small", ["one", "two"])
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase.kernel import Kernel

GIVEN = 0
"""In the place of a process id: a kernel that the caller chose, which a forked child keeps."""

_lock = threading.Lock()
_kernel: tuple[int, Kernel] | None = None


def default_kernel() -> Kernel:
    """The kernel of `LLM(...)` without `kernel=`: the installed plugins and the user's configuration."""
    global _kernel
    found = _kernel
    if found is not None and found[0] in (GIVEN, os.getpid()):
        return found[1]
    with _lock:
        if _kernel is None or _kernel[0] not in (GIVEN, os.getpid()):
            from heavenbase.kernel import Kernel

            _kernel = (os.getpid(), Kernel())
            atexit.register(_kernel[1].close)
        return _kernel[1]


def kernel_of(given: Any = None) -> Kernel:
    """The kernel that a caller gave, or the default one; InputTypeError for what is no kernel."""
    if given is None:
        return default_kernel()
    from heavenbase.errors import InputTypeError
    from heavenbase.kernel import Kernel

    if not isinstance(given, Kernel):
        raise InputTypeError(f"kernel must be a Kernel, not {type(given).__name__}")
    return given


def chosen_kernel() -> Kernel | None:
    """The kernel that somebody set as the default; None where it is, or would be, the one that hb makes itself."""
    found = _kernel
    return found[1] if found is not None and found[0] == GIVEN else None


def set_default_kernel(kernel: Kernel | None) -> None:
    """Use another kernel by default; None makes a fresh one on next use. The old one is not closed."""
    global _kernel
    if kernel is not None:
        kernel_of(kernel)
    with _lock:
        _kernel = (GIVEN, kernel) if kernel is not None else None
