"""The contracts that every gateway, provider and image format keeps, on Bedrock's own wire."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from heavenbase.testing import GatewayContract


class TestBedrockContract(GatewayContract):
    """Chats and streams of a model that hb does not know, which is taken to do all that the wire can."""

    gateway = "bedrock"
    image_urls = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({"embeddings": False, "images": False})
