"""The journal of a batch: its output file itself, to which each row is appended as it is finished.

A row is written, by one call of the system, before its worker takes the next request: a process that is killed loses
what was in flight and nothing else. It is synced to disk together with those beside it, in a thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

from hb_batch.errors import JournalError
from hb_batch.lines import States, lines_of
from hb_batch.rows import encoded, read_output, status_of
from heavenbase.utils import sync_folder

SYNC_SECONDS = 0.05
SYNC_RECORDS = 100


class Journal:
    """Appends rows to a file. `spent` are the seconds in which writing held up the loop; `states` tell of each line."""

    def __init__(self, path: str, states: States | None = None) -> None:
        self.path = path
        self.states = states if states is not None else States()
        self.spent = 0.0
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise JournalError(f"{path}: cannot be written: {error.strerror}") from error
        sync_folder(os.path.dirname(os.path.abspath(path)))
        self._failure: OSError | None = None
        self._changed = threading.Condition()
        self._unsynced = 0
        self._is_closing = False
        self._syncer = threading.Thread(target=self._sync_always, name="hb-batch-journal", daemon=True)
        self._syncer.start()

    def append(self, row: dict[str, Any]) -> None:
        """Write a row. JournalError where it cannot be, or an earlier one could not be synced."""
        began = time.perf_counter()
        data = encoded(row)
        if self._failure is not None:
            raise self._error(self._failure)
        try:
            self._write(data)
        except OSError as error:
            raise self._error(error) from error
        self.states[row["line"]] = row["status"]
        self._unsynced += 1
        if self._unsynced in (1, SYNC_RECORDS):
            with self._changed:
                self._changed.notify()
        self.spent += time.perf_counter() - began

    def _write(self, data: bytes) -> None:
        written = os.write(self._handle, data)
        if written == len(data):
            return
        end = os.fstat(self._handle).st_size - written
        try:
            view = memoryview(data)[written:]
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError:
            os.ftruncate(self._handle, end)  # half a row, such as where the disk is full, is none
            raise

    def _error(self, error: OSError) -> JournalError:
        return JournalError(f"{self.path}: rows cannot be written: {error.strerror or error}")

    def _sync_always(self) -> None:
        while True:
            with self._changed:
                while not (self._unsynced or self._is_closing):
                    self._changed.wait()
                if self._unsynced < SYNC_RECORDS and not self._is_closing:
                    self._changed.wait(SYNC_SECONDS)
            self._unsynced = 0
            try:
                os.fsync(self._handle)
            except OSError as error:
                self._failure = error
                return
            if self._is_closing and not self._unsynced:
                return

    def sync(self) -> None:
        """Sync what was written now."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Sync what was written, and close the file. JournalError where that failed."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._syncer.join()
        os.close(self._handle)
        if self._failure is not None:
            raise self._error(self._failure)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def mend(path: str) -> int:
    """Cut off a last row that is torn, as a kill or a power cut leaves it; returns how many bytes it had."""
    if not os.path.exists(path):
        return 0
    with open(path, "r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - 2**16)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                end = begin + found + 1
                break
            end = begin
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
        return size - end


def rows_of(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Where each row of an output file begins, and the row; nothing without such a file. What is no row is left out."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        for line in lines_of(file, limit=None):  # what was answered is read, however long it is
            row = read_output(line.data)
            if row is not None:
                yield line.offset, row


def states_of(path: str) -> States:
    """The newest status of each line that has a row."""
    states = States()
    for _, row in rows_of(path):
        if isinstance(row.get("line"), int) and row["line"] > 0:
            states[row["line"]] = status_of(row)
    return states
