"""The gateways keep the contract of gateways in what they do otherwise than the openai gateway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from hb_provider_azure.conformance import AzureResponsesContract
from hb_testing import VariantContract
from hb_testing.server import Wire


class TestAzure(VariantContract):
    """The whole contract: `pytest -p hb_testing --hb-plugin gateways:azure`."""

    gateway: ClassVar[str] = "azure"


class TestAzureResponses(VariantContract):
    """The whole contract: `pytest -p hb_testing --hb-plugin gateways:azure_responses`."""

    gateway: ClassVar[str] = AzureResponsesContract.gateway

    def wires(self) -> Iterable[Wire]:
        return AzureResponsesContract().wires()
