"""The plugin by which `hb.batch` finds this package."""

from __future__ import annotations

from typing import Any, ClassVar

from hb_batch.memory import abatch, batch
from hb_batch.results import BatchResult
from heavenbase.plugin import Loadable


class Batches(Loadable):
    """Batches in memory, for a kernel."""

    kind: ClassVar[str] = "contrib"
    name = "batch"

    def batch(self, kernel: Any, requests: Any, **options: Any) -> BatchResult:
        """As `hb_batch.batch`."""
        return batch(requests, kernel=kernel, **options)

    async def abatch(self, kernel: Any, requests: Any, **options: Any) -> BatchResult:
        """As `hb_batch.abatch`."""
        return await abatch(requests, kernel=kernel, **options)
