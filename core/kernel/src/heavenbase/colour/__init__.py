"""One source, two colours: drivers, several items at once, sync code in threads, hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.colour.blame import check_loop as check_loop
    from heavenbase.colour.drive import aclose as aclose
    from heavenbase.colour.hooks import is_callers as is_callers
    from heavenbase.colour.hooks import outcome as outcome
    from heavenbase.colour.parallel import call_in_thread as call_in_thread

__getattr__, __dir__ = front(
    __name__,
    {"blame": "check_loop", "drive": "aclose", "hooks": "is_callers outcome", "parallel": "call_in_thread"},
)
