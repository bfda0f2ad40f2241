"""A small real language model inside the process, as a provider of hb.

The gateway that runs it is `hb_provider_local.gateway`.
"""

from __future__ import annotations

from heavenbase.plugin import Provider

__all__ = ["plugin"]

plugin = Provider(__name__, "local")
