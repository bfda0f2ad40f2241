"""Files at an endpoint of this wire: uploaded as a form, listed, told of, deleted, given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hb_wire_openai.lists import file_info, file_page
from heavenbase.http import as_object, merge_extra, shape_error
from heavenbase.operations import OperationResult, listed

if TYPE_CHECKING:
    from hb_wire_openai.gateway import WireGateway
    from heavenbase.call import Call, WireRequest
    from heavenbase.operations import FileInfo, Listing

PURPOSE = "user_data"
"""What a file is for where neither the caller nor `options.file_purpose` of the provider says it: to be read."""
PAGE = 1_000


class WireFiles:
    """The operations on files of a gateway."""

    def __init__(self, gateway: WireGateway) -> None:
        self._gateway = gateway

    async def upload(self, call: Call) -> FileInfo:
        """Upload a file."""
        configured = (call.spec.provider_record.get("options") or {}).get("file_purpose")
        fields = {"purpose": call.subject.purpose or configured or PURPOSE}
        merge_extra(fields, call.args, call.context.report)
        request = self._gateway.request(call, "files", fields, file=call.subject)
        return await self._gateway.exchange(call, request, lambda _, found: file_info(call, found))

    async def list(self, call: Call) -> Listing[FileInfo]:
        """The files of the account."""

        def page(cursor: str | None) -> WireRequest:
            asked = {"limit": min(call.subject, PAGE), **({"after": cursor} if cursor else {})}
            return self._gateway.request(call, "files", {}, "GET", asked)

        return await listed(self._gateway, call, page, file_page)

    async def get(self, call: Call) -> FileInfo:
        """What the endpoint says of a file."""
        return await self._gateway.exchange(call, self._at(call), lambda _, found: file_info(call, found))

    async def delete(self, call: Call) -> OperationResult:
        """Delete a file; an error where the endpoint says that it did not."""

        def read(_: Any, found: Any) -> OperationResult:
            if as_object(call, found, "the answer").get("deleted") is False:
                raise shape_error(call, f"file {call.subject!r} is not deleted")
            return OperationResult(raw=found)

        return await self._gateway.exchange(call, self._at(call, method="DELETE"), read)

    async def content(self, call: Call) -> OperationResult:
        """The bytes of a file."""
        request = self._at(call, "/content")
        return await self._gateway.exchange(call, request, lambda _, it: OperationResult(raw=it), is_json=False)

    def _at(self, call: Call, rest: str = "", method: str = "GET") -> WireRequest:
        return self._gateway.request(call, f"files/{quote(call.subject, safe='')}{rest}", {}, method)
