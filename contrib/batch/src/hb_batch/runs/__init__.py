"""Runs from file to file: their settings and budget, the runner of shards, how far they are, and what is told of them.

settings     who is asked and how, as the manifest keeps it
pricing      tokens and cost of a request before it is sent; budget, the cap that is kept with them
runner       answers shards on a loop of its own; engines, who gives it shards; interrupts, what ends it early
files        a run begun, gone on with, repeated for what failed
tally        how far it is; meter shows that
telling      the state of a run, and what a file may come to, without sending anything
"""

from __future__ import annotations

from hb_batch.runs.engines import LocalEngine, ShardWork
from hb_batch.runs.files import FileRun, Finished
from hb_batch.runs.settings import Settings

__all__ = ["FileRun", "Finished", "LocalEngine", "Settings", "ShardWork"]
