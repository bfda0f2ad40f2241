"""What every provider must do, as tests to inherit.

    class TestAcme(ProviderContract):
        provider = "acme"

The manifest is checked, names are resolved, and calls go through the provider's gateway to a loopback server in place
of its endpoint. Without a wire that the server speaks, or without the gateway, the checks that call are skipped.
"""

from __future__ import annotations

from hb_testing.conformance.checks_endpoints import EndpointChecks
from hb_testing.conformance.checks_names import NameChecks

__all__ = ["ProviderContract"]


class ProviderContract(EndpointChecks, NameChecks):
    """Inherit it in a class named Test…, set `provider`, and override the hooks of `ProviderBase` that differ."""
