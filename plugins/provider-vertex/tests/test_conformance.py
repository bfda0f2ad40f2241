"""The gateway keeps the contract of gateways in what it does otherwise than Gemini's, whose wire it shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from hb_provider_vertex.conformance import VertexContract
from hb_testing import VariantContract
from hb_testing.server import Wire


class TestVertex(VariantContract):
    """The whole contract: `pytest -p hb_testing --hb-plugin gateways:vertex`."""

    gateway: ClassVar[str] = "vertex"
    image_urls = False
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = VertexContract.capabilities

    def wires(self) -> Iterable[Wire]:
        return VertexContract().wires()

    def options(self, base_url: str) -> Mapping[str, Any]:
        return VertexContract().options(base_url)
