"""The kernel that answers: the caller's, else the default one."""

from __future__ import annotations

from typing import Any

from heavenbase.functions import default_kernel
from heavenbase.kernel import Kernel


def kernel_of(given: Any = None) -> Kernel:
    """The kernel that was passed; without one, that of all functions of hb."""
    return given if given is not None else default_kernel()
