"""Helpers that user code and plugins import by this path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.config.files import sync_folder
    from heavenbase.image.image import LLMImage
    from heavenbase.tools.repair import LLMToolCallRepair

__all__ = ["LLMImage", "LLMToolCallRepair", "front", "sync_folder"]

__getattr__, __dir__ = front(
    __name__,
    {
        "heavenbase._lazy": "front",
        "heavenbase.config.files": "sync_folder",
        "heavenbase.image.image": "LLMImage",
        "heavenbase.tools.repair": "LLMToolCallRepair",
    },
)
