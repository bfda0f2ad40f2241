"""Many calls at once: `hb.batch` in memory, and `hb batch run` from file to file, interrupted and resumed.

errors, rows, bodies       what a line of a batch file says, asked and answered
requests, results          what a caller gives and gets in memory
engine, memory, private    workers, and batches in memory in both colours
lines, index, journal      files that are larger than memory
folder, shards             the manifest and the lock of a run, and the pieces that it is cut into
"""

from __future__ import annotations

from hb_batch.errors import BatchFileError, BatchLocked, JournalError
from hb_batch.memory import abatch, batch
from hb_batch.results import BatchError, BatchResult, Progress
from hb_batch.shards import Engine, Shard, ShardResult

__all__ = [
    "BatchError",
    "BatchFileError",
    "BatchLocked",
    "BatchResult",
    "Engine",
    "JournalError",
    "Progress",
    "Shard",
    "ShardResult",
    "abatch",
    "batch",
]
