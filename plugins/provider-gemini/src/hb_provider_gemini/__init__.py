"""Google Gemini as a provider of hb: natively through the google-genai SDK, and on its OpenAI-compatible endpoint.

The gateway that speaks Gemini's own wire is `hb_provider_gemini.gateway`.
"""

from __future__ import annotations

from heavenbase.plugin import Provider

__all__ = ["plugin"]

plugin = Provider(__name__, "gemini")
