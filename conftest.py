"""For every test of the workspace: a home of its own, DEBUG logging, and no canary key in log, output or files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

CANARY = "sk-canary-0123456789abcdef"
LARGEST_FILE = 8 * 2**20
_NUMBERS = map(str, count())


class _Records(logging.Handler):
    """Keeps formatted records, tracebacks included, that hold the canary."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if CANARY in text:
            self.leaks.append(text[:300])


@pytest.fixture(autouse=True)
def no_key_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test whose logs or files show the canary key."""
    handler, root = _Records(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.removeHandler(handler)
    root.setLevel(level)
    assert not handler.leaks, f"a log record shows the key: {handler.leaks[0]}"
    folder = request.node.funcargs.get("tmp_path")
    if folder is not None and request.node.get_closest_marker("keeps_keys") is None:
        for path in Path(folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGEST_FILE:
                assert CANARY.encode() not in path.read_bytes(), f"{path.name} holds the key"


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's configuration, cache and data out of the test, and the test out of them."""
    # Named and not made: most tests need no folder.
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path_factory.getbasetemp() / "homes" / next(_NUMBERS)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    shown = "\n".join(text for _, text in report.sections)
    if CANARY in shown or CANARY in str(report.longrepr or ""):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: the output of this test shows the canary key"
    return report
