"""Types for signatures of one's own: `def ask(question: str, **options: Unpack[hb.Options]) -> str`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

# fmt: off
if TYPE_CHECKING:
    from heavenbase.typed.options import Options as Options
# fmt: on

__getattr__, __dir__ = front(
    __name__,
    {
        "options": "Options",
    },
)
