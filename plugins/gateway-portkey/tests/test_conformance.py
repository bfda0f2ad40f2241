"""The gateway keeps the contract of gateways in what it does otherwise than the openai gateway."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import VariantContract


class TestPortkey(VariantContract):
    """The whole contract: `pytest -p hb_testing --hb-plugin gateways:portkey`."""

    gateway: ClassVar[str] = "portkey"
