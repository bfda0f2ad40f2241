"""The gateway keeps the contract of gateways in what it does otherwise than the openai gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hb_gateway_bifrost.conformance import BifrostContract
from hb_testing import VariantContract


class TestBifrost(VariantContract):
    """The whole contract: `pytest -p hb_testing --hb-plugin gateways:bifrost`."""

    gateway: ClassVar[str] = BifrostContract.gateway
    capabilities: ClassVar[Mapping[str, bool]] = BifrostContract.capabilities
