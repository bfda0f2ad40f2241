"""From names to one LLMSpec: the catalogue, the resolver, addresses and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.resolution.catalog import fold as fold
    from heavenbase.resolution.endpoint import is_loopback as is_loopback, origin_of as origin_of

__getattr__, __dir__ = front(__name__, {"catalog": "fold", "endpoint": "is_loopback origin_of"})
