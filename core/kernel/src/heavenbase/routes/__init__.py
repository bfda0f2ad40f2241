"""Routes: several targets that stand for one, and the order and the rules by which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.routes.route import Breaker, Route, Routing, Target
    from heavenbase.routes.reading import to_route

__all__ = ["Breaker", "Route", "Routing", "Target", "to_route"]

__getattr__, __dir__ = front(__name__, {"reading": "to_route", "route": "Breaker Route Routing Target"})
