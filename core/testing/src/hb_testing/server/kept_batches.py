"""Batches that a wire keeps: their requests are answered by the wire itself, and show in the states of a real job.

    kept = server.wires["openai"].batches
    kept.looks = 3                      # in progress for three looks
    kept.fates["row-7"] = "expired"     # or "missing", "cancelled", "twice", a status such as 429
    kept.is_shuffled = True             # results come in another order

Queued replies answer the requests of the next batch, one each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

from hb_testing.server.answers import Action, Answer, Reply
from hb_testing.server.http import dumps, encode_body, head
from hb_testing.server.wire import Exchange, Rejected

DAY = 24 * 60 * 60


@dataclass
class KeptBatch:
    """One job: what it was made with, its items, and how often it was looked at."""

    id: str
    created: float
    items: list[tuple[str, Reply]]
    """Of each request its custom_id, and what the wire answers to it."""
    said: dict[str, Any] = field(default_factory=dict)
    looks: int = 0
    is_cancelled: bool = False
    problems: list[dict[str, Any]] = field(default_factory=list)
    ended: float | None = None
    files: dict[str, str | None] | None = None
    """The files with its results, where the wire has such, when they are made."""


class KeptBatches:
    """The batches of one wire, and how they behave. `answered` requests of a job are done before it is cancelled."""

    def __init__(self, prefix: str) -> None:
        self.kept: dict[str, KeptBatch] = {}
        self.looks = 1
        self.fates: dict[str, str | int] = {}
        self.is_shuffled = False
        self.answered = 0
        self.foreign: list[bytes] = []
        """Lines that stand in results beside those of the job."""
        self.made = 0
        """How many jobs were made, also those that are deleted."""
        self.struck = 0
        """How often a fault of batches struck."""
        self._prefix = prefix

    def make(self, exchange: Exchange, asked: list[tuple[str, str, Mapping[str, Any]]], **said: Any) -> KeptBatch:
        """Keep a job; `asked` are custom_id, path and body of each request."""
        items = [(name, self._answered(exchange, name, path, body)) for name, path, body in asked]
        self.made += 1
        made = KeptBatch(f"{self._prefix}{self.made}", exchange.server.now(), items, said)
        self.kept[made.id] = made
        return made

    def _answered(self, exchange: Exchange, name: str, path: str, body: Mapping[str, Any]) -> Reply:
        fate = self.fates.get(name)
        if isinstance(fate, int):
            return exchange.wire.error(fate, exchange.wire.message(fate))
        request = replace(exchange.request, method="POST", path=path, body=dumps(body))
        answer = exchange.wire.handle(Exchange(exchange.server, request, exchange.wire, path))
        if not isinstance(answer, Reply):
            raise Rejected("a request of a batch cannot be streamed")
        return answer

    def looked_at(self, exchange: Exchange) -> KeptBatch:
        """The job that the path names, one look older."""
        return self._older(self.find(exchange), exchange)

    def _older(self, found: KeptBatch, exchange: Exchange) -> KeptBatch:
        found.looks += 1
        if found.ended is None and (found.looks > self.looks or found.problems or found.is_cancelled):
            found.ended = exchange.server.now()
        return found

    def find(self, exchange: Exchange) -> KeptBatch:
        """The job that the path names."""
        found = self.kept.get(exchange.params["batch"])
        if found is None:
            raise Rejected(f"No batch found with id '{exchange.params['batch']}'.", status=404, code=None)
        return found

    def cancel(self, exchange: Exchange) -> KeptBatch:
        """Cancel the job that the path names, unless it has ended."""
        found = self.find(exchange)
        if found.ended is None:
            found.is_cancelled, found.looks = True, 0
        return found

    def fate(self, batch: KeptBatch, place: int) -> str:
        """What becomes of a request: "answered", "expired", "cancelled", "missing" or "twice"."""
        found = self.fates.get(batch.items[place][0])
        if batch.is_cancelled and place >= self.answered:
            return "cancelled"
        return found if isinstance(found, str) else "answered"

    def fates_of(self, batch: KeptBatch) -> list[str]:
        """What becomes of each request."""
        return [self.fate(batch, place) for place in range(len(batch.items))]

    def ordered(self, batch: KeptBatch) -> list[tuple[str, Reply, str]]:
        """The requests as they stand in results: custom_id, answer, fate; without those that are missing."""
        rows = [(*item, fate) for item, fate in zip(batch.items, self.fates_of(batch), strict=True)]
        rows = [row for row in rows if row[2] != "missing"] + [row for row in rows if row[2] == "twice"]
        return rows[::-1] if self.is_shuffled else rows

    def page(self, exchange: Exchange, cursor: str, limit: int) -> tuple[list[KeptBatch], bool]:
        """The jobs behind a cursor, the newest first and one look older, and whether there are more."""
        asked = {name: values[-1] for name, values in parse_qs(exchange.query).items()}
        known = list(self.kept)[::-1]
        size = int(asked.get("limit", "20"))
        if not 1 <= size <= limit:
            raise Rejected(f"limit must be between 1 and {limit}", param="limit")
        start = known.index(asked[cursor]) + 1 if cursor in asked else 0
        found = [self._older(self.kept[each], exchange) for each in known[start : start + size]]
        return found, start + size < len(known)


def body_of(answer: Reply) -> Any:
    """The body of an answer as data."""
    return json.loads(encode_body(answer.body)[0])


def lines(rows: list[Any], foreign: list[bytes]) -> bytes:
    """Rows as a file of JSON lines."""
    return b"".join(row + b"\n" for row in [*map(dumps, rows), *foreign])


def cut_off(data: bytes) -> Answer:
    """Half of a file, after which the connection breaks."""
    whole = {"content-type": "application/octet-stream", "content-length": str(len(data))}
    return [head(200, whole) + data[: len(data) // 2], Action.CLOSE]
