"""Helpers that user code imports by this path."""

from __future__ import annotations

from heavenbase.image import LLMImage
from heavenbase.repair import LLMToolCallRepair

__all__ = ["LLMImage", "LLMToolCallRepair"]
