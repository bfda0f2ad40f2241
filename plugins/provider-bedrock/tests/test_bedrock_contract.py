"""The contracts that every gateway, provider and image format keeps, on Bedrock's own wire."""

from __future__ import annotations

from hb_provider_bedrock import conformance


class TestBedrock(conformance.BedrockContract):
    """Chats and streams."""


class TestBedrockEmbeddings(conformance.BedrockEmbeddingContract):
    """Embeddings."""


class TestBedrockImages(conformance.BedrockImageContract):
    """Images."""


class TestBedrockProvider(conformance.BedrockProviderContract):
    """The endpoint."""


class TestBedrockVision(conformance.BedrockVisionContract):
    """Image parts."""
