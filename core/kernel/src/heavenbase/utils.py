"""Helpers that user code imports by this path."""

from __future__ import annotations

from heavenbase.image.image import LLMImage
from heavenbase.tools.repair import LLMToolCallRepair

__all__ = ["LLMImage", "LLMToolCallRepair"]
