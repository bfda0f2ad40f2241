"""What endpoints offer beside the three verbs: counts of tokens, lists of models, rerank, files.

    results    what comes back, typed
    asking     the gateway's method for an operation, found by its name
    facade     the methods of `LLM`
    listing    lists in pages, and models as every wire tells of them
    estimate   a count of tokens without an endpoint

Nothing here is loaded before an operation is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.operations.facade import Operations as Operations
    from heavenbase.operations.listing import listed as listed, model_info as model_info
    from heavenbase.operations.results import Listing as Listing, ModelInfo as ModelInfo
    from heavenbase.operations.results import OperationResult as OperationResult, TokenCount as TokenCount
    from heavenbase.operations.results import counted as counted

__getattr__, __dir__ = front(
    __name__,
    {
        "facade": "Operations",
        "listing": "listed model_info",
        "results": "Listing ModelInfo OperationResult TokenCount counted",
    },
)
