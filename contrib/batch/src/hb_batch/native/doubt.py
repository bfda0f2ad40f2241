"""What an error says of a request that makes a job: whether it was certainly not heard."""

from __future__ import annotations

from typing import Final

from heavenbase.errors import (
    ConnectError,
    HBError,
    InputError,
    ProviderError,
    StatusError,
    TLSVerifyError,
    UnsupportedError,
)

UNCERTAIN: Final = (408, 409, 425)
"""Statuses below 500 that do not say whether a submit was heard."""


def is_unheard(error: HBError) -> bool:
    """Whether an error of a submit says that no job was made."""
    if isinstance(error, StatusError) and error.status is not None:
        return error.status < 500 and error.status not in UNCERTAIN
    if isinstance(error, ProviderError):
        return isinstance(error, ConnectError | TLSVerifyError)
    return isinstance(error, InputError | UnsupportedError) or not error.maybe_billed
