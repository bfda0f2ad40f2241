"""The contracts that every gateway, provider and image format keeps, on Bedrock's own wire."""

from __future__ import annotations

from hb_provider_bedrock.conformance import (
    BedrockEmbeddingGatewayContract,
    BedrockGatewayContract,
    BedrockImageGatewayContract,
    BedrockProviderContract,
    BedrockVisionContract,
)


class TestBedrock(BedrockGatewayContract):
    """Chats and streams."""


class TestBedrockEmbeddings(BedrockEmbeddingGatewayContract):
    """Embeddings."""


class TestBedrockImages(BedrockImageGatewayContract):
    """Images."""


class TestBedrockProvider(BedrockProviderContract):
    """The endpoint."""


class TestBedrockVision(BedrockVisionContract):
    """Image parts."""
