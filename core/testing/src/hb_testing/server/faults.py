"""The registry of faults, chosen by request path: `/f/<name>[-<argument>...]/v1/...`.

A fault is a function from an exchange to an answer. Register one so (it then works on every server of the process):

    @fault("X1.slow")                       # server.url("openai", fault="X1.slow-250")
    def slow(exchange: Exchange) -> Answer:
        milliseconds = int(exchange.args[0]) if exchange.args else 100
        return [Pause(milliseconds / 1000), response(200, b"{}"), Action.KEEP_OPEN]

- `exchange.wire.handle(exchange)` is the good answer, `exchange.stream()` a good stream in three parts,
  `exchange.wire.error(status, message)` an error in the provider's shape, `exchange.wire.streams(exchange)` whether a
  stream was asked for. With these one function serves every wire.
- `exchange.count` numbers the requests to this fault, for faults that heal; `exchange.args` are the words after its
  name.
- `wire="openai"` limits a fault to wires of that family; such a fault wins over a general one of the same name.
- `before_body=True` strikes when the head has been read, and the body is not read at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from hb_testing.server.answers import Answer
from hb_testing.server.wire import Exchange
from heavenbase.errors import PluginConflict, UnknownNameError

FaultFunction = Callable[[Exchange], Answer]
Marked = TypeVar("Marked", bound=FaultFunction)


@dataclass(frozen=True, slots=True)
class Fault:
    """A registered fault; `args` are the words that followed its name in a path."""

    name: str
    family: str
    answer: FaultFunction
    before_body: bool = False
    args: tuple[str, ...] = ()


_FAULTS: dict[tuple[str, str], Fault] = {}


def fault(*names: str, wire: str = "", before_body: bool = False) -> Callable[[Marked], Marked]:
    """Register a function as the fault of each of `names`. Raises PluginConflict for a name that is taken."""

    def register(function: Marked) -> Marked:
        for name in names:
            taken = _FAULTS.get((name, wire))
            if taken is not None:
                raise PluginConflict(f"fault {name!r} is registered twice: {taken.answer!r} and {function!r}")
            _FAULTS[name, wire] = Fault(name, wire, function, before_body)
        return function

    return register


def find_fault(name: str, family: str) -> Fault:
    """The fault for a path segment: the longest registered name, and what follows it as arguments.

    Raises UnknownNameError.
    """
    stem, words = name, list[str]()
    while True:
        found = _FAULTS.get((stem, family)) or _FAULTS.get((stem, ""))
        if found is not None:
            return replace(found, args=tuple(reversed(words)))
        cut = max(stem.rfind("-"), stem.rfind("."))
        if cut < 0:
            raise UnknownNameError("fault", name, fault_names(family))
        words.append(stem[cut + 1 :])
        stem = stem[:cut]


def fault_names(family: str = "openai") -> tuple[str, ...]:
    """The faults that a wire of `family` can show, sorted."""
    return tuple(sorted({name for name, wire in _FAULTS if wire in ("", family)}))


def argument(exchange: Exchange, index: int, default: int) -> int:
    """The `index`-th argument as a number."""
    return int(exchange.args[index]) if index < len(exchange.args) else default
