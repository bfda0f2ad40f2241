"""The open-source Portkey gateway, installed once for all runs and started once for all tests that ask for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

VERSION = "1.15.2"
PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": VERSION},
    # With a newer one every stream of this release fails.
    "overrides": {"@hono/node-server": "1.13.8"},
}
HERE = Path(__file__).parent
PATIENCE = 60.0
"""Seconds until the gateway must listen; it takes less than one on an idle machine."""


def installed(npm: str) -> Path:
    """The folder with the gateway in it; installs it when it is not there."""
    folder = Path(platformdirs.user_cache_dir("heavenbase-tests")) / f"portkey-gateway-{VERSION}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside and moved, so that a broken or a second install is never used.
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        (Path(made) / "package.json").write_text(json.dumps(PACKAGE), encoding="utf-8")
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"npm could not install the gateway:\n{done.stderr[-2000:]}"
        try:
            os.replace(made, folder)
        except OSError:  # another run was quicker
            assert folder.exists()
        else:
            Path(made).mkdir()  # for the context manager to remove
    return folder


@pytest.fixture(scope="session")
def portkey() -> Iterator[str]:
    """The base URL of a running Portkey gateway."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("the Portkey gateway needs node and npm")
    script = installed(npm) / "node_modules/@portkey-ai/gateway/build/start-server.js"
    process = subprocess.Popen(
        [node, "--require", str(HERE / "loopback.cjs"), str(script), "--headless"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("LISTENING "):
                break
        else:
            pytest.fail(f"the Portkey gateway did not start:\n{''.join(lines)[-2000:]}")
        watchdog.cancel()
        # Read on, or the gateway stops at a full pipe.
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        yield f"http://127.0.0.1:{int(lines[-1].split()[1])}/v1"
        process.terminate()
        process.wait(PATIENCE)
        reader.join(PATIENCE)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
