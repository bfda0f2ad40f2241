"""The one small interface by which a batch is cut: shards of the input, an engine that runs them, their results.

The engine of this package runs one shard after another in this process. Another one may run them elsewhere and in any
order: `work(shard)` is all that it needs, and can be pickled. Each shard then has an output of its own, which
`hb_batch.merging` joins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from hb_batch.errors import BatchFileError
from hb_batch.index import Index, Place
from hb_batch.lines import lines_of, opened
from hb_batch.rows import BadRow, custom_id_of, decoded, key_of

LINES: Final = 50_000
"""Lines in a shard."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A stretch of the input: `lines` lines from number `first_line` on, which begins at byte `offset`, to byte `end`.

    `repeated` has the lines whose custom_id an earlier line has, with the number of that one; only who sees all the
    input can tell them. `done` are lines that have a row that stays, where the rows are not beside whoever runs it.
    """

    index: int
    first_line: int
    lines: int
    offset: int
    end: int
    repeated: Mapping[int, int] = field(default_factory=dict)
    done: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of a shard: rows by status, and whether all its requests have one that stays."""

    index: int
    counts: Mapping[str, int]
    is_complete: bool = True
    output: str | None = None
    """The file with the rows of this shard, where it has one of its own."""


class Engine(Protocol):
    """Runs shards: `work` answers all requests of one shard, in this process or any other, and may be repeated."""

    def run(self, shards: Iterable[Shard], work: Callable[[Shard], ShardResult]) -> Iterable[ShardResult]: ...


def shards_of(path: str, index: Index, *, lines: int = LINES, size: int | None = None) -> Iterator[Shard]:
    """The shards of an input file, each as it is reached; `index` is filled with the custom_ids."""
    number, first, begin, last = 0, 1, 0, 0
    repeated: dict[int, int] = {}
    with opened(path) as file:
        for line in lines_of(file, size=size):
            if line.number - first >= lines:
                yield Shard(number, first, line.number - first, begin, line.offset, repeated)
                number, first, begin, repeated = number + 1, line.number, line.offset, {}
            last = line.number
            try:
                name = custom_id_of(decoded(line.data, line.number), line.number)
            except BadRow:
                continue
            earlier = index.add(key_of(name, line.number), Place(0, line.number))
            if earlier is not None and earlier.offset != line.number:
                repeated[line.number] = earlier.offset
        end = file.tell()
    if last >= first:
        yield Shard(number, first, last - first + 1, begin, end if size is None else size, repeated)
    if number == 0 and last == 0:
        raise BatchFileError(f"{path} has no requests")
