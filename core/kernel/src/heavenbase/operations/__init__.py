"""What endpoints offer beside the three verbs: counts of tokens, lists of models, rerank, files.

    results    what comes back, typed
    asking     the gateway's method for an operation, found by its name
    facade     the methods of `LLM`
    files      `llm.files`, and what is asked of files
    listing    lists in pages, and dates and numbers in them
    rerank     what is asked of a rerank, and its answers
    estimate   a count of tokens without an endpoint
    background answers that are made in the background: sent once, polled, cancelled; its methods in `jobs`

Nothing here is loaded before an operation is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.operations.estimate import estimated_text as estimated_text, estimated_tokens as estimated_tokens
    from heavenbase.operations.facade import Operations as Operations, ask as ask
    from heavenbase.operations.files import Files as Files, FileUpload as FileUpload
    from heavenbase.operations.listing import id_of as id_of, listed as listed, number_of as number_of
    from heavenbase.operations.listing import seconds_of as seconds_of
    from heavenbase.operations.rerank import Rerank as Rerank, ranking as ranking, rerank_body as rerank_body
    from heavenbase.operations.results import JOB_STATES as JOB_STATES, Job as Job
    from heavenbase.operations.results import BATCH_STATES as BATCH_STATES, BatchJob as BatchJob, BatchPart as BatchPart
    from heavenbase.operations.results import LOCAL as LOCAL, FileInfo as FileInfo
    from heavenbase.operations.results import Listing as Listing, ModelInfo as ModelInfo
    from heavenbase.operations.results import Ranked as Ranked, Ranking as Ranking
    from heavenbase.operations.results import OperationResult as OperationResult, TokenCount as TokenCount
    from heavenbase.operations.results import countable as countable, counted as counted, verb_of as verb_of

__getattr__, __dir__ = front(
    __name__,
    {
        "estimate": "estimated_text estimated_tokens",
        "facade": "Operations ask",
        "files": "FileUpload Files",
        "listing": "id_of listed number_of seconds_of",
        "rerank": "Rerank ranking rerank_body",
        "results": (
            "BATCH_STATES BatchJob BatchPart FileInfo JOB_STATES Job LOCAL Listing ModelInfo OperationResult "
            "Ranked Ranking TokenCount countable counted verb_of"
        ),
    },
)
