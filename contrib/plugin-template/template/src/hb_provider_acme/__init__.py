"""Acme as a provider of hb: the endpoint is described in provider.toml."""

from __future__ import annotations

from heavenbase.plugin import Provider

__all__ = ["plugin"]

plugin = Provider(__name__, "acme")
