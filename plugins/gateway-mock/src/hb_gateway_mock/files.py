"""Files that the mock keeps in memory, one shelf for each gateway object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heavenbase.errors import RequestRejected
from heavenbase.operations import FileInfo, Listing, OperationResult

if TYPE_CHECKING:
    from hb_gateway_mock.gateway import MockGateway
    from heavenbase.call import Call


class MockFiles:
    """The operations on files."""

    def __init__(self, gateway: MockGateway) -> None:
        self._gateway = gateway
        self._kept: dict[str, tuple[FileInfo, bytes]] = {}
        self._count = 0

    async def upload(self, call: Call) -> FileInfo:
        """Keep a file."""
        await self._gateway.scripted(call)
        file = call.subject
        self._count += 1
        made = FileInfo(f"file-{self._count}", file.name, len(file.data), file.media_type, file.purpose)
        self._kept[made.id] = (made, file.data)
        return replace(made)

    async def list(self, call: Call) -> Listing[FileInfo]:
        """All files."""
        await self._gateway.scripted(call)
        found = [replace(made) for made, _ in self._kept.values()]
        return Listing(found[: call.subject], len(found) > call.subject)

    async def get(self, call: Call) -> FileInfo:
        """What is known of a file."""
        return replace((await self._found(call))[0])

    async def delete(self, call: Call) -> OperationResult:
        """Forget a file."""
        await self._found(call)
        del self._kept[call.subject]
        return OperationResult()

    async def content(self, call: Call) -> OperationResult:
        """The bytes of a file."""
        return OperationResult(raw=(await self._found(call))[1])

    async def _found(self, call: Call) -> tuple[FileInfo, Any]:
        await self._gateway.scripted(call)
        if call.subject not in self._kept:
            raise RequestRejected(f"there is no file {call.subject!r}", provider=call.spec.provider, status=404)
        return self._kept[call.subject]
