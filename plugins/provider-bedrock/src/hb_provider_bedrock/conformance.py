"""The contracts of this package, for `pytest -p hb_testing --hb-plugin gateways:bedrock` and its own tests."""

from __future__ import annotations

import contextlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from hb_testing import GatewayContract, ProviderContract, VisionContract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BedrockEmbeddingGatewayContract",
    "BedrockGatewayContract",
    "BedrockImageGatewayContract",
    "BedrockProviderContract",
    "BedrockVisionContract",
]

ALONE: Mapping[str, str] = MappingProxyType({"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull})
"""What keeps boto3 from looking for credentials outside of the checks."""
SIGNING: Mapping[str, str] = MappingProxyType(
    {**ALONE, "AWS_ACCESS_KEY_ID": "AKIACONFORMANCE00000", "AWS_SECRET_ACCESS_KEY": "conformance" * 4}
)


@contextlib.contextmanager
def surroundings(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables of the process for the time of a check: boto3 reads no others."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class BedrockGatewayContract(GatewayContract):
    """Chats and streams of a model that hb does not know, which is taken to do all that the wire can."""

    gateway = "bedrock"
    image_urls = False
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({"embeddings": False, "images": False})


class BedrockEmbeddingGatewayContract(GatewayContract):
    """Embeddings of Cohere's models."""

    gateway = "bedrock"
    model = "cohere.embed-v4:0"
    image_urls = False
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType(
        dict.fromkeys(("chat", "stream", "tools", "vision", "reasoning", "structured", "images", "count_tokens"), False)
    )


class BedrockImageGatewayContract(GatewayContract):
    """Images of Amazon's models."""

    gateway = "bedrock"
    model = "amazon.nova-canvas-v1:0"
    image_urls = False
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType(
        dict.fromkeys(
            ("chat", "stream", "tools", "vision", "reasoning", "structured", "embeddings", "count_tokens"), False
        )
    )


class BedrockProviderContract(ProviderContract):
    """The endpoint; where no bearer token is given, boto3 signs with the variables of the kernel."""

    provider = "bedrock"
    surroundings = SIGNING


class BedrockVisionContract(VisionContract):
    """Image parts."""

    format = "bedrock"
    urls = False
