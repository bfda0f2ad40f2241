"""Below the SDK: one exchange over pooled connections, in both colours, with its own clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.http.transport.transport import hb_error

__all__ = ["hb_error"]

__getattr__, __dir__ = front(__name__, {"hb_error": "transport"})
