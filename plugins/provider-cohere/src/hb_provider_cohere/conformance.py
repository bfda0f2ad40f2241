"""What `pytest -p heavenbase.testing --hb-plugin gateways:cohere` runs, where it differs from the kit's defaults."""

from __future__ import annotations

from heavenbase.testing import GatewayContract

__all__ = ["CohereContract"]


class CohereContract(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "cohere"
    openai_exports = False
