"""Batches that a provider answers in its own time, at its lower price: `--mode native`.

parts      rows of the input, put together as far as the provider takes them
intents    what is about to be sent, and what was: written before anything is
endpoint   the provider's batches, asked by the operations of its gateway
lookup     a submit that nobody answered, found again
results    what came back, checked and turned into rows
run        all of it, from any process
"""

from __future__ import annotations

from hb_batch.native.run import NativeRun
from hb_batch.native.settings import NativeProgress, NativeReport, NativeSettings

__all__ = ["NativeProgress", "NativeReport", "NativeRun", "NativeSettings"]
