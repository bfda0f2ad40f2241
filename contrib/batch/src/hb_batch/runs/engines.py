"""Engines: the one that runs shards here one after another, and the work that another one may take elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os.path import join

from hb_batch.journal import Journal, mend, states_of
from hb_batch.runs.runner import Runner
from hb_batch.runs.settings import Settings
from hb_batch.runs.tally import Tally
from hb_batch.shards import Shard, ShardResult


class LocalEngine:
    """One shard after another, in this process."""

    def run(self, shards: Iterable[Shard], work: Callable[[Shard], ShardResult]) -> Iterator[ShardResult]:
        """The results, as they come."""
        return map(work, shards)


@dataclass(frozen=True, slots=True)
class ShardWork:
    """Answers any shard of an input file, anywhere that has the file: rows go to a file of the shard's own in `parts`.

    It can be pickled, and makes a kernel of its own from the settings of where it runs. A shard that is given again
    goes on where it ended.
    """

    path: str
    parts: str
    settings: Settings

    def __call__(self, shard: Shard) -> ShardResult:
        """Answer a shard."""
        from heavenbase.kernel import Kernel

        output = join(self.parts, f"{shard.index:06}.jsonl")
        mend(output)
        with Kernel() as kernel, Journal(output, states_of(output)) as journal:
            tally = Tally(kernel.clock, None, journal.states.counts())
            runner = Runner(kernel, self.path, self.settings, journal, tally)
            try:
                found = runner.run(shard)
            finally:
                runner.close()
        return ShardResult(found.index, found.counts, found.is_complete, output)
