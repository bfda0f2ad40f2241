"""Files at Mistral: OpenAI's wire, but for the pages of the list, which have numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai import WireFiles, file_page
from heavenbase.operations import listed, number_of

if TYPE_CHECKING:
    from heavenbase.call import Call, WireRequest
    from heavenbase.operations import FileInfo, Listing

PAGE = 100


class MistralFiles(WireFiles):
    """The operations on files."""

    async def list(self, call: Call) -> Listing[FileInfo]:
        """The files of the organisation."""
        size, read = min(call.subject, PAGE), 0

        def page(cursor: str | None) -> WireRequest:
            return self._gateway.request(call, "files", {}, "GET", {"page": cursor or "0", "page_size": size})

        def told(call: Call, decoded: Any) -> tuple[list[FileInfo], str | None]:
            nonlocal read
            found, _ = file_page(call, decoded)
            read += len(found)
            more = bool(found) and read < (number_of(decoded, "total") or 0)
            return found, str(-(-read // size)) if more else None

        return await listed(self._gateway, call, page, told)
