"""Models and files at Anthropic's endpoint: lists in pages, and files uploaded, told of, deleted and given back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from heavenbase.http import as_list, as_object, merge_extra
from heavenbase.operations import FileInfo, ModelInfo, OperationResult, id_of, listed, number_of, seconds_of
from heavenbase.wires import first_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_gateway_anthropic.gateway import AnthropicGateway
    from heavenbase.call import Call, WireRequest
    from heavenbase.operations import Listing

BETA = "files-api-2025-04-14"
PAGE = 1_000


def page_of(call: Call, decoded: Any, make: Callable[[Call, Any], Any]) -> tuple[list[Any], str | None]:
    """(the items of a page, the cursor of the next one)."""
    page = as_object(call, decoded, "the list")
    found = [make(call, row) for row in as_list(call, page.get("data"), "`data`")]
    return found, first_text(page, "last_id") if page.get("has_more") else None


def model_info(call: Call, row: Any) -> ModelInfo:
    """What is said of a model."""
    row = as_object(call, row, "a model")
    return ModelInfo(
        id_of(call, row),
        created=seconds_of(row, "created_at"),
        name=first_text(row, "display_name"),
        context_window=number_of(row, "max_input_tokens"),
        max_output=number_of(row, "max_tokens"),
        raw=row,
    )


def file_info(call: Call, row: Any) -> FileInfo:
    """What is said of a file."""
    row = as_object(call, row, "the file")
    return FileInfo(
        id_of(call, row),
        filename=first_text(row, "filename"),
        size=number_of(row, "size_bytes"),
        media_type=first_text(row, "mime_type"),
        created=seconds_of(row, "created_at"),
        raw=row,
    )


class AnthropicFiles:
    """The operations on files; they are a beta of the API, which each request names."""

    def __init__(self, gateway: AnthropicGateway) -> None:
        self._gateway = gateway

    async def upload(self, call: Call) -> FileInfo:
        """Upload a file."""
        if call.subject.purpose is not None:
            call.context.report.dropped("purpose", "files have no purpose here")
        fields: dict[str, Any] = {}
        merge_extra(fields, call.args, call.context.report)
        request = replace(self._at(call, "", "POST", file=call.subject), body=fields)
        return await self._gateway.exchange(call, request, lambda _, found: file_info(call, found))

    async def list(self, call: Call) -> Listing[FileInfo]:
        """The files of the workspace."""

        def page(cursor: str | None) -> WireRequest:
            asked = {"limit": min(call.subject, PAGE), **({"after_id": cursor} if cursor else {})}
            return self._at(call, "", asked=asked)

        return await listed(self._gateway, call, page, lambda call, decoded: page_of(call, decoded, file_info))

    async def get(self, call: Call) -> FileInfo:
        """What the endpoint says of a file."""
        request = self._at(call, _name(call))
        return await self._gateway.exchange(call, request, lambda _, found: file_info(call, found))

    async def delete(self, call: Call) -> OperationResult:
        """Delete a file."""
        request = self._at(call, _name(call), "DELETE")
        return await self._gateway.exchange(call, request, lambda _, found: OperationResult(raw=found))

    async def content(self, call: Call) -> OperationResult:
        """The bytes of a file, which are given back of those alone that tools made."""
        request = self._at(call, f"{_name(call)}/content")
        return await self._gateway.exchange(call, request, lambda _, it: OperationResult(raw=it), is_json=False)

    def _at(self, call: Call, rest: str, method: str = "GET", **named: Any) -> WireRequest:
        request = self._gateway.request(call, f"v1/files{rest}", {}, method, **named)
        given = next((value for name, value in request.headers.items() if name.lower() == "anthropic-beta"), "")
        others = {name: value for name, value in request.headers.items() if name.lower() != "anthropic-beta"}
        betas = given if BETA in given else ",".join(filter(None, (given, BETA)))
        return replace(request, headers={**others, "anthropic-beta": betas})


def _name(call: Call) -> str:
    return f"/{quote(call.subject, safe='')}"
