"""The open-source Portkey gateway, started once for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

VERSION = "1.15.2"
PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": VERSION},
    # With a newer one every stream of this release fails.
    "overrides": {"@hono/node-server": "1.13.8"},
}
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def portkey(
    npm_package: Callable[[str, Any], Path], node_server: Callable[..., AbstractContextManager[int]]
) -> Iterator[str]:
    """The base URL of a running Portkey gateway."""
    folder = npm_package(f"portkey-gateway-{VERSION}", PACKAGE)
    script = folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    with node_server("--require", HERE / "loopback.cjs", script, "--headless") as port:
        yield f"http://127.0.0.1:{port}/v1"
