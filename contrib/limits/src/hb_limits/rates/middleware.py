"""The middleware `limits`."""

from __future__ import annotations

from typing import ClassVar

from heavenbase.middleware import Middleware, Place


class Limits(Middleware):
    """Keeps requests within limits."""

    name = "limits"
    around: ClassVar[Place] = "attempt"
