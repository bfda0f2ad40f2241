"""The contract that every gateway keeps, on Cohere's own wire."""

from __future__ import annotations

from hb_provider_cohere.conformance import CohereContract


class TestCohereGateway(CohereContract):
    """Both colours, every fault of the wire."""
