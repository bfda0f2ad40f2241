"""Rows of the input, put together as far as the provider takes them: by count, by bytes, by what one job may hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hb_batch.native.endpoint import Endpoint
from hb_batch.native.settings import NativeSettings
from heavenbase.errors import InputError
from heavenbase.operations import BatchPart

MEMORY: Final = 2
"""How many full parts may wait in memory, where a file asks for many models in turn."""
ENVELOPE: Final = 64
"""Bytes around all lines of a part."""


@dataclass(slots=True)
class Pile:
    """Requests of one job so far: their line numbers, their lines as they are sent, and how many bytes they have."""

    endpoint: Endpoint
    sample: BatchPart
    numbers: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = ENVELOPE
    inputs: int = 0
    """Texts to embed, in all of them."""

    @property
    def place(self) -> dict[str, Any]:
        """Where it belongs."""
        return {**self.endpoint.place, "model": self.endpoint.spec.model_id, "endpoint": self.sample.endpoint}


class Piles:
    """Piles by what one job may hold together; `add` gives those that are full."""

    def __init__(self, settings: NativeSettings) -> None:
        self._settings = settings
        self._open: dict[Any, Pile] = {}

    def add(self, endpoint: Endpoint, number: int, made: BatchPart, inputs: int = 0) -> Iterator[Pile]:
        """Put a request, with so many texts to embed, on its pile. InputError for one that no job may have."""
        [line] = made.lines
        most = min(endpoint.most_bytes, self._settings.most_bytes)
        count = min(endpoint.most_requests, self._settings.most_requests or endpoint.most_requests)
        size = len(line) + 1
        if size + ENVELOPE > most:
            raise InputError(f"the request has {len(line)} bytes, and a part of a batch has {most} at most")
        texts = endpoint.most_inputs
        if texts is not None and inputs > texts:
            raise InputError(f"the request has {inputs} texts to embed, and a part of a batch has {texts} at most")
        spec = endpoint.spec
        model = None if endpoint.has_mixed_models else spec.model_id
        key = spec.target_key(), spec.gateway, model, made.endpoint, *sorted(made.headers.items())
        pile = self._open.get(key)
        is_full = pile is not None and (
            pile.size + size > most or len(pile.lines) >= count or (texts is not None and pile.inputs + inputs > texts)
        )
        if is_full:
            yield self._open.pop(key)
            pile = None
        if pile is None:
            pile = self._open[key] = Pile(endpoint, made)
        pile.numbers.append(number)
        pile.lines.append(line)
        pile.size += size
        pile.inputs += inputs
        if sum(it.size for it in self._open.values()) > MEMORY * self._settings.most_bytes:
            largest = max(self._open, key=lambda it: self._open[it].size)
            yield self._open.pop(largest)

    def rest(self) -> Iterator[Pile]:
        """Those that are left at the end."""
        while self._open:
            yield self._open.pop(next(iter(self._open)))
