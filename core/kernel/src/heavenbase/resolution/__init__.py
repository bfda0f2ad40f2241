"""From names to one LLMSpec: the catalogue, the resolver, addresses and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

# fmt: off
if TYPE_CHECKING:
    from heavenbase.resolution.catalog import fold as fold
    from heavenbase.resolution.endpoint import is_loopback as is_loopback, origin_of as origin_of
# fmt: on

__getattr__, __dir__ = front(__name__, {"catalog": "fold", "endpoint": "is_loopback origin_of"})
