"""How the conformance kit tells the mock what to answer. It comes with hb-testing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_testing import GatewayContract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_testing.server import Reply

__all__ = ["MockContract"]


class MockContract(GatewayContract):
    """The contract of gateways for one that answers from its options."""

    gateway: ClassVar[str] = "mock"

    def script(self, reply: Reply) -> Mapping[str, Any]:
        """The call options that make the mock answer so."""
        script = {
            "text": reply.text,
            "think": reply.reasoning,
            "tool_calls": list(reply.tool_calls) or None,
            "finish_reason": reply.finish_reason,
        }
        return {"mock": {name: value for name, value in script.items() if value is not None}}
