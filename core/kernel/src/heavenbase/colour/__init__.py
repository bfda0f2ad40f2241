"""One source, two colours: drivers, several items at once, sync code in threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.colour.drive import aclose as aclose
    from heavenbase.colour.parallel import call_in_thread as call_in_thread

__getattr__, __dir__ = front(__name__, {"drive": "aclose", "parallel": "call_in_thread"})
