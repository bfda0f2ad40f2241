"""What became of each parameter of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from heavenbase.details import Record

Outcome: TypeAlias = Literal["sent", "renamed", "clamped", "emulated", "dropped", "unknown"]


@dataclass(slots=True)
class ParameterEntry(Record):
    """What became of one parameter: `wire` is its name on the wire, `reason` why it is not simply sent."""

    name: str
    outcome: Outcome
    wire: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class ParameterReport(Record):
    """Every parameter of a call in exactly one of: sent, renamed, clamped, emulated, dropped, unknown.

    `strange` are the names that neither hb nor the wire knows: when they are sent, their outcome is "unknown". `stack`
    are the names of the middlewares that the call went through, outermost first; what every call has is not among them.
    """

    entries: dict[str, ParameterEntry] = field(default_factory=dict)
    strange: frozenset[str] = frozenset()
    stack: tuple[str, ...] = ()

    def sent(self, *names: str) -> None:
        """On the wire under their own names."""
        for name in names:
            is_known = name not in self.strange
            self.entries[name] = ParameterEntry(name, "sent", name) if is_known else _strange(name, name)

    def renamed(self, name: str, wire: str) -> None:
        """On the wire under another name or in another shape."""
        is_known = name not in self.strange
        self.entries[name] = ParameterEntry(name, "renamed", wire) if is_known else _strange(name, wire)

    def clamped(self, name: str, reason: str) -> None:
        """Sent with another value."""
        self.entries[name] = ParameterEntry(name, "clamped", name, reason)

    def emulated(self, name: str, reason: str) -> None:
        """Not on the wire; hb or the prompt does it."""
        self.entries[name] = ParameterEntry(name, "emulated", None, reason)

    def dropped(self, name: str, reason: str) -> None:
        """Not on the wire."""
        self.entries[name] = ParameterEntry(name, "dropped", None, reason)

    def names(self, outcome: Outcome) -> list[str]:
        """The names with this outcome."""
        return [entry.name for entry in self.entries.values() if entry.outcome == outcome]

    def lossy(self) -> list[ParameterEntry]:
        """The entries that were dropped or clamped."""
        return [entry for entry in self.entries.values() if entry.outcome in ("dropped", "clamped")]

    def to_dict(self) -> dict[str, Any]:
        """Outcome by name, with wire name and reason where they say something."""
        return {name: entry.to_dict() for name, entry in self.entries.items()}


def _strange(name: str, wire: str) -> ParameterEntry:
    return ParameterEntry(name, "unknown", wire, "neither hb nor the wire knows it")
