"""Ollama as a provider of hb: natively through the ollama SDK, and on its OpenAI-compatible endpoint.

The gateway that speaks Ollama's own wire is `hb_provider_ollama.gateway`.
"""

from __future__ import annotations

from heavenbase.plugin import Provider

__all__ = ["plugin"]

plugin = Provider(__name__, "ollama")
