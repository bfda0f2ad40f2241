"""`llm.files`: the files that a provider keeps for an account, to be named in messages instead of sent again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive as drive
from heavenbase.errors import InputError, InputTypeError
from heavenbase.operations.facade import ask, to_limit
from heavenbase.options import conceal

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.operations.results import FileInfo, Listing

MOST_FILES = 10_000
"""Entries of a list of files that are read."""


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file to be uploaded."""

    name: str
    data: bytes = field(repr=False)
    media_type: str
    purpose: str | None = None


class Files:
    """What an LLM does with files. `file` is an id or what `upload` answered; `options` are those that steer a call."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm

    def upload(self, file: Any, name: str | None = None, purpose: str | None = None, **options: Any) -> FileInfo:
        """Upload a path, bytes or an open binary file; its id goes into messages.

        `name` is needed for bytes; its ending says the media type. `purpose` is a word of the provider's.
        """
        return drive.run(self._ask("upload", options, to_upload, file, name, purpose))  # type: ignore[no-any-return]

    async def aupload(self, file: Any, name: str | None = None, purpose: str | None = None, **options: Any) -> FileInfo:
        """Async form of `upload`."""
        return await self._ask("upload", options, to_upload, file, name, purpose, is_async=True)  # type: ignore[no-any-return]

    def list(self, limit: int = MOST_FILES, **options: Any) -> Listing[FileInfo]:
        """The files of the account, `limit` at most."""
        return drive.run(self._ask("list", options, to_limit, limit))

    async def alist(self, limit: int = MOST_FILES, **options: Any) -> Listing[FileInfo]:
        """Async form of `list`."""
        return await self._ask("list", options, to_limit, limit, is_async=True)  # type: ignore[no-any-return]

    def get(self, file: str | FileInfo, **options: Any) -> FileInfo:
        """What the provider says of a file now."""
        return drive.run(self._ask("get", options, to_id, file))  # type: ignore[no-any-return]

    async def aget(self, file: str | FileInfo, **options: Any) -> FileInfo:
        """Async form of `get`."""
        return await self._ask("get", options, to_id, file, is_async=True)  # type: ignore[no-any-return]

    def delete(self, file: str | FileInfo, **options: Any) -> None:
        """Delete a file; an error where the provider did not."""
        drive.run(self._ask("delete", options, to_id, file))

    async def adelete(self, file: str | FileInfo, **options: Any) -> None:
        """Async form of `delete`."""
        await self._ask("delete", options, to_id, file, is_async=True)

    def content(self, file: str | FileInfo, **options: Any) -> bytes:
        """The bytes of a file, where the provider gives them back."""
        return drive.run(self._ask("content", options, to_id, file)).raw  # type: ignore[no-any-return]

    async def acontent(self, file: str | FileInfo, **options: Any) -> bytes:
        """Async form of `content`."""
        return (await self._ask("content", options, to_id, file, is_async=True)).raw  # type: ignore[no-any-return]

    async def _ask(
        self, what: str, options: dict[str, Any], make: Callable[..., Any], *given: Any, is_async: bool = False
    ) -> Any:
        conceal(options)  # before anything can fail
        if is_async and make is to_upload:
            from heavenbase.colour.parallel import call_in_thread

            subject = await call_in_thread(make, *given)
        else:
            subject = make(*given)
        return await ask(self._llm, f"files.{what}", options, is_async=is_async, subject=subject)


def to_id(file: Any) -> str:
    """The id of a file, given as such or with what the provider said of it."""
    found = getattr(file, "id", file)
    if not isinstance(found, str):
        raise InputTypeError(f"a file is named by its id, a str, and not by {type(found).__name__}")
    if not found.strip() or ".." in found:
        raise InputError(f"{found!r} is no id of a file")
    return found


def to_upload(file: Any, name: Any, purpose: Any) -> FileUpload:
    """The file to be uploaded, read whole."""
    for what, value in (("name", name), ("purpose", purpose)):
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise InputTypeError(f"{what} must be text, not {value!r}")
    if isinstance(file, str | os.PathLike):
        try:
            with open(file, "rb") as opened:
                data = opened.read()
        except OSError as error:
            raise InputError(f"the file cannot be read: {error}") from error
        name = name or os.path.basename(os.fspath(file))
    else:
        data = file.read() if hasattr(file, "read") else file
        held = getattr(file, "name", None)  # that of a descriptor is a number
        name = name or (os.path.basename(held) if isinstance(held, str) else None)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputTypeError(f"a file is a path, bytes, or an open binary file, not {type(file).__name__}")
    if not name:
        raise InputError("bytes have no name; pass name=, whose ending says what they are")
    if not data:
        raise InputError(f"{name} is empty")
    from mimetypes import guess_type

    return FileUpload(str(name), bytes(data), guess_type(str(name))[0] or "application/octet-stream", purpose)
