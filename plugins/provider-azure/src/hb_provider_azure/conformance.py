"""How the conformance kit reaches an Azure resource. It comes with hb-testing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hb_testing import GatewayContract
from hb_testing.server import ResponsesWire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hb_testing.server import Wire

__all__ = ["AzureResponsesContract"]


class AzureResponsesContract(GatewayContract):
    """The contract of gateways for the Responses wire, which a resource has at the address of its v1 API."""

    gateway: ClassVar[str] = "azure_responses"

    def wires(self) -> Iterable[Wire]:
        """The wire, where Azure has it."""
        return (ResponsesWire(base="/openai/v1"),)
