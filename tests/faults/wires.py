"""Runs faults of the matrix on every native wire, in both colours: a kernel and a server for each, and fake time."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.colours import COLOURS
from hb_testing.conformance.rig import KEY, PROMPT, Rig
from heavenbase.errors import HBError
from tests.fuzz.wires import WIRES, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hb_testing.server import Wire as ServerWire
    from heavenbase.types import Completion

BOTH = ("chat", "stream")
EVERY = [pytest.param((wire, colour), id=f"{wire.name}-{colour}") for wire in WIRES for colour in sorted(COLOURS)]
"""Every wire in every colour."""


@dataclass
class Ran:
    """What a call came to: the answer or the error, the pieces of text that came, the waits, the requests."""

    answer: Completion | None = None
    error: HBError | None = None
    pieces: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    requests: int = 0

    @property
    def text(self) -> str:
        """The pieces as one."""
        return "".join(self.pieces)


class Bench:
    """One wire in one colour. Each run is a call of three attempts in all, with the server's counts begun anew."""

    def __init__(self, wire: Wire, rig: Rig) -> None:
        self.wire = wire
        self.rig = rig
        self.server = rig.server

    @property
    def speaker(self) -> ServerWire:
        """The server's side of the wire."""
        return self.server.wires[self.rig.wire]

    def run(self, verb: str, fault: str = "", *, content: Any = PROMPT, llm: Any = None, **options: Any) -> Ran:
        """One call under a fault."""
        rig, ran = self.rig, Ran()
        self.server._counts.clear()
        target = rig.llm(fault, max_retries=2) if llm is None else llm
        waits, asked = len(rig.clock.slept), self.server.request_count
        try:
            if verb == "chat":
                ran.answer = rig.colour.chat(target, content, **options)
            else:
                rig.colour.run(
                    lambda: self._read(target, content, options, ran),
                    lambda: self._aread(target, content, options, ran),
                )
        except HBError as error:
            ran.error = error
        ran.slept = rig.clock.slept[waits:]
        ran.requests = self.server.request_count - asked
        # What one target asks to wait is no matter of the next fault.
        rig.clock.sleep(10_000.0)
        return ran

    def _read(self, llm: Any, content: Any, options: dict[str, Any], ran: Ran) -> None:
        for item in llm.stream(content, include=["text", "completion"], **options):
            self._take(item, ran)

    async def _aread(self, llm: Any, content: Any, options: dict[str, Any], ran: Ran) -> None:
        async for item in llm.astream(content, include=["text", "completion"], **options):
            self._take(item, ran)

    def _take(self, item: dict[str, Any], ran: Ran) -> None:
        ran.pieces.append(item.get("text") or "")
        ran.answer = item.get("completion") or ran.answer

    def error(self, verb: str, fault: str = "", *, kinds: Any, requests: int | None = None, **options: Any) -> HBError:
        """The error of a call, which must be of one of these kinds, after so many requests, and show no key."""
        ran = self.run(verb, fault, **options)
        what = f"{verb} under {fault}"
        assert ran.error is not None, f"{what} answered {ran.answer!r}"
        assert isinstance(ran.error, kinds), f"{what}: {ran.error!r}"
        if requests is not None:
            assert len(ran.error.attempts) == requests, f"{what}: {ran.error.attempts}"
        for shown in (str(ran.error), repr(ran.error), str(ran.error.body)):
            assert KEY not in shown, f"{what} shows the key"
        if ran.error.partial is not None:
            assert ran.error.partial.text == ran.text, f"{what} kept {ran.error.partial.text!r} of {ran.text!r}"
        return ran.error


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A wire in a colour: parametrise with EVERY, indirectly."""
    wire, name = request.param
    with closing(COLOURS[name]()) as colour, wire.rig(colour, retry={"budget_floor": 100_000}) as rig:
        yield Bench(wire, rig)


def on_every(*, without: Sequence[str] = (), because: str = "") -> Any:
    """Run a test on every wire in both colours, but for those named, for the reason given."""
    marks = [
        pytest.param(each.values[0], id=each.id, marks=pytest.mark.skip(reason=because))
        if each.values[0][0].name in without  # type: ignore[index, union-attr]
        else each
        for each in EVERY
    ]
    return pytest.mark.parametrize("bench", marks, indirect=True)
