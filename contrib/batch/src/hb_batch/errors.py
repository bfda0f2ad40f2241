"""What goes wrong with a batch itself; what goes wrong with one of its requests is a row of its own."""

from __future__ import annotations

from heavenbase.errors import HBError, InputError


class BatchFileError(InputError):
    """A file of a batch is missing, is not what it should be, or has changed since the run began."""


class BatchLocked(HBError):
    """Another process works on this batch."""


class JournalError(HBError):
    """Finished answers cannot be written; nothing more is sent."""
