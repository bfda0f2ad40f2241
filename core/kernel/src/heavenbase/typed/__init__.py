"""Types for users' own signatures: `def ask(**options: Unpack[Options])`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.typed.options import Options

__all__ = ["Options"]
__getattr__, __dir__ = front(__name__, {"Options": "options"})
