"""A real redis-server for tests: on a socket in a folder of its own, without a file of data, gone with the test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

NAMES = ("redis-server", "valkey-server")
INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "redis-server"]
QUICKLY = ["-o", "Acquire::http::Timeout=5", "-o", "Acquire::Retries=0", "-o", "DPkg::Lock::Timeout=30"]


@cache
def _install() -> None:
    """Install the program, once in a run, where that is allowed."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    # RUNLEVEL keeps the package from starting a server of its own.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    # A fresh image has no lists of packages yet.
    for command in (INSTALL, ["apt-get", "update"], INSTALL):
        try:
            done = subprocess.run([*command, *QUICKLY], env=env, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return
        if command is INSTALL and done.returncode == 0:
            return


def binary() -> str:
    """The program, installed now where that is allowed; otherwise the test is skipped with the command."""
    found = _which()
    if found is None:
        _install()
        found = _which()
    if found is None:
        pytest.skip(f"needs a Redis server: {' '.join(INSTALL)}")
    return found


def _which() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


class RedisServer:
    """One server; `url` is its socket. `pause` makes it hang, `stop` and `start` make it go and come."""

    def __init__(self, folder: Path, program: str) -> None:
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self._folder = folder
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self._program, "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16) == b"+PONG\r\n"
            except OSError:
                return False

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """Let it hang: it still takes connections, as the system does that, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running() -> Iterator[RedisServer]:
    """A server for a block."""
    program = binary()
    # A socket's path has 107 characters at most, so the folder is not one of pytest's.
    with tempfile.TemporaryDirectory(prefix="hb-redis-") as folder:
        server = RedisServer(Path(folder), program)
        try:
            server.start()
            yield server
        finally:
            server.stop()
