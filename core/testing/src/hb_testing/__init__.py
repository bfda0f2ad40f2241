"""The conformance kit: what plugin authors inherit, and the command that checks an installed plugin.

    pytest -p hb_testing --hb-plugin gateways:openai

or, in a test file of the plugin's own:

    from hb_testing import GatewayContract

    class TestAcme(GatewayContract):
        gateway = "acme"

`hb_testing.server` is the loopback server that both use. It comes with hb-testing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hb_testing.caches import CacheStoreContract
    from hb_testing.conformance.caches import CacheContract
    from hb_testing.gateways import GatewayContract, VariantContract
    from hb_testing.middlewares import JudgeContract, MiddlewareContract
    from hb_testing.providers import ProviderContract
    from hb_testing.tables import TableContract
    from hb_testing.vision import VisionContract

__all__ = [
    "CacheContract",
    "CacheStoreContract",
    "GatewayContract",
    "JudgeContract",
    "MiddlewareContract",
    "ProviderContract",
    "TableContract",
    "VariantContract",
    "VisionContract",
]

pytest_plugins = ("hb_testing.plugin",)
"""What `pytest -p hb_testing` loads."""

_HOME = {
    "CacheContract": "conformance.caches",
    "CacheStoreContract": "caches",
    "GatewayContract": "gateways",
    "JudgeContract": "middlewares",
    "MiddlewareContract": "middlewares",
    "ProviderContract": "providers",
    "TableContract": "tables",
    "VariantContract": "gateways",
    "VisionContract": "vision",
}


def __getattr__(name: str) -> Any:
    # On use, because the loopback server must not need pytest.
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sys
    from importlib import import_module

    import pytest

    if f"{__name__}.conformance" not in sys.modules:
        # Failing assertions then show their values, as those of a test file do.
        pytest.register_assert_rewrite(f"{__name__}.conformance", f"{__name__}.{home}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
