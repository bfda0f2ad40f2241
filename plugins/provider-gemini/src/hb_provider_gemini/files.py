"""Models and files at Gemini's endpoint: lists in pages, and files sent in pieces, told of, deleted and given back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from hb_provider_gemini import client as clients
from heavenbase.http import as_list, as_object, merge_extra, shape_error
from heavenbase.operations import FileInfo, ModelInfo, OperationResult, id_of, listed, number_of, seconds_of
from heavenbase.wires import first_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_provider_gemini.gateway import GeminiGateway
    from hb_provider_gemini.wire import GeminiAttempt
    from heavenbase.call import Call, WireRequest
    from heavenbase.operations import FileUpload, Listing

PAGE = 1_000
"""Most models of one page."""
FILES = 100
"""Most files of one page."""
PIECE = 8 * 1024 * 1024
"""Bytes of a file in one request; all but the last are a multiple of 256 KiB."""


def page_of(call: Call, decoded: Any, field: str, make: Callable[[Call, Any], Any]) -> tuple[list[Any], str | None]:
    """(the items of a page, the cursor of the next one). Google leaves out a list that is empty."""
    page = as_object(call, decoded, "the list")
    rows = as_list(call, page.get(field), f"`{field}`") if page else []
    return [make(call, as_object(call, row, "an item of the list")) for row in rows], first_text(page, "nextPageToken")


def model_info(call: Call, row: dict[str, Any]) -> ModelInfo:
    """What is said of a model; its id is the part that calls name it by."""
    return ModelInfo(
        id_of(call, row, "name").rpartition("models/")[2],
        name=first_text(row, "displayName"),
        context_window=number_of(row, "inputTokenLimit"),
        max_output=number_of(row, "outputTokenLimit"),
        raw=row,
    )


def file_info(call: Call, row: Any) -> FileInfo:
    """What is said of a file; `uri` is its name in messages."""
    row = as_object(call, row, "the file")
    return FileInfo(
        id_of(call, row, "name"),
        filename=first_text(row, "displayName"),
        size=number_of(row, "sizeBytes"),
        media_type=first_text(row, "mimeType"),
        created=seconds_of(row, "createTime"),
        expires=seconds_of(row, "expirationTime"),
        status=first_text(row, "state"),
        uri=first_text(row, "uri"),
        raw=row,
    )


class GeminiFiles:
    """The operations on files."""

    def __init__(self, gateway: GeminiGateway) -> None:
        self._gateway = gateway

    async def upload(self, call: Call) -> FileInfo:
        """Upload a file: ask where to, and send it there in pieces."""
        file: FileUpload = call.subject
        if file.purpose is not None:
            call.context.report.dropped("purpose", "files have no purpose here")
        place = await self._gateway.exchange(call, self._start(call, file), _where, is_json=False)
        for start in range(0, len(file.data), PIECE):
            piece = file.data[start : start + PIECE]
            is_last = start + PIECE >= len(file.data)
            request = self._gateway.at(call, place, {}, None)
            command = {
                "content-type": file.media_type,
                "x-goog-upload-command": "upload, finalize" if is_last else "upload",
                "x-goog-upload-offset": str(start),
            }
            request = replace(request, content=piece, headers={**request.headers, **command})
            if is_last:
                break
            await self._gateway.exchange(call, request, lambda _, it: it, is_json=False)
        return await self._gateway.exchange(
            call, request, lambda _, it: file_info(call, as_object(call, it, "the answer").get("file"))
        )

    def _start(self, call: Call, file: FileUpload) -> WireRequest:
        root, version = clients.place(call.spec)
        body: dict[str, Any] = {"file": {"displayName": file.name}}
        merge_extra(body, call.args, call.context.report)
        request = self._gateway.at(call, f"{root}/upload/{version}/files", body, None)
        command = {
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(len(file.data)),
            "x-goog-upload-header-content-type": file.media_type,
        }
        return replace(request, headers={**request.headers, **command})

    async def list(self, call: Call) -> Listing[FileInfo]:
        """The files of the project."""

        def page(cursor: str | None) -> WireRequest:
            asked = {"pageSize": min(call.subject, FILES), **({"pageToken": cursor} if cursor else {})}
            return self._gateway.at(call, f"{clients.base_url(call.spec)}/files", {}, asked, "GET")

        return await listed(self._gateway, call, page, lambda call, it: page_of(call, it, "files", file_info))

    async def get(self, call: Call) -> FileInfo:
        """What the endpoint says of a file."""
        return await self._gateway.exchange(call, self._at(call, "GET"), lambda _, found: file_info(call, found))

    async def delete(self, call: Call) -> OperationResult:
        """Delete a file."""
        return await self._gateway.exchange(call, self._at(call, "DELETE"), lambda _, it: OperationResult(raw=it))

    async def content(self, call: Call) -> OperationResult:
        """The bytes of a file, which are given back of those alone that a model made."""
        request = self._at(call, "GET", ":download", {"alt": "media"})
        return await self._gateway.exchange(call, request, lambda _, it: OperationResult(raw=it), is_json=False)

    def _at(self, call: Call, method: str, rest: str = "", asked: dict[str, str] | None = None) -> WireRequest:
        # A file is named by its name, or by the address that messages have.
        name = call.subject.rpartition("files/")[2]
        place = f"{clients.base_url(call.spec)}/files/{quote(name, safe='')}{rest}"
        return self._gateway.at(call, place, {}, asked, method)


def _where(attempt: GeminiAttempt, _: Any) -> str:
    """Where a file is to be sent; it must be at the endpoint, as the credential goes along."""
    place = attempt.exchange.named.get(b"x-goog-upload-url", b"").decode("latin-1")
    home, there = urlsplit(clients.base_url(attempt.call.spec)), urlsplit(place)
    if (home.scheme, home.netloc) != (there.scheme, there.netloc):
        raise shape_error(attempt.call, "the endpoint names no place of its own to upload to")
    return place
