from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.server import LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path / "home"))
