"""For every test of the workspace: DEBUG logging, and no canary key in any log record, output or file it leaves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CANARY = "sk-canary-0123456789abcdef"
LARGEST_FILE = 8 * 2**20


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    shown = "\n".join(text for _, text in report.sections)
    if CANARY in shown or CANARY in str(report.longrepr or ""):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: the output of this test shows the canary key"
    return report
