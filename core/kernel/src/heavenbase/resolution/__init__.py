"""From names to one LLMSpec: the catalogue, the resolver, addresses and credentials, tables of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.resolution.arguments import check_options as check_options
    from heavenbase.resolution.catalog import fold as fold
    from heavenbase.resolution.endpoint import is_loopback as is_loopback, origin_of as origin_of
    from heavenbase.resolution.tables import ModelTable as ModelTable

__getattr__, __dir__ = front(
    __name__,
    {
        "arguments": "check_options",
        "catalog": "fold",
        "endpoint": "is_loopback origin_of",
        "tables": "ModelTable",
    },
)
