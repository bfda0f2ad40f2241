"""Google Vertex AI as a provider of hb: Gemini models of a project, at a location, on Gemini's wire.

The gateway is `hb_provider_vertex.gateway`.
"""

from __future__ import annotations

from heavenbase.plugin import Provider

__all__ = ["plugin"]

plugin = Provider(__name__, "vertex")
