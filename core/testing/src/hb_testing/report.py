"""What the checks found, as data: by plugin, each check with its outcome and, unless it passed, the reason."""

from __future__ import annotations

import json
import platform
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import heavenbase
from hb_testing.conformance.rig import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

PROPERTY = "heavenbase"
FORMAT = 1
REASON_LIMIT = 500
NOT_APPLICABLE = "not_applicable"
OUTCOMES = {"passed": "passed", "failed": "failed", "skipped": "skipped", NOT_APPLICABLE: "not applicable"}
"""Every outcome of a check, and how a reader is told it."""


@dataclass
class Report:
    """The results of one run."""

    subjects: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    left_out: list[tuple[list[tuple[str, Any]], str, str]] = field(default_factory=list)
    """What was not run because it does not apply: properties of the item, its id, the reason."""

    def add(self, result: pytest.TestReport) -> None:
        """Keep the result of one phase of a check; the worst one counts."""
        subject = dict(result.user_properties).get(PROPERTY)
        if not isinstance(subject, dict) or (result.when != "call" and result.outcome == "passed"):
            return
        key = str(subject["plugin"])
        self.subjects[key] = subject
        name = _name(result.nodeid)
        checks = self.checks.setdefault(key, {})
        known = checks.get(name)
        if known is None or known["outcome"] == "passed":
            checks[name] = {"name": name, "outcome": result.outcome, "seconds": round(result.duration, 4)}
            if result.outcome != "passed":
                checks[name]["reason"] = _reason(result)

    def leave_out(self, properties: Iterable[tuple[str, Any]], nodeid: str, reason: str) -> None:
        """Keep that a check does not apply."""
        subject = dict(properties).get(PROPERTY)
        self.left_out.append(([(PROPERTY, subject)], nodeid, reason))
        if isinstance(subject, dict):
            key, name = str(subject["plugin"]), _name(nodeid)
            self.subjects[key] = subject
            self.checks.setdefault(key, {})[name] = {"name": name, "outcome": NOT_APPLICABLE, "reason": reason}

    def counts(self, key: str) -> Counter[str]:
        """How many checks of a plugin had each outcome."""
        return Counter(str(check["outcome"]) for check in self.checks[key].values())

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        plugins = []
        for key in sorted(self.subjects):
            counts = self.counts(key)
            totals = {name: counts.get(name, 0) for name in OUTCOMES}
            checks = sorted(self.checks[key].values(), key=lambda check: str(check["name"]))
            plugins.append({**self.subjects[key], **totals, "checks": checks})
        versions = {"hb_core": heavenbase.__version__, "python": platform.python_version()}
        return {"format": FORMAT, **versions, "plugins": plugins}

    def write(self, file: Path) -> None:
        """Write the report as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """One line per plugin."""
        lines = []
        for key in sorted(self.subjects):
            counts = self.counts(key)
            told = ", ".join(f"{counts[name]} {words}" for name, words in OUTCOMES.items() if counts[name])
            subject = self.subjects[key]
            where = f" ({subject['distribution']} {subject['version']})" if subject.get("distribution") else ""
            lines.append(f"{key}{where}: {told}")
        return lines


def subject_of(cls: type | None) -> dict[str, Any] | None:
    """What a contract class is about; None for other classes."""
    from hb_testing.conformance.contract import Contract

    if cls is None or not issubclass(cls, Contract):
        return None
    known: dict[str, Any] | None = vars(cls).get("_subject")
    if known is None:
        info = cls.installed()
        known = {"plugin": cls.key(), "contract": _contract_name(cls)}
        if info is not None:
            known |= {"distribution": info.distribution, "version": info.version}
        cls._subject = known  # type: ignore[attr-defined]
    return known


def _name(nodeid: str) -> str:
    return nodeid.rpartition("::")[2].removeprefix("test_")


def _contract_name(cls: type) -> str:
    return next(base.__name__ for base in cls.__mro__ if base.__name__.endswith("Contract"))


def _reason(result: pytest.TestReport) -> str:
    if result.outcome == "skipped" and isinstance(result.longrepr, tuple):
        return result.longrepr[2].removeprefix("Skipped: ")[:REASON_LIMIT]
    crash = getattr(result.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(result.longrepr)
    # The kit's own key is no secret, but whoever scans files for keys should not find one here.
    return str(text).replace(KEY, "***")[:REASON_LIMIT]
