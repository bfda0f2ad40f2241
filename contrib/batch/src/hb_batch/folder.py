"""The folder beside an output file: the manifest of its batch, and the lock that keeps a second run away."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b, sha256
from typing import Any, Final

from hb_batch.errors import BatchFileError, BatchLocked
from hb_batch.lines import CHUNK, opened
from heavenbase.utils import sync_folder

FORMAT: Final = 1
"""The version of the manifest's form."""
SUFFIX: Final = ".hb"
PATIENCE: Final = 0.1
"""Seconds that a lock is waited for: who only asks whether a run has it holds it for a moment too."""


@dataclass(frozen=True, slots=True)
class Source:
    """An input file as it was when its batch began. `lines` counts all lines, `requests` those that are not blank."""

    path: str
    size: int
    sha256: str
    lines: int
    requests: int

    @classmethod
    def of(cls, path: str) -> Source:
        """The fingerprint of a file; BatchFileError where it cannot be read."""
        digest, size, lines, requests = sha256(), 0, 0, 0
        is_blank, last = True, b"\n"
        with opened(path) as file:
            while data := file.read(CHUNK):
                digest.update(data)
                begun, *whole = data.split(b"\n")
                is_blank = is_blank and not begun.strip()
                if whole:
                    requests += not is_blank
                    requests += sum(1 for it in whole[:-1] if it.strip())
                    is_blank = not whole[-1].strip()
                size, lines, last = size + len(data), lines + len(whole), data[-1:]
        return cls(os.path.abspath(path), size, digest.hexdigest(), lines + (last != b"\n"), requests + (not is_blank))

    def check(self) -> None:
        """BatchFileError where the file is no longer what it was."""
        found = Source.of(self.path)
        if found != self:
            raise BatchFileError(
                f"{self.path} has changed since this batch began ({found.size} bytes, then {self.size}); put the old "
                "file back, or begin a batch of its own with another output"
            )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a batch is: its input, its settings (without anything secret), and how far it came.

    `settings` is plain data, for whoever runs the batch; `mode` is who answers, "sync" for calls one by one. Times are
    epoch seconds. `extra` is for a mode's own notes, such as the ids of a provider's batches.
    """

    source: Source
    settings: Mapping[str, Any]
    mode: str = "sync"
    started: float = 0.0
    finished: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What the settings come to: two runs with the same one ask the same."""
        return blake2b(json.dumps(self.settings, sort_keys=True).encode(), digest_size=16).hexdigest()


class Folder:
    """The folder of one output file; made on first use with mode 0700, its files 0600."""

    def __init__(self, output: str) -> None:
        self.output = os.path.abspath(output)
        self.path = f"{self.output}{SUFFIX}"

    def file(self, name: str) -> str:
        """The path of a file in it."""
        return os.path.join(self.path, name)

    def make(self) -> None:
        """Make it where it is missing; BatchFileError where that cannot be."""
        try:
            os.makedirs(self.path, 0o700, exist_ok=True)
        except OSError as error:
            raise BatchFileError(f"{self.path}: the folder cannot be made: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Held by one run at a time; BatchLocked where another has it."""
        from filelock import FileLock, Timeout

        self.make()
        lock = FileLock(self.file("lock"), mode=0o600)
        try:
            lock.acquire(timeout=PATIENCE, poll_interval=PATIENCE / 5)
        except Timeout:
            raise BatchLocked(
                f"another process works on {self.output}; `hb batch status` shows how far it is"
            ) from None
        except OSError as error:
            raise BatchFileError(f"{self.path}: cannot be locked: {error.strerror or error}") from error
        try:
            self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove what a process that was killed had begun to write; for whoever holds the lock."""
        for name in os.listdir(self.path):
            if name.startswith("."):
                _forget(self.file(name))

    @property
    def is_locked(self) -> bool:
        """Whether a run has it now."""
        if not os.path.exists(self.file("lock")):
            return False
        try:
            with self.locked():
                return False
        except BatchLocked:
            return True
        except BatchFileError:  # who may not lock it may still look
            return False

    @property
    def has_manifest(self) -> bool:
        """Whether a batch has begun here."""
        return os.path.exists(self.file("manifest.json"))

    def read(self) -> Manifest:
        """The manifest; BatchFileError where there is none that can be read."""
        try:
            with open(self.file("manifest.json"), encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            raise BatchFileError(f"{self.output} belongs to no batch: {self.path} has no manifest") from None
        except (OSError, ValueError, RecursionError) as error:
            raise BatchFileError(f"{self.path}: the manifest cannot be read: {error}") from error
        try:
            if found["format"] != FORMAT:
                told = f"{self.path} was written by another release of hb-batch (format {found['format']})"
                raise BatchFileError(told)
            names = [name for name in Manifest.__dataclass_fields__ if name != "source"]
            made = Manifest(Source(**found["input"]), **{name: found[name] for name in names})
            _check(made)
        except (KeyError, TypeError) as error:
            raise BatchFileError(f"{self.path}: the manifest is damaged: {error}") from error
        if found.get("settings_digest") != made.digest:
            raise BatchFileError(f"{self.path}: the settings in the manifest were changed by hand; begin a new batch")
        return made

    def write(self, manifest: Manifest) -> None:
        """Keep the manifest: all of it or nothing, synced to disk."""
        told = asdict(manifest)
        told = {"format": FORMAT, "input": told.pop("source"), **told, "settings_digest": manifest.digest}
        self.make()
        write_atomic(self.file("manifest.json"), json.dumps(told, indent=1).encode())

    def update(self, **changes: Any) -> Manifest:
        """Change fields of the manifest that is there."""
        manifest = replace(self.read(), **changes)
        self.write(manifest)
        return manifest


def _check(found: Manifest) -> None:
    """TypeError for a manifest whose fields are no such things as hb writes."""
    source, number = found.source, int | float
    kinds: list[tuple[str, Any, Any]] = [
        *((name, getattr(found, name), Mapping) for name in ("settings", "counts", "extra")),
        *(("mode", found.mode, str), ("started", found.started, number), ("finished", found.finished, number | None)),
        *(("path", source.path, str), ("size", source.size, int), ("lines", source.lines, int)),
        ("requests", source.requests, int),
        *((name, found.extra[name], number) for name in ("resumed", "resumed_rows") if name in found.extra),
    ]
    for name, value, kind in kinds:
        if not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r:.40}")
    spent = found.extra.get("spent", "0")
    if not isinstance(spent, str) or not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,40})?", spent):
        raise TypeError(f"spent is {spent!r:.40}")


def write_atomic(path: str, data: bytes) -> None:
    """Put a file in the place of another at once, with mode 0600, synced to disk."""
    with replacing(path) as handle:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]


@contextmanager
def replacing(path: str, within: str | None = None) -> Iterator[int]:
    """The descriptor of a new file that takes the place of another when all is written; BatchFileError otherwise.

    It is made in the folder `within`, by default that of the other.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=within or folder)
    except OSError as error:
        raise BatchFileError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        try:
            yield handle
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
        sync_folder(folder)
    except OSError as error:
        _forget(temporary)
        raise BatchFileError(f"{path}: cannot be written: {error.strerror}") from error
    except BaseException:
        _forget(temporary)
        raise


def _forget(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
